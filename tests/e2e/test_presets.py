"""Presets of a tab: saved, renamed, replaced, deleted and had back, over a reload and a restart, by keyboard alone."""

from __future__ import annotations

import re

import gradio
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from e2e.conftest import Serve, Visit
from e2e.desk import PATIENCE, Desk, Tab
from e2e.test_axe import BAD
from studio.library.presets import Preset
from studio.service import Studio
from tabs.serve import free_port


def shown(desk: Desk) -> dict[str, str]:
    return {name: desk.field(name).input_value() for name in ("steps", "guidance-scale", "negative-prompt")}


def test_a_preset_with_its_picture_is_there_after_a_restart(visit: Visit, serve: Serve) -> None:
    port = free_port("127.0.0.1", 0)
    studio, url = serve(demo=True, port=port)
    desk = visit(url).go("image")
    desk.fold("more").fold("presets").type("3", "steps").type("blur", "negative-prompt").type("2", "guidance-scale")
    desk.type("77", "seed").shape("3:4").paint("a hill")
    desk.field("preset").fill("Dusk <b>&</b>")
    desk.find("preset-save").click()
    expect(desk.find("preset-told")).to_contain_text("Saved as “Dusk <b>&</b>”.")
    card = desk.find("preset-cards").get_by_role("button", name="Dusk <b>&</b>")
    expect(card.locator("img")).to_be_visible()
    desk.type("9", "steps").type("", "negative-prompt").type("5", "seed").shape("16:9").type("another hill")

    desk.page.reload()
    expect(desk.page.locator("html[data-ready~=image] #image-model")).to_be_visible(timeout=PATIENCE)
    desk.choose("preset", "Dusk <b>&</b>")
    expect(desk.field("steps")).to_have_value("3")
    assert shown(desk) == {"steps": "3", "guidance-scale": "2", "negative-prompt": "blur"}
    assert (desk.field("prompt").input_value(), desk.field("seed").input_value()) == ("another hill", "5")
    expect(desk.find("shape").get_by_role("radio", name="3:4", exact=True)).to_be_checked()

    studio.close()
    for page in gradio.Blocks.get_instances():
        if page.server_port == port:
            page.close(verbose=False)
    serve(demo=True, port=port)
    again = visit(url).go("image").fold("more").fold("presets")  # in another browser
    again.find("preset-cards").get_by_role("button", name="Dusk <b>&</b>").click()
    expect(again.field("steps")).to_have_value("3")
    expect(again.field("preset")).to_have_value("Dusk <b>&</b>")


@pytest.mark.parametrize(("tab", "fold", "field"), [
    ("image", "more", "steps"), ("music", "more", "top-k"), ("code", "more", "top-p"),
    ("caption", "more", "max-tokens"),
])  # fmt: skip
def test_by_keyboard_alone(desk: Desk, studio: Studio, tab: Tab, fold: str, field: str) -> None:
    keys, kept = desk.page.keyboard, studio.presets[tab]
    desk.go(tab).fold(fold).fold("presets").type("0.5" if field == "top-p" else "5", field)
    typed = desk.field(field).input_value()
    desk.field("preset").focus()
    keys.type("Mine")
    keys.press("Tab")
    expect(desk.find("preset-save")).to_be_focused()
    keys.press("Enter")
    expect(desk.find("preset-told")).to_contain_text("Saved as “Mine”.")
    desk.type("", field).field("preset").focus()
    keys.press("Control+a")
    keys.type("Yours")
    keys.press("Tab")
    keys.press("Tab")
    expect(desk.find("preset-rename")).to_be_focused()
    keys.press("Enter")
    expect(desk.find("preset-told")).to_contain_text("It is called “Yours” now.")
    assert [preset.name for preset in kept.all()] == ["Yours"]
    keys.press("Tab")
    expect(desk.find("preset-delete")).to_be_focused()
    keys.press("Enter")
    expect(desk.find("preset-told")).to_contain_text("“Yours” was deleted.")
    assert kept.all() == ()
    keys.press("Tab")
    expect(desk.find("preset-undo")).to_be_focused()
    keys.press("Enter")
    expect(desk.find("preset-told")).to_contain_text("As it was before.")
    expect(desk.field("preset")).to_be_focused()
    assert [preset.name for preset in kept.all()] == ["Yours"]
    expect(desk.field(field)).to_have_value("")
    desk.page.reload()
    expect(desk.page.locator(f"html[data-ready~={tab}] #{tab}-model")).to_be_visible(timeout=PATIENCE)
    desk.field("preset").focus()
    keys.type("Your")
    keys.press("ArrowDown")
    keys.press("Enter")
    expect(desk.field(field)).to_have_value(typed)
    kept.delete("Yours")


