"""The image tab: what stands round the prompt, settings out of pictures, and what is still there later."""

import io
from pathlib import Path

from PIL import Image, PngImagePlugin
from playwright.sync_api import expect

from e2e.conftest import Visit
from e2e.desk import Desk
from e2e.test_image import asked
from studio.i18n import text
from studio.service import Studio

A1111 = (
    "a lighthouse, (storm:1.2)\nNegative prompt: people\n"
    "Steps: 12, Sampler: Euler a, CFG scale: 5.5, Seed: 1234, Size: 384x512, Model: someone elses, Zeta: 3"
)


def with_text(file: Path, **texts: str) -> Path:
    info = PngImagePlugin.PngInfo()
    for key, value in texts.items():
        info.add_text(key, value)
    Image.new("RGB", (32, 32), (9, 99, 9)).save(file, pnginfo=info)
    return file


def test_the_counter_says_what_is_not_read(desk: Desk) -> None:
    desk.go("image").type("three little words")
    expect(desk.find("tokens")).to_contain_text("3 of 75")
    desk.type("word " * 75 + "lost at the end")
    expect(desk.find("tokens")).to_contain_text("not read: lost at the end")


def test_a_style_and_a_wildcard_are_filled_in_and_the_picture_says_what_was_painted(desk: Desk, studio: Studio) -> None:
    desk.go("image").choose("styles", "ink").type("7", "seed").paint("a __animal__ {at dawn|at dawn}")
    assert asked(studio).styles == ("ink",)
    expect(desk.details).to_contain_text("at dawn")
    expect(desk.details).not_to_contain_text("__")
    desk.page.reload()
    desk.go("image")
    expect(desk.find("styles")).to_contain_text("ink")
    expect(desk.field("seed")).to_have_value("7")


def test_earlier_prompts_come_back_by_list_and_by_keys(desk: Desk) -> None:
    desk.go("image").paint("the first idea")
    desk.paint("the second idea")
    desk.type("half an id")
    desk.field("prompt").press("Alt+ArrowUp")
    expect(desk.field("prompt")).to_have_value("the second idea")
    desk.field("prompt").press("Alt+ArrowUp")
    expect(desk.field("prompt")).to_have_value("the first idea")
    for _ in range(2):
        desk.field("prompt").press("Alt+ArrowDown")
    expect(desk.field("prompt")).to_have_value("half an id")
    desk.choose("history", "the first idea")
    expect(desk.field("prompt")).to_have_value("the first idea")


def test_control_and_the_arrows_weigh_a_word(desk: Desk) -> None:
    prompt = desk.go("image").type("a red house").field("prompt")
    prompt.evaluate("(area) => area.setSelectionRange(2, 5)")
    for keys, expected in (
        ("Control+ArrowUp", "a (red:1.1) house"),
        ("Control+ArrowUp", "a (red:1.2) house"),
        ("Control+ArrowDown", "a (red:1.1) house"),
        ("Control+ArrowDown", "a red house"),
    ):
        prompt.press(keys)
        expect(prompt).to_have_value(expected)


def test_a_picture_of_another_program_fills_the_fields(desk: Desk, studio: Studio, tmp_path: Path) -> None:
    desk.go("image").fold("more").type("0.5", "variation")
    desk.drop(with_text(tmp_path / "theirs.png", parameters=A1111), "prompt")
    said = desk.find("restored")
    expect(said).to_contain_text("AUTOMATIC1111")
    expect(said).to_contain_text("someone elses, which is not on this machine")
    expect(said).to_contain_text("Zeta")
    for name, value in (
        ("prompt", "a lighthouse, (storm:1.2)"), ("negative-prompt", "people"), ("steps", "12"),
        ("guidance-scale", "5.5"), ("seed", "1234"), ("width", "384"), ("height", "512"), ("variation", ""),
    ):  # fmt: skip
        expect(desk.field(name)).to_have_value(value)
    desk.page.reload()
    expect(desk.go("image").field("steps")).to_have_value("12")
    expect(desk.field("variation")).to_have_value("")
    desk.painted()
    assert (asked(studio).width, asked(studio).scheduler, asked(studio).seed) == (384, "Euler a", 1234)


