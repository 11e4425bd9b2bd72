"""Every field of every tab stays as a person left it: the page is asked for its fields, so that none is forgotten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio
import pytest
from playwright.sync_api import expect

from e2e.conftest import Serve, Visit
from e2e.desk import TABS, Desk, Tab
from tabs.serve import free_port

SEEN = """(names) => Object.fromEntries(names.map((name) => {
    const field = document.getElementById(name);
    if (!field) return [name, null];
    const typed = [...field.querySelectorAll("textarea, input")].filter((one) => one.type !== "file");
    const values = typed.map((one) => ["checkbox", "radio"].includes(one.type) ? one.checked : one.value);
    const named = [...field.querySelectorAll(".token, .file-name, .filename")].map((one) => one.innerText.trim());
    return [name, [values, named,
                   field.querySelectorAll("img, audio, .waveform-container, #image-picture button").length]];
}))"""
"""What a person sees in each field."""


def seen(desk: Desk) -> dict[str, Any]:
    return desk.page.evaluate(SEEN, desk.page.evaluate("(tab) => atelier.fields(tab)", desk.tab))


def fill(desk: Desk, name: str, files: dict[str, Path]) -> None:
    """Put something else into a field than it holds."""
    field = desk.page.locator(f"#{name}")
    if name in files:
        before = seen(desk)[name]
        field.locator("input[type=file]").first.set_input_files(files[name])
        desk.until(lambda: seen(desk)[name] != before)  # a person sees it there before hiding it by another choice
    elif field.locator("[role=combobox], [role=listbox]").count():
        field.locator("input").first.click()
        options = desk.page.get_by_role("option").filter(visible=True)
        if options.count() > 1:
            options.last.click()
        desk.page.keyboard.press("Escape")
    elif field.locator("input[type=radio]").count():
        field.locator("label").last.click()
        desk.page.wait_for_timeout(400)  # other fields may come and go with it
    elif field.locator("input[type=checkbox]").count():
        field.locator("input").click()
    else:
        field.locator("textarea, input").first.fill("3")


@pytest.mark.parametrize("tab", TABS)
def test_every_field_is_as_it_was(visit: Visit, serve: Serve, tab: Tab, tmp_path: Path, files: dict[str, Path]) -> None:
    port = free_port("127.0.0.1", 0)
    studio, url = serve(demo=True, port=port)
    (studio.home.controlnets / "edges.safetensors").write_bytes(b"")  # by its name alone it stands in the list
    (studio.home.ipadapters / "plus.safetensors").write_bytes(b"")
    (studio.home.vaes / "softer.safetensors").write_bytes(b"")
    (studio.home.detectors / "faces").mkdir()
    (studio.home.detectors / "faces" / "config.json").write_text(
        '{"model_type": "yolos", "architectures": ["YolosForObjectDetection"]}'
    )
    (studio.home.detectors / "faces" / "model.safetensors").write_bytes(b"")
    desk = visit(url).go(tab)
    first = seen(desk)
    assert len(first) > 5
    desk.unfold()
    for _ in range(2 if tab == "image" else 0):
        desk.page.locator("#image-control-more").click()
    for _ in range(3 if tab == "image" else 0):
        desk.page.locator("#image-reference-more").click()
    for name in first:
        if desk.page.locator(f"#{name}").filter(visible=True).count() or name in UNSEEN:
            fill(desk, name, files)
    desk.unfold()
    for name in first:  # those that another choice has brought
        if desk.page.locator(f"#{name}").filter(visible=True).count() and seen(desk)[name] == first[name]:
            fill(desk, name, files)
    unchanged = lambda: {name for name, now in seen(desk).items() if now == first.get(name)} - ONE_CHOICE  # noqa: E731
    desk.until(lambda: not unchanged())
    assert unchanged() == set()
    desk.page.wait_for_timeout(500)
    left = seen(desk)

    def again() -> dict[str, Any]:
        expect(desk.page.locator(f"html[data-ready~={tab}] #{tab}-model")).to_be_visible()
        desk.until(lambda: seen(desk) == left)
        return seen(desk)

    desk.page.reload()
    assert again() == left
    for other in ("中文", "English"):
        desk.page.get_by_role("button", name=other).click()
        expect(desk.page.get_by_role("button", name=other)).to_be_hidden()
    assert again() == left
    desk.go("music" if tab == "chat" else "chat").page.go_back()
    desk.tab = tab
    assert again() == left

    if tab != "image":  # a restart is a restart for all of them
        return
    desk.page.goto("about:blank")
    studio.close()
    for page in gradio.Blocks.get_instances():
        if page.server_port == port:
            page.close(verbose=False)
    serve(demo=True, port=port)
    desk.page.goto(url + f"#{tab}")
    assert again() == left


UNSEEN = {"chat-files"}
"""Fields that are seen once there is something in them."""
ONE_CHOICE = {
    "chat-model",
    "code-model",
    "image-model",
    "music-model",
    "caption-model",
    "caption-other",
    "image-loras",
    "image-upscaler",
    "image-sketch",
    "image-cleaner",
    "image-refiner",
    "image-refiner-at",
    "image-detail-name",
}
"""Lists that hold one thing only, or nothing, with stand-ins; a refiner has its fields where one was there at the
start."""


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """What the fields for files get."""
    import numpy as np
    import soundfile
    from PIL import Image

    picture, sound = tmp_path / "a red square.png", tmp_path / "a tone.wav"
    (source := tmp_path / "other.py").write_text("x = 1\n")
    Image.new("RGB", (96, 96), "red").save(picture)
    soundfile.write(sound, np.sin(np.arange(24_000) / 20) / 4, 24_000)
    steering = {f"image-control-{slot}-picture": picture for slot in (1, 2, 3)}
    steering |= {f"image-reference-{slot}-{part}": picture for slot in (1, 2, 3, 4) for part in ("picture", "mask")}
    return {
        "caption-image": picture, "caption-files": picture, "chat-files": picture, "code-files": source,
        "music-sound": sound, **steering,
    }  # fmt: skip


SHELF = """() => new Promise((done) => {
    const asked = indexedDB.open("atelier", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("files");
    asked.onsuccess = () => {
        const keys = asked.result.transaction("files").objectStore("files").getAllKeys();
        keys.onsuccess = () => { asked.result.close(); done(keys.result.map((key) => key.split("/").pop())); };
    };
})"""
"""The files that the browser keeps."""


def test_a_file_is_kept_for_as_long_as_its_field_holds_it(desk: Desk, files: dict[str, Path]) -> None:
    desk.go("caption").page.locator("#caption-image input[type=file]").set_input_files(files["caption-image"])
    desk.until(lambda: len(desk.page.evaluate(SHELF)) == 1)
    desk.page.goto(desk.page.url.replace("#caption", "#music"))
    desk.page.reload()
    desk.tab = "music"
    expect(desk.page.locator("html[data-ready~=music] #music-model")).to_be_visible()
    desk.fold("hear").find("sound").locator("input[type=file]").set_input_files(files["music-sound"])
    desk.until(lambda: len(desk.page.evaluate(SHELF)) == 2)
    desk.find("sound").get_by_label("Clear").click()
    desk.until(lambda: len(desk.page.evaluate(SHELF)) == 1)
    assert desk.page.evaluate(SHELF) == ["a red square.png"]  # that tab was not even opened


def test_the_picture_to_start_from_is_there_again(desk: Desk, files: dict[str, Path]) -> None:
    desk.go("image").start_from(files["caption-image"])
    desk.page.wait_for_timeout(300)
    desk.page.reload()
    desk.go("image")
    expect(desk.find("picture").get_by_role("button", name="Brush Size")).to_be_visible()
    desk.find("clear").click()
    expect(desk.find("picture").get_by_role("button", name="Brush Size")).to_be_hidden()
    desk.page.wait_for_timeout(300)
    desk.page.reload()
    desk.go("image")
    expect(desk.find("picture").get_by_role("button", name="Brush Size")).to_be_hidden()


def test_a_text_that_the_page_replaced_comes_back(desk: Desk) -> None:
    desk.go("image").type("my own words")
    desk.page.locator("#tab-image [data-try]:visible", has_text="A penguin").click()
    expect(desk.field("prompt")).to_have_value("A penguin")
    desk.page.get_by_role("button", name="Bring back your text").click()
    expect(desk.field("prompt")).to_have_value("my own words")
    desk.idle().page.locator("#tab-image [data-try]:visible", has_text="A sunflower").click()
    expect(desk.page.get_by_role("button", name="Bring back your text")).to_be_visible()
    desk.field("prompt").press("Control+z")
    expect(desk.field("prompt")).to_have_value("my own words")
    expect(desk.page.get_by_role("button", name="Bring back your text")).to_have_count(0)


def test_the_open_tab_is_in_the_address(desk: Desk, visit: Visit, url: str) -> None:
    desk.go("music").go("caption")
    assert desk.page.url.endswith("#caption")
    desk.page.go_back()
    expect(desk.page.locator("#music-model")).to_be_visible()
    desk.page.go_back()
    expect(desk.page.locator("#chat-model")).to_be_visible()
    desk.page.go_forward()
    expect(desk.page.locator("#music-model")).to_be_visible()
    desk.page.reload()
    expect(desk.page.locator("#music-model")).to_be_visible()
    for address, tab in (("#image", "image"), ("#nowhere", "chat")):
        other = desk.page.context.new_page()
        other.goto(url + address)
        expect(other.locator(f"#{tab}-model")).to_be_visible()


def test_what_was_typed_in_the_last_moment_before_a_reload_is_there(desk: Desk) -> None:
    desk.go("image").type("a hill")
    typing = """() => {
      atelier.keep = () => {};  // a busy page: Gradio has not told of it yet
      atelier.type(document.querySelector("#image-prompt textarea"), "another hill");
      location.reload();
    }"""
    desk.page.evaluate(typing)
    expect(desk.page.locator("html[data-ready~=image] #image-model")).to_be_visible()
    expect(desk.field("prompt")).to_have_value("another hill")
