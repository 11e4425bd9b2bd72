"""The SDK's server with our tools. Imports the SDK."""

from __future__ import annotations

from mcp.server.mcpserver import MCPServer
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import ToolAnnotations

from studio import __version__
from studio.api.mcp import PATH
from studio.api.mcp.tools import Tools
from studio.api.submitting import Desk

_MOST_BYTES = 1 << 40
"""Bodies are counted before they come here (studio.api.admission); the SDK's own limit is too small for pictures."""
_MOST_SESSIONS = 1_000
_ABOUT = (
    "Atelier, a studio for generative AI on this machine: chat, pictures, music, code and captions, computed here. "
    "Models are loaded when they are first asked for, so a first call may take a while; its progress is told."
)


def sessions(desk: Desk) -> StreamableHTTPSessionManager:
    """What answers requests, once it runs."""
    server = MCPServer("atelier", title="Atelier", instructions=_ABOUT, version=__version__, log_level="WARNING")
    tools = Tools(desk)
    made = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
    for tool in (tools.chat, tools.paint, tools.compose, tools.complete, tools.caption):
        server.add_tool(tool, annotations=made, structured_output=False)
    looks = ToolAnnotations(read_only_hint=True, open_world_hint=False)
    server.add_tool(tools.library_search, annotations=looks, structured_output=False)
    server.streamable_http_app(
        streamable_http_path=PATH, max_request_body_size=_MOST_BYTES, max_sessions=_MOST_SESSIONS,
        # Host and Origin are looked at by the page's guard, which knows the names of this studio.
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
    )  # fmt: skip
    return server.session_manager