def test_our_own_picture_makes_itself_again(desk: Desk, studio: Studio, tmp_path: Path) -> None:
    desk.go("image").type("77", "seed").shape("3:4")
    desk.fold("more").type("9", "steps").paint("a quiet harbour")
    first = desk.bytes_of(desk.pictures.first)
    file = tmp_path / "ours.png"
    file.write_bytes(first)
    desk.type("something else").type("", "seed").type("", "steps").shape("Square")
    desk.find("restore").locator("xpath=..").locator("input[type=file]").set_input_files(file)
    expect(desk.find("restored")).to_contain_text("Demo painter")
    expect(desk.field("prompt")).to_have_value("a quiet harbour")
    expect(desk.field("seed")).to_have_value("77")
    expect(desk.find("shape").get_by_role("radio", name="3:4", exact=True)).to_be_checked()
    desk.painted()
    again = Image.open(io.BytesIO(desk.bytes_of(desk.pictures.first)))
    assert again.tobytes() == Image.open(io.BytesIO(first)).tobytes()
    before = desk.pictures.first.get_attribute("src") or ""
    desk.press("Make again")
    expect(desk.pictures.first).not_to_have_attribute("src", before)
    expect(desk.find("compared")).to_contain_text("the same pixels")


def test_a_damaged_picture_changes_nothing(desk: Desk, tmp_path: Path) -> None:
    desk.go("image").type("keep me").type("5", "seed")
    for file in (
        with_text(tmp_path / "cut.png", recipe='{"format": "atelier/1", "task": "ima'),
        with_text(tmp_path / "bare.png"),
    ):
        desk.drop(file, "prompt")
        expect(desk.find("restored").locator("[role=alert]")).to_have_count(1)
        expect(desk.field("prompt")).to_have_value("keep me")
        expect(desk.field("seed")).to_have_value("5")
    expect(desk.page.locator(".toast-body")).to_have_count(0)


def test_a_pasted_text_of_settings_is_read(desk: Desk) -> None:
    desk.go("image").type("just words")
    expect(desk.find("read")).to_be_hidden()
    desk.type(A1111)
    desk.find("read").click()
    expect(desk.field("prompt")).to_have_value("a lighthouse, (storm:1.2)")
    expect(desk.field("seed")).to_have_value("1234")
    expect(desk.find("read")).to_be_hidden()


def test_recent_pictures_are_there_and_give_their_settings_back(desk: Desk) -> None:
    desk.go("image").type("31", "seed").paint("an old mill")
    desk.type("something new").type("", "seed").fold("recent")
    small = desk.find("recent-gallery").locator("img")
    expect(small.first).to_be_visible()
    small.first.click()
    desk.find("recent-restore").click()
    expect(desk.field("prompt")).to_have_value("an old mill")
    expect(desk.field("seed")).to_have_value("31")


def test_choices_and_numbers_are_still_there_after_a_reload(desk: Desk) -> None:
    desk.go("image").fold("more").type("11", "steps").choose("scheduler", "Heun").shape("16:9")
    expect(desk.find("size")).to_contain_text("680 × 384")
    desk.page.reload()
    desk.go("image")
    expect(desk.field("steps")).to_be_visible()
    expect(desk.field("steps")).to_have_value("11")
    expect(desk.field("scheduler")).to_have_value("Heun")
    expect(desk.find("shape").get_by_role("radio", name="16:9", exact=True)).to_be_checked()
    expect(desk.find("size")).to_contain_text("680 × 384")


def test_all_of_it_is_in_chinese_too(visit: Visit, url: str) -> None:
    desk = visit(url, locale="zh-CN").go("image")
    expect(desk.find("more-fold")).to_contain_text(text("image.fold_sampling", "zh-CN"))
    expect(desk.find("size")).to_contain_text("像素")
