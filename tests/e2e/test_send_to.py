"""Results on their way to other tabs: from the library and from where they were made, with Shift, and one step back."""

from __future__ import annotations

import io
import wave
from pathlib import Path

from PIL import Image
from playwright.sync_api import Locator, expect

from e2e.conftest import Serve, Visit
from e2e.desk import Desk
from e2e.test_axe import found
from e2e.test_library import Shelf
from studio.service import Studio
from tabs.serve import free_port

CODE = "def lamp():\n    return '<b>1</b>'\n"


def fill(studio: Studio, folder: Path) -> list[Path]:
    """A file of every kind that the library takes from elsewhere, and something that steers and something to show."""
    for place, name in ((studio.home.controlnets, "edges"), (studio.home.ipadapters, "faces")):
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{name}.safetensors").write_bytes(b"x")
    picture, files = Image.new("L", (64, 64), 0), ["lamp.png", "poem.md", "lamp.py", "hum.wav"]
    picture.paste(255, (0, 0, 32, 64))
    picture.save(folder / files[0])
    (folder / files[1]).write_text("The lantern hums\nand <b>hums</b> 灯", encoding="utf-8")
    (folder / files[2]).write_text(CODE, encoding="utf-8")
    sound = io.BytesIO()
    with wave.open(sound, "wb") as out:
        out.setparams((1, 2, 8000, 0, "NONE", ""))
        out.writeframes(b"\0\0" * 8000)
    (folder / files[3]).write_bytes(sound.getvalue())
    return [folder / name for name in files]


def use(desk: Desk, title: str, way: str, shift: bool = False) -> None:
    """Press an entry of a thing's menu in the library."""
    part = Shelf(desk).details(title)
    part.get_by_role("button", name="Use in").click()
    part.get_by_role("button", name=way).click(modifiers=["Shift"] if shift else [])


def undo(desk: Desk) -> None:
    desk.page.locator("#a-dropped").get_by_role("button", name="Undo").click()
    expect(desk.page.locator("#a-dropped")).to_be_hidden()


def at(desk: Desk, id: str) -> Locator:
    return desk.page.locator(f"#{id}")


def test_what_comes_from_elsewhere_goes_to_every_tab(visit: Visit, serve: Serve, tmp_path: Path) -> None:
    studio, url = serve(demo=True)
    files = fill(studio, tmp_path)
    shelf = Shelf(desk := visit(url))
    shelf.box.locator(".a-lib-files").set_input_files(files)
    expect(shelf.tiles()).to_have_count(4)
    shelf.search("HUMS 灯", 1)
    shelf.search("", 4)
    part = shelf.details("lamp, ")
    part.get_by_role("button", name="Use in").click()
    assert found(desk) == []

    part.get_by_role("button", name="Steer a picture").click()
    expect(at(desk, "image-control-1-picture").locator("img")).to_be_visible()
    expect(at(desk, "image-control-1-model").locator("input").first).to_have_value("edges")
    use(desk, "lamp, ", "Steer a picture")
    expect(at(desk, "image-control-2-picture").locator("img")).to_be_visible()
    undo(desk)
    expect(at(desk, "image-control-2-picture").locator("img")).to_have_count(0)
    expect(at(desk, "image-control-1-picture").locator("img")).to_be_visible()
    use(desk, "lamp, ", "Reference picture")
    expect(at(desk, "image-reference-1-picture").locator("img")).to_be_visible()
    use(desk, "lamp, ", "A region")
    expect(at(desk, "image-region-map").locator("textarea")).to_have_value("96;" + ",".join(["1*48,0*48"] * 96))
    undo(desk)
    expect(at(desk, "image-region-map").locator("textarea")).to_have_value("")

    desk.go("chat").type("mine")
    use(desk, "Code, ", "Ask chat to explain")
    expect(desk.field("prompt")).to_have_value(
        f"Explain what this code does.\n\n```python\n{CODE.rstrip()}\n```"
    )  # nothing of it is read as HTML
    desk.page.get_by_role("button", name="Bring back your text").click()
    expect(desk.field("prompt")).to_have_value("mine")
    use(desk, "lamp, ", "Attach to a chat message")
    expect(at(desk, "chat-files").locator(".file-preview tr")).to_have_count(1)
    use(desk, "Code, ", "Ask chat for a test", shift=True)  # and runs, with the picture that is there already
    expect(at(desk, "chat-said").locator(".user-row")).to_contain_text("Write a short test")
    expect(at(desk, "chat-said").locator("img.a-shown")).to_be_visible()

    use(desk, "Text, ", "Lyrics of a piece")
    expect(at(desk, "music-lyrics").locator("textarea")).to_have_value("The lantern hums\nand <b>hums</b> 灯")
    expect(at(desk, "music-lyrics").locator("textarea")).to_be_visible()
    use(desk, "Piece, ", "Follow its melody")
    desk.tab = "music"
    expect(at(desk, "music-sound-use").get_by_role("radio", checked=True)).to_have_attribute("value", "follow")


def test_the_results_of_the_tabs_have_the_same_ways(visit: Visit, serve: Serve, tmp_path: Path) -> None:
    studio, url = serve(demo=True)
    fill(studio, tmp_path)
    desk = visit(url)
    desk.go("image").type("a quiet hill").run()
    menu = at(desk, "image-use")
    at(desk, "image-use-menu").click()
    expect(menu.locator("[data-use]").first).to_be_visible()
    own = menu.get_by_role("button").all_inner_texts()
    assert len(own) == len(set(own)) == 10
    assert found(desk) == []
    menu.get_by_role("button", name="Reference picture").click()
    expect(at(desk, "image-reference-1-picture").locator("img")).to_be_visible()
    at(desk, "image-use-menu").click()
    menu.get_by_role("button", name="Words for chat").click()
    desk.tab = "chat"
    expect(desk.field("prompt")).to_have_value("a quiet hill")

    desk.go("music").type("a slow waltz").run()
    card = at(desk, "take-0-use")
    at(desk, "take-0-use-menu").click()
    card.get_by_role("button", name="Follow its melody").click(modifiers=["Shift"])  # and runs
    expect(desk.takes).to_have_count(2)

    desk.go("caption").page.locator("#caption-image input[type=file]").set_input_files(tmp_path / "lamp.png")
    expect(desk.page.locator("#caption-image").get_by_label("Remove")).to_be_visible()
    desk.run()
    desk.type("my own words", "text")
    at(desk, "caption-use-menu").click()
    at(desk, "caption-use").get_by_role("button", name="Lyrics of a piece").click()
    expect(at(desk, "music-lyrics").locator("textarea")).to_have_value("my own words")  # as they were changed


def test_a_stranger_has_the_buttons_that_need_no_library(visit: Visit, serve: Serve) -> None:
    _, url = serve(demo=True, profile="space", port=free_port("127.0.0.1", 0))
    desk = visit(url)
    desk.go("image").type("a quiet hill").run()
    at(desk, "image-use-menu").click()
    expect(at(desk, "image-use").get_by_role("button")).to_have_count(3)
    desk.go("music").type("a slow waltz").run()
    expect(desk.takes).to_have_count(1)
    expect(at(desk, "take-0-use-menu")).to_have_count(0)
