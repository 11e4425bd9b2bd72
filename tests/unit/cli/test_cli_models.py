"""`models download` from elsewhere, against a hub on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import NEWER, FakeHub, serving_hub
from terminals import Run

from studio.store import origin

MINE = """
[models.mine]
task = "chat"
engine = "text"
hub = "case/plain"
[models.gone]
task = "chat"
engine = "text"
hub = "case/gone"
revision = "4015b57a143aec5156fd1444a017a32137a3fd0f"
"""


@pytest.fixture(autouse=True)
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    home = tmp_path / "real"
    home.mkdir()
    (home / "models.toml").write_text(MINE)
    for name, value in {"DEMO": "0", "OFFLINE": "0", "HOME": str(home)}.items():
        monkeypatch.setenv(f"STUDIO_{name}", value)
    with serving_hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setattr(origin, "MODELSCOPE_HOST", hub.scope)
        yield hub


def test_a_download_says_where_files_came_from_and_deleting_who_else_used_them(run: Run, hub: FakeHub) -> None:
    shown = run("models", "download", "mine")
    assert shown.code == 0
    assert f"It came from {hub.url.removeprefix('http://')}." in shown.out
    assert "the hub's cache" in run("models", "delete", "mine").out
    told = run("models", "download", "mine", "--from", "modelscope", "--json").json
    assert told["model"]["came_from"] == hub.scope.removeprefix("http://")
    assert not told["model"]["in_hub_cache"]
    assert run("models", "download", "mine", "--from", "nowhere", "--json").json["error"]["code"] == "bad_origin"


def test_a_version_that_is_gone_is_named_and_the_newest_can_be_asked_for(run: Run, tmp_path: Path) -> None:
    refused = run("models", "download", "gone")
    assert refused.code == 1
    assert "--newest" in refused.err
    assert run("models", "download", "gone", "--newest").code == 0
    assert [one.name for one in (tmp_path / "real" / "models" / "hub" / "case--gone").iterdir()] == [NEWER]
