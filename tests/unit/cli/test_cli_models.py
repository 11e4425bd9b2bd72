"""`models download` from elsewhere, against a hub on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import FILES, NEWER, FakeHub, serving_hub
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


VERIFIED = """
[models.right]
task = "chat"
engine = "text"
hub = "case/plain"
disk = "2.1 MB"
licence = "MIT"
[models.wrong]
task = "chat"
engine = "text"
hub = "case/plain"
disk = "3 MB"
licence = "Apache-2.0"
gated = true
[models.lost]
task = "chat"
engine = "text"
hub = "case/nosuch"
[models.rewritten]
task = "chat"
engine = "text"
hub = "case/gone"
revision = "4015b57a143aec5156fd1444a017a32137a3fd0f"
[models.pickled]
task = "chat"
engine = "text"
hub = "case/binonly"
[models.renamed]
task = "chat"
engine = "llama"
hub = "case/two"
files = ["q5.gguf"]
"""


def test_the_catalogue_is_held_against_the_hub_field_by_field(run: Run, hub: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "real" / "models.toml").write_text(VERIFIED)
    ids = ("right", "wrong", "lost", "rewritten", "pickled", "renamed")
    told = run("models", "verify", *ids, "--json")
    assert told.code == 1
    found = {one["id"]: {(it["what"], it["theirs"]) for it in one["differences"]} for one in told.json["models"]}
    assert found["right"] == set()
    assert found["wrong"] == {("size", f"{sum(map(len, FILES.values())):,}"), ("licence", "mit"), ("gated", "false")}
    whats = {id: {what for what, _ in found[id]} for id in ids[2:]}
    assert whats == {"lost": {"repository"}, "rewritten": {"commit"}, "pickled": {"files"}, "renamed": {"files"}}
    assert run("models", "verify", "right").code == 0
    assert "right: as the hub says" in run("models", "verify", "right").out
    assert not hub.asked("/files/")
    assert not hub.asked("/resolve/", "HEAD")


def test_without_the_hub_what_would_be_checked_is_printed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    told = run("models", "verify", "qwen35-2b", "sd-turbo")
    assert told.code == 1
    assert "HF_HUB_OFFLINE" in told.out
    assert "qwen35-2b: never checked so far: defaults" in told.out
