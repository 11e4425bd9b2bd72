"""The caption tab: captions to choose from, and many pictures at once, from the first look to taking it all back."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from PIL import Image, PngImagePlugin
from playwright.sync_api import expect

from e2e.conftest import Serve, Visit, _use
from e2e.desk import PATIENCE, Desk
from studio.service import Studio
from tabs.serve import free_port


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty pictures, two pages of the list; the second has a caption, the fourth cannot be read."""
    root = tmp_path / "pictures"
    root.mkdir()
    for number in range(1, 31):
        Image.new("RGB", (80 + number, 60), (number * 8, 200 - number * 5, 90)).save(root / f"photo {number}.png")
    (root / "photo 2.txt").write_text("my own words\n")
    (root / "photo 4.png").write_bytes(b"no picture")
    return root


def one(desk: Desk, file: Path) -> Desk:
    desk.go("caption").page.locator("#caption-image input[type=file]").set_input_files(file)
    expect(desk.page.locator("#caption-image").get_by_label("Remove")).to_be_visible()
    return desk


def many(desk: Desk, mode: str = "Append") -> Desk:
    desk.go("caption").page.get_by_role("radio", name="Many pictures").click()
    expect(desk.find("mode")).to_be_visible()
    desk.find("mode").get_by_role("radio", name=mode).click()
    return desk


def captions(root: Path) -> dict[str, str]:
    return {file.name: file.read_bytes().decode() for file in root.glob("*.txt")}


def caption(desk: Desk, picture: str):
    return desk.page.get_by_label(f"Caption of {picture}", exact=True)


def picture(path: Path, **texts: str) -> Path:
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    Image.new("RGB", (80, 60), (20, 20, 200)).save(path, pnginfo=info)
    return path


# One picture


def test_of_several_captions_one_is_chosen_and_sent_on(desk: Desk, tmp_path: Path) -> None:
    one(desk, picture(tmp_path / "sky.png")).more()
    desk.find("count").get_by_role("radio", name="4").click()
    desk.type("1", "seed").run().idle()
    options = desk.find("choices").get_by_role("radio")
    expect(options.nth(1)).to_be_visible(timeout=PATIENCE)  # those that are equal are one
    desk.idle()  # the page was still idle when Run had just been pressed
    chosen = desk.find("choices").locator("label").nth(1).inner_text().strip()
    options.nth(1).click()
    expect(options.nth(1)).to_be_checked()
    expect(desk.field("text")).to_have_value(chosen)
    desk.press("Use as mood for music")
    desk.tab = "music"
    expect(desk.field("prompt")).to_have_value(chosen, timeout=PATIENCE)


def test_a_second_model_describes_the_same_picture_beside_the_first(
    studio: Studio, visit: Visit, url: str, tmp_path: Path
) -> None:
    cards = dict(studio.catalog.cards)
    cards["second"] = replace(studio.default_model("caption"), id="second", title="Second captioner")
    _use(studio, replace(studio.catalog, cards=MappingProxyType(cards)))
    desk = one(visit(url), picture(tmp_path / "sky.png")).more()
    desk.choose("other", "Second captioner").run()
    expect(desk.find("other-details")).to_contain_text("Second captioner")
    expect(desk.find("details")).to_contain_text("Demo captioner")
    desk.idle().type("better words", "other-text")
    desk.page.get_by_role("button", name="Take this one").click()
    expect(desk.field("text")).to_have_value("better words")


def test_the_prompt_that_a_picture_carries_is_shown_beside_its_caption(desk: Desk, tmp_path: Path) -> None:
    one(desk, picture(tmp_path / "a.png", parameters="a blue sky\nSteps: 20, Sampler: Euler a, Seed: 1, Size: 80x60"))
    expect(desk.field("own")).to_have_value("a blue sky")
    desk.page.locator("#caption-image").get_by_label("Remove").click()
    expect(desk.find("own")).to_be_hidden()


def test_words_and_style_reach_the_caption(desk: Desk, tmp_path: Path) -> None:
    one(desk, picture(tmp_path / "sky.png")).choose("style", "Tags").more()
    desk.type("zxc", "opening").type("gulls, clouds", "require").type("mostly", "forbid").run().idle()
    expect(desk.field("text")).to_have_value(re.compile("^zxc, .*gulls, clouds$"))


