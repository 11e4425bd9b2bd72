"""When each model was last asked for."""

from pathlib import Path

from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.service import Studio
from studio.settings import Settings
from studio.store.last_used import OFTEN, Used


def test_it_is_known_after_a_restart(tmp_path: Path) -> None:
    Used(tmp_path / "used.json", lambda: 5000.0).note("m")
    again = Used(tmp_path / "used.json")
    assert again.when("m") == 5000.0
    assert again.when("another") is None


def test_a_model_in_constant_use_is_written_once_a_while(tmp_path: Path) -> None:
    now = [1000.0]
    used = Used(tmp_path / "used.json", lambda: now[0])
    used.note("m")
    now[0] += OFTEN / 2
    used.note("m")
    assert used.when("m") == now[0]
    assert Used(tmp_path / "used.json").when("m") == 1000.0
    now[0] += OFTEN
    used.note("m")
    assert Used(tmp_path / "used.json").when("m") == now[0]


def test_a_damaged_file_is_done_without(tmp_path: Path) -> None:
    (tmp_path / "used.json").write_text('["not a table"]')
    assert Used(tmp_path / "used.json").when("m") is None


def test_a_request_counts_as_use(settings: Settings) -> None:
    with Studio(settings) as studio:
        assert studio.models.list("chat")[0].last_used is None
        studio.submit(ChatRequest(messages=(Message("user", "hello"),), model="demo-chat")).result()
        assert studio.models.list("chat")[0].last_used
