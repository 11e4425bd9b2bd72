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
from tabs.door.bodies import Bodies
from tabs.door.compression import Compression
from tabs.door.gate import Gate
from tabs.door.guard import Guard
from tabs.door.password import Entrance
from tabs.door.streams import Streams
from tabs.door.upload_quota import Quota
from tabs.door.veil import Veil


class Started:
    """A studio's page as `launch` was asked for it, without a server."""

    def __init__(self, place: Path, **settings: Any) -> None:
        self.blocks: Any = None
        self.options: dict[str, Any] = {}
        self.sent: list[str] = []  # what was reported of the start
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("GRADIO_TEMP_DIR", str(place / "shown"))
            patch.setenv("GRADIO_ANALYTICS_ENABLED", "True")  # the page says no by itself
            for name in ("initiated_analytics", "version_check", "launched_analytics"):
                patch.setattr(f"gradio.analytics.{name}", lambda *_, name=name: self.sent.append(name))
            patch.setattr(gr.Blocks, "launch", lambda blocks, **options: self._launch(blocks, options))
            with Studio(Settings(demo=True, home=place, device="cpu", port=0, **settings)) as studio:
                self.home, self.settings, self.url = studio.home, studio.settings, serve.open_page(studio)

    def _launch(self, blocks: gr.Blocks, options: dict[str, Any]) -> tuple[None, str, None]:
        self.blocks, self.options = blocks, options
        return None, f"http://{options['server_name']}:{options['server_port']}/", None

    @property
    def doors(self) -> list[Any]:
        return [door.cls for door in self.options["app_kwargs"]["middleware"]]


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Started:
    return Started(tmp_path_factory.mktemp("home"), host="[::1]")


def test_nothing_reaches_gradio_but_through_the_doors(started: Started, tmp_path: Path) -> None:
    assert started.doors[:7] == [Guard, Compression, Entrance, Gate, Streams, Quota, Bodies]
    space = Started(tmp_path, profile="space").doors[:8]
    assert space == [Guard, Compression, Veil, Entrance, Gate, Streams, Quota, Bodies]


def test_an_idle_queue_does_not_keep_a_core_awake(started: Started) -> None:
    assert started.blocks._queue.sleep_when_free >= 0.2
    assert started.blocks._queue.progress_update_sleep_when_free >= 0.2


def test_gradio_is_told_what_it_must_not_do(started: Started) -> None:
    told, home = started.options, started.home
    assert {str(home.models), str(home.chats), str(home.inputs), str(home.captions)} <= set(told["blocked_paths"])
    assert str(home.cache / "sessions") in told["blocked_paths"]
    assert told["max_file_size"] == started.settings.max_upload_mb * 1_000_000
    assert (told["show_error"], told["share"], told["mcp_server"], told["enable_monitoring"]) == (False,) * 4
    assert told["state_session_capacity"] <= 500
    assert told["app_kwargs"]["openapi_url"] is None
    assert started.blocks.delete_cache is not None


def test_nothing_is_counted_or_reported(started: Started) -> None:
    assert (started.blocks.analytics_enabled, started.sent) == (False, [])
    program = "import app, os; print(os.environ['GRADIO_ANALYTICS_ENABLED'], os.environ['HF_HUB_DISABLE_TELEMETRY'])"
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("GRADIO", "HF_"))}
    told = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, env=plain, text=True)
    assert told.split() == ["False", "1"]


def test_an_ipv6_address_is_named_as_addresses_of_pages_are(started: Started) -> None:
    assert started.options["server_name"] == "[::1]"
    assert started.url.startswith("http://[::1]:")


def test_a_port_that_is_taken_on_one_kind_of_address_is_not_free() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert serve.free_port("127.0.0.1", port) != port
        assert serve.free_port("::1", port) != port  # Gradio looks there, whatever it is to listen on