def test_saved_under_a_name_that_is_there_it_is_replaced_and_had_back(desk: Desk, studio: Studio) -> None:
    kept = studio.presets["music"]
    kept.save(Preset("Mine", {"top_k": 7, "model": "gone"}))
    desk.page.reload()
    desk.go("music").fold("more").fold("presets")
    desk.choose("preset", "Mine")
    expect(desk.field("top-k")).to_have_value("7")
    expect(desk.find("preset-told")).to_contain_text("gone is not on this machine; the model stays as chosen.")
    desk.type("8", "top-k").find("preset-save").click()
    expect(desk.find("preset-told")).to_contain_text("“Mine” was replaced.")
    assert kept.all()[0].values["top_k"] == 8
    desk.find("preset-undo").click()
    expect(desk.find("preset-told")).to_contain_text("As it was before.")
    assert dict(kept.all()[0].values) == {"top_k": 7, "model": "gone"}
    kept.delete("Mine")


def test_a_damaged_file_is_told_of(desk: Desk, studio: Studio) -> None:
    file = studio.home.presets("caption")
    file.write_text('{"Mine": {')
    desk.page.reload()
    desk.go("caption").fold("presets")
    expect(desk.find("preset-told")).to_contain_text("caption-presets.json cannot be understood")
    desk.field("preset").fill("Other")
    desk.find("preset-save").click()
    expect(desk.find("preset-told").get_by_role("alert")).to_be_visible()
    assert file.read_text() == '{"Mine": {'
    file.unlink()


def test_on_a_phone_and_for_axe(visit: Visit, url: str, studio: Studio) -> None:
    desk = visit(url, viewport={"width": 420, "height": 860}).go("image")
    desk.fold("presets").paint("a hill")
    for name in ("First", "A name that is about as long as a preset's name may be"):
        desk.field("preset").fill(name)
        desk.find("preset-save").click()
        expect(desk.find("preset-told")).to_contain_text(name)
    wrong = Axe().run(desk.page).response["violations"]
    assert [one["id"] for one in wrong if one["impact"] in BAD] == []
    assert desk.page.evaluate("document.documentElement.scrollWidth") <= 420
    for name in ("preset", "preset-save", "preset-rename", "preset-delete", "preset-undo"):
        box = desk.find(name).bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 420, name
    for preset in studio.presets["image"].all():
        studio.presets["image"].delete(preset.name)


def test_earlier_words_of_pieces_are_walked_through_over_a_reload(desk: Desk) -> None:
    desk.go("music").fold("more").type("1", "duration").type("loud drums", "negative-prompt").compose("first calm", 1)
    desk.type("", "negative-prompt").compose("then storm", 2)
    desk.page.reload()
    expect(desk.page.locator("html[data-ready~=music] #music-model")).to_be_visible(timeout=PATIENCE)
    desk.type("a draft").field("prompt").focus()
    for key, words in (("Up", "then storm"), ("Up", "first calm"), ("Down", "then storm"), ("Down", "a draft")):
        desk.page.keyboard.press(f"Alt+Arrow{key}")
        expect(desk.field("prompt")).to_have_value(words)
    desk.field("negative-prompt").focus()
    desk.page.keyboard.press("Alt+ArrowUp")
    expect(desk.field("negative-prompt")).to_have_value("loud drums")
    expect(desk.field("prompt")).to_have_value("a draft")
    desk.page.keyboard.press("Control+ArrowUp")
    expect(desk.field("negative-prompt")).to_have_value("loud drums")


def test_what_was_deleted_is_no_more_in_the_list(desk: Desk, studio: Studio) -> None:
    kept = studio.presets["music"]
    for name in ("Mine", "Yours"):
        kept.save(Preset(name, {"top_k": 7}))
    desk.page.reload()
    broken: list[str] = []
    desk.page.on("pageerror", lambda error: broken.append(str(error)))
    desk.go("music").fold("presets")
    shown = desk.page.get_by_role("option").filter(visible=True)
    desk.field("preset").click()
    expect(shown).to_have_text([re.compile(one) for one in ("The model's own", "Mine", "Yours")])
    desk.page.keyboard.press("Tab")
    for name, left in (("Yours", ["The model's own", "Mine"]), ("Mine", ["The model's own"])):
        desk.choose("preset", name)
        desk.find("preset-delete").click()
        expect(desk.find("preset-told")).to_contain_text(f"“{name}” was deleted.")
        desk.field("preset").click()
        expect(shown).to_have_text([re.compile(one) for one in left])
        desk.page.keyboard.press("Tab")
    assert broken == []
    desk.find("preset-undo").click()
    expect(desk.find("preset-told")).to_contain_text("As it was before.")
    desk.field("preset").click()
    expect(shown).to_have_text([re.compile(one) for one in ("The model's own", "Mine")])
    kept.delete("Mine")
