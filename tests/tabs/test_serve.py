"""What Gradio is started with: each option is a boundary that nothing else would miss."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from studio.service import Studio
from studio.settings import ROOT, Settings
from tabs import serve
from tabs.bodies import Bodies
from tabs.entrance import Entrance
from tabs.gate import Gate
from tabs.guard import Guard
from tabs.quota import Quota
from tabs.streams import Streams
from tabs.veil import Veil


class Started:
    """What `launch` was asked for, without a server."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.blocks: Any = None
        self.options: dict[str, Any] = {}
        monkeypatch.setattr(gr.Blocks, "launch", lambda blocks, **options: self._launch(blocks, options))

    def _launch(self, blocks: gr.Blocks, options: dict[str, Any]) -> tuple[None, str, None]:
        self.blocks, self.options = blocks, options
        return None, f"http://{options['server_name']}:{options['server_port']}/", None

    @property
    def doors(self) -> list[Any]:
        return [door.cls for door in self.options["app_kwargs"]["middleware"]]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return Started(monkeypatch)


def test_nothing_reaches_gradio_but_through_the_doors(started: Started, studio: Studio, settings: Settings) -> None:
    serve.open_page(studio)
    assert started.doors[:6] == [Guard, Entrance, Gate, Streams, Quota, Bodies]
    with Studio(settings.model_copy(update={"profile": "space", "home": studio.home.root / "other"})) as public:
        serve.open_page(public)
    assert started.doors[:2] == [Guard, Veil]


def test_gradio_is_told_what_it_must_not_do(started: Started, studio: Studio) -> None:
    serve.open_page(studio)
    told = started.options
    home = studio.home
    assert {str(home.models), str(home.chats), str(home.inputs), str(home.captions)} <= set(told["blocked_paths"])
    assert str(home.cache / "sessions") in told["blocked_paths"]
    assert told["max_file_size"] == studio.settings.max_upload_mb * 1_000_000
    assert (told["show_error"], told["share"], told["mcp_server"], told["enable_monitoring"]) == (False,) * 4
    assert told["state_session_capacity"] <= 500
    assert told["app_kwargs"]["openapi_url"] is None
    assert started.blocks.delete_cache is not None


def test_nothing_is_counted_or_reported(started: Started, studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")  # the page says no by itself
    sent: list[str] = []
    for name in ("initiated_analytics", "version_check", "launched_analytics"):
        monkeypatch.setattr(f"gradio.analytics.{name}", lambda *_, name=name: sent.append(name))
    serve.open_page(studio)
    assert (started.blocks.analytics_enabled, sent) == (False, [])
    program = "import app, os; print(os.environ['GRADIO_ANALYTICS_ENABLED'], os.environ['HF_HUB_DISABLE_TELEMETRY'])"
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("GRADIO", "HF_"))}
    told = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, env=plain, text=True)
    assert told.split() == ["False", "1"]


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_address_is_named_as_addresses_of_pages_are(started: Started, settings: Settings, host: str) -> None:
    with Studio(settings.model_copy(update={"host": host})) as studio:
        url = serve.open_page(studio)
    assert started.options["server_name"] == "[::1]"
    assert url.startswith("http://[::1]:")


def test_a_port_that_is_taken_on_one_kind_of_address_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve.free_port("127.0.0.1", port) != port
        assert serve.free_port("::1", port) != port  # Gradio looks there, whatever it is to listen on