def test_a_file_that_is_no_picture_stays_one_clear_error_after_a_picture_was_sent_from_another_tab(
    desk: Desk, tmp_path: Path
) -> None:
    desk.go("image").paint("hills")
    desk.press("Caption this")
    desk.tab = "caption"
    expect(desk.page.locator("#caption-image img")).to_be_visible()
    desk.page.locator("#caption-image").get_by_label("Remove").click()
    (tmp_path / "note.png").write_text("no picture")
    one(desk, tmp_path / "note.png").run()
    expect(desk.error).to_contain_text("not a picture that can be read")
    expect(desk.page.locator(".toast-body")).to_have_count(0)


# Many pictures


def test_a_folder_is_looked_at_written_edited_and_taken_back(desk: Desk, folder: Path) -> None:
    before = captions(folder)
    many(desk).type(str(folder), "folder").run()
    expect(desk.find("run-line")).to_contain_text("to be written 29, failed 1")
    expect(desk.find("runs").locator("input")).to_have_value(re.compile("to be written 29, failed 1$"))
    expect(caption(desk, "photo 2.png")).to_have_value(re.compile("^my own words, a wide picture"))
    expect(desk.page.locator(".a-row", has_text="photo 2.png").locator(".a-row-before")).to_contain_text("my own words")
    assert captions(folder) == before
    desk.page.get_by_role("button", name="Write these captions").click()
    expect(desk.find("said")).to_contain_text("29 captions written")
    assert len(captions(folder)) == 29
    assert captions(folder)["photo 2.txt"].startswith("my own words, a wide picture")
    desk.page.get_by_role("button", name="Roll back").click()
    expect(desk.find("said")).to_contain_text("29 caption files are what they were")
    assert captions(folder) == before


def test_what_is_typed_is_saved_as_typed_and_never_for_another_picture(desk: Desk, folder: Path) -> None:
    many(desk, "Overwrite").type(str(folder), "folder").find("dry").locator("input").uncheck()
    desk.run()
    expect(desk.find("run-line")).to_contain_text("written 29")
    caption(desk, "photo 1.png").fill("  my dog,\n<b>Bello</b> ")
    expect(desk.find("said")).to_contain_text("Saved: photo 1.png")
    assert captions(folder)["photo 1.txt"] == "  my dog,\n<b>Bello</b> "
    desk.page.get_by_role("button", name="Next").click()
    expect(caption(desk, "photo 26.png")).to_have_value(re.compile("^a wide picture"))
    back = desk.page.get_by_role("button", name="Back", exact=True)
    place = back.bounding_box()
    caption(desk, "photo 27.png").press_sequentially("x")
    expect(desk.find("said")).to_contain_text("Saved: photo 27.png")
    assert back.bounding_box() == place, "it moves under the hand"
    caption(desk, "photo 27.png").press_sequentially("x")
    back.click()  # before the pause is over
    expect(caption(desk, "photo 2.png")).to_have_value(re.compile("^a wide picture"))
    desk.until(lambda: "xx" in captions(folder)["photo 27.txt"])
    assert "xx" in captions(folder)["photo 27.txt"]
    assert sum("x" in text.replace("pixels", "") for text in captions(folder).values()) == 1
    desk.page.get_by_role("button", name="Roll back").click()
    expect(desk.find("said")).to_contain_text("photo 1.png, photo 27.png")
    assert captions(folder)["photo 1.txt"] == "  my dog,\n<b>Bello</b> "


def test_stopped_in_the_middle_a_run_goes_on_later_from_another_visit(
    desk: Desk, visit: Visit, url: str, folder: Path, pace: Callable[[float], None]
) -> None:
    pace(0.01)
    many(desk).type(str(folder), "folder").find("dry").locator("input").uncheck()
    desk.run()
    expect(desk.progress).to_contain_text(re.compile("Picture [3-9] of 30"))
    desk.stop().idle()
    done = {name: text for name, text in captions(folder).items() if "picture" in text}
    assert 2 <= len(done) < 29
    pace(0)
    later = many(visit(url))
    expect(later.find("runs").locator("input")).to_have_value("Choose one")
    later.find("runs").locator("input").click()
    later.page.get_by_role("option").nth(1).click()
    expect(later.find("run-line")).to_contain_text("waiting")
    expect(later.find("runs").locator("input")).to_have_value(re.compile(r"^20\d\d-\d\d-\d\d \d\d:\d\d · .*waiting"))
    later.page.get_by_role("button", name="Go on with the rest").click()
    expect(later.find("run-line")).to_contain_text("written 29, failed 1")
    assert {name: captions(folder)[name] for name in done} == done
    assert captions(folder)["photo 2.txt"].count("my own words") == 1


