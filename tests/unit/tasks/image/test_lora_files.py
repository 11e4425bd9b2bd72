"""Adaptations in folders: their names, the bare names that other programs write, and names that lead nowhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.errors import StudioError
from studio.paths import Home
from studio.recipes import infotext
from studio.request_parts import Lora
from studio.requests import ImageRequest
from studio.tasks.image import lora_files
from studio.tasks.image.lora_files import Placed
from studio.tasks.image.prepare import PromptFiller

NAMES = ("ink", "style/ink", "style/wash", "people/old/moss.v2")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home.at(tmp_path)
    for name in (*NAMES, ".hidden/fog", "a/b/c/d/e/f/g/h/i/deep"):
        file = home.loras / f"{name}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    return home


def filled(home: Home, prompt: str, *loras: Lora) -> tuple[Lora, ...]:
    return PromptFiller(home).fill(ImageRequest(prompt=prompt, seed=1, loras=loras))[0].loras


def test_names_have_their_path(home: Home) -> None:
    assert PromptFiller(home).loras() == ("ink", "people/old/moss.v2", "style/ink", "style/wash")
    assert lora_files.find("style/ink", [home.loras]) == home.loras / "style" / "ink.safetensors"


def test_a_folder_that_is_a_link_is_followed_once(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "sea.safetensors").write_bytes(b"")
    (home.loras / "more").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(home.loras)
    assert [name for name in PromptFiller(home).loras() if name.endswith("sea")] == ["more/sea"]
    assert len(PromptFiller(home).loras()) == len(NAMES) + 1


def test_a_bare_name_finds_the_one_that_is_meant(home: Home) -> None:
    assert filled(home, "a <lora:wash:0.5>") == (Lora("style/wash", 0.5),)
    assert filled(home, "a <lora:style\\wash:0.5>") == (Lora("style/wash", 0.5),)
    assert filled(home, "a <lora:was/elsewhere/wash:0.5>") == (Lora("style/wash", 0.5),)
    assert filled(home, "a <lora:ink:0.5>") == (Lora("ink", 0.5),), "a name that is whole is not a bare one"
    assert filled(home, "a", Lora("moss.v2")) == (Lora("people/old/moss.v2"),)
    assert filled(home, "a <lora:wash:0.5>", Lora("style/wash")) == (Lora("style/wash", 0.5),), "one adaptation"


def test_a_bare_name_that_several_have_is_told(home: Home) -> None:
    (home.loras / "ink.safetensors").unlink()
    (home.loras / "people" / "ink.safetensors").write_bytes(b"")
    with pytest.raises(StudioError) as refused:
        filled(home, "a <lora:ink:1>")
    assert (refused.value.code, refused.value.params["names"]) == ("lora_ambiguous", "people/ink, style/ink")
    assert filled(home, "a <lora:people/ink:1>") == (Lora("people/ink"),)


@pytest.mark.parametrize("name", ["../ink", "/ink", "style//ink", "style/../ink", "style/", ".hidden/fog", "a\0", ""])
def test_a_name_leads_out_of_no_folder(home: Home, name: str) -> None:
    assert lora_files.find(name, [home.loras / "style", home.loras]) is None


@pytest.mark.parametrize(
    ("file", "pointed", "name"),
    [
        ("/sd/models/Lora/style/ink", "/sd", "style/ink"),
        ("/sd/models/Lora/style/ink", "/sd/models/Lora", "style/ink"),
        ("/sd/models/Lora/style/ink", "/sd/models/Lora/style", "ink"),
        ("/sd/Lora/loras/ink", "/sd", "loras/ink"),
        ("/ai/things/ink", "/ai", "things/ink"),
        ("/other/loras/style/ink", "/ai", "style/ink"),
        ("/other/style/ink", "/ai", "ink"),
        ("/ai/.cache/ink", "/ai", "ink"),
    ],
)
def test_the_name_of_a_file_elsewhere_begins_where_its_program_keeps_them(file: str, pointed: str, name: str) -> None:
    found = lora_files.placed(Path(f"{file}.safetensors"), (Path(pointed),))
    assert found.name == name
    assert lora_files.find(name, [found.root]) in (None, found.file)
    assert Placed(found.root, found.file).file == Path(f"{file}.safetensors")


def test_other_programs_are_told_the_bare_name() -> None:
    assert infotext._with_loras("a", [{"name": "style/ink", "weight": 0.5}]) == "a <lora:ink:0.5>"