def test_five_hundred_pictures_in_a_zip_do_not_freeze_the_page(desk: Desk, tmp_path: Path) -> None:
    sent = tmp_path / "many.zip"
    with zipfile.ZipFile(sent, "w") as packed:
        for number in range(500):
            file = io.BytesIO()
            Image.new("RGB", (16 + number % 7, 16), (number % 255, 90, 30)).save(file, "PNG")
            packed.writestr(f"{number}.png", file.getvalue())
    many(desk).find("dry").locator("input").uncheck()
    desk.page.locator("#caption-files input[type=file]").set_input_files(sent)
    expect(desk.find("files")).to_contain_text("many")
    desk.page.evaluate("""() => { window.longest = 0; let last = performance.now(); setInterval(() => {
        const now = performance.now(); window.longest = Math.max(window.longest, now - last); last = now; }, 20); }""")
    desk.run()
    expect(desk.progress).to_contain_text(re.compile(r"Picture \d+ of 500"), timeout=30_000)
    desk.go("music").go("caption")
    expect(desk.find("run-line")).to_contain_text("written 500", timeout=60_000)
    assert desk.page.locator("#caption-list textarea").count() == 25
    assert desk.page.evaluate("window.longest") < 2000, "milliseconds in which the page did nothing"
    with desk.page.expect_download() as download:
        desk.page.get_by_role("button", name="Download zip").click()
    with zipfile.ZipFile(download.value.path()) as packed:
        names = packed.namelist()
        lines = packed.read("metadata.jsonl").splitlines()
    assert len(names) == 1001
    assert json.loads(lines[499]) == {"file_name": "499.png", "text": "a wide picture, mostly red, 18 by 16 pixels"}


def test_strangers_send_a_zip_and_get_one_and_see_no_folders_and_no_runs_of_others(
    serve: Serve, visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "home" / "cache" / "gradio"))
    studio, url = serve(profile="space", demo=True, port=free_port("127.0.0.1", 0))
    first = many(visit(url))
    expect(first.find("folder")).to_be_hidden()
    expect(first.find("recursive")).to_be_hidden()
    first.page.locator("#caption-files input[type=file]").set_input_files(picture(tmp_path / "sky.png"))
    first.run()
    expect(first.find("run-line")).to_contain_text("Sent pictures · Append · to be written 1")
    assert not studio.captions.ids(), "not among the runs that all see"
    with first.page.expect_download() as download:
        first.page.get_by_role("button", name="Download metadata.jsonl").click()
    assert json.loads(Path(download.value.path()).read_text())["file_name"] == "sky.png"
    other = many(visit(url))
    expect(other.find("runs")).to_be_hidden()


def test_nothing_to_caption_is_one_clear_error(desk: Desk, tmp_path: Path) -> None:
    many(desk).run()
    expect(desk.error).to_contain_text("is empty")
    desk.type(str(tmp_path / "nowhere"), "folder").run()
    expect(desk.error).to_contain_text("is no folder")
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    desk.page.locator("#caption-files input[type=file]").set_input_files(tmp_path / "bad.zip")
    expect(desk.find("files")).to_contain_text("bad")
    desk.run()
    expect(desk.error).to_contain_text("not a zip file that can be read safely")


def test_on_a_narrow_screen_no_word_of_the_list_is_broken_and_its_fields_stand_below_each_other(
    visit: Visit, url: str, folder: Path
) -> None:
    for number in range(5, 31):
        (folder / f"photo {number}.png").unlink()
    (folder / "photo 1.png").rename(folder / "a photograph with a name as long as the line.png")
    desk = visit(url, locale="zh-CN", viewport={"width": 390, "height": 900}).go("caption")
    desk.find("what").get_by_role("radio").nth(1).click()
    desk.find("mode").get_by_role("radio").nth(1).click()
    desk.type(str(folder), "folder").run().idle()
    expect(desk.page.locator(".a-row")).to_have_count(4)
    broken = "(all) => all.filter(each => each.getClientRects().length > 1).map(each => each.textContent)"
    assert desk.page.locator(".a-row-state").evaluate_all(broken) == []
    lefts = "(all) => [...new Set(all.map(each => Math.round(each.getBoundingClientRect().left)))]"
    assert len(desk.page.locator(".a-row textarea").evaluate_all(lefts)) == 1
    runs = desk.find("runs").locator("input")
    assert runs.evaluate("(field) => getComputedStyle(field).textOverflow") == "ellipsis"
