"""Pictures and texts that come with a message: attached, dropped, pasted, sent, seen again."""

import base64
from dataclasses import replace
from pathlib import Path

import pytest
from media import pdf_files
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Visit
from e2e.desk import Desk
from studio.media import pdf
from studio.service import Studio

GIVE = """([selector, kind, name, data, type, words]) => {
    const carried = new DataTransfer();
    if (name) carried.items.add(new File([Uint8Array.from(atob(data), (c) => c.charCodeAt(0))], name, { type }));
    if (words) carried.setData("text/plain", words);
    const how = { bubbles: true, cancelable: true, [kind === "paste" ? "clipboardData" : "dataTransfer"]: carried };
    const event = kind === "paste" ? new ClipboardEvent(kind, how) : new DragEvent(kind, how);
    document.querySelector(selector).dispatchEvent(event);
}"""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    file = tmp_path / "cat.png"
    Image.new("RGB", (40, 30), "red").save(file)
    return file


def attached(desk: Desk, count: int) -> None:
    expect(desk.find("files").locator(".file-preview tr")).to_have_count(count)


def test_a_picture_and_a_text_are_sent_shown_and_there_again(
    desk: Desk, studio: Studio, url: str, visit: Visit, picture: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("# One\n<script>alert(1)</script>\n", encoding="utf-8")
    with desk.page.expect_file_chooser() as chooser:
        desk.find("attach").click()
    chooser.value.set_files([picture, notes])
    attached(desk, 2)
    desk.type("What is this?")
    expect(desk.page.locator("#chat-tokens")).to_contain_text("without pictures")
    desk.run()
    expect(desk.answers.last).to_contain_text("cat.png, a picture of 40 by 30")
    expect(desk.answers.last).to_contain_text("notes.md, 2 lines")
    desk.idle()
    attached(desk, 0)
    again = visit(url, desk.page.context)
    shown = again.page.locator("#chat-said .a-shown")
    expect(shown).to_have_attribute("alt", "cat.png")
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40
    again.page.locator("#chat-said .a-file summary").click()
    expect(again.page.locator("#chat-said .a-file pre")).to_contain_text("<script>alert(1)</script>")
    name, text = (again.page.locator(f"#chat-said .a-file {part}").bounding_box() for part in ("summary", "pre"))
    assert name
    assert text
    assert name["y"] + name["height"] <= text["y"], "the text stands under its name"
    again.page.get_by_label("Undo").click()
    attached(again, 2)
    expect(again.field("prompt")).to_have_value("What is this?")
    assert studio.chats.list()


def test_files_are_dropped_and_pasted_and_a_long_text_becomes_one(desk: Desk, picture: Path) -> None:
    data = base64.b64encode(picture.read_bytes()).decode()
    talk = desk.page.locator(".a-talk")
    desk.page.evaluate(GIVE, [".a-talk", "dragover", "a.png", data, "image/png", ""])
    expect(talk).to_contain_class("a-dropping")
    desk.page.evaluate(GIVE, ["#chat-sidebar", "dragover", "a.png", data, "image/png", ""])
    expect(talk).not_to_contain_class("a-dropping")
    desk.page.evaluate(GIVE, [".a-talk", "dragover", "", "", "", "only words"])
    expect(talk).not_to_contain_class("a-dropping")
    desk.page.evaluate(GIVE, [".a-talk", "drop", "a.png", data, "image/png", ""])
    attached(desk, 1)
    desk.page.evaluate(GIVE, ["#chat-prompt textarea", "paste", "b.png", data, "image/png", ""])
    attached(desk, 2)
    desk.page.evaluate(GIVE, ["#chat-prompt textarea", "paste", "", "", "", "short"])
    desk.page.evaluate(GIVE, ["#chat-prompt textarea", "paste", "", "", "", "word " * 2000])
    attached(desk, 3)
    expect(desk.field("prompt")).to_have_value("")
    desk.run()
    expect(desk.answers.last).to_contain_text("pasted.txt, 1 lines")
    desk.idle()


def test_a_pdf_is_read_and_one_that_was_cut_says_so(
    desk: Desk, studio: Studio, url: str, visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = base64.b64encode(pdf_files.typeset(["The fox", "The snow"])).decode()
    desk.page.evaluate(GIVE, [".a-talk", "drop", "tale.pdf", data, "application/pdf", ""])
    attached(desk, 1)
    desk.type("Who?").run()
    expect(desk.answers.last).to_contain_text("tale.pdf, 5 lines")
    desk.idle()
    desk.page.locator("#chat-said .a-file summary").click()
    expect(desk.page.locator("#chat-said .a-file pre")).to_have_text("[Page 1]\nThe fox\n\n[Page 2]\nThe snow")
    monkeypatch.setattr(pdf, "PAGES", 1)
    long = tmp_path / "long.pdf"
    long.write_bytes(pdf_files.typeset(["One", "Two", "Three"]))
    desk.find("files").locator("input[type=file]").first.set_input_files(long)
    attached(desk, 1)
    desk.type("And?").run()
    desk.idle()
    expect(desk.page.locator("#chat-said")).to_contain_text("Of “long.pdf”, 1 of 3 pages were read")
    again = visit(url, desk.page.context)
    expect(again.page.locator("#chat-said")).to_contain_text("Of “long.pdf”, 1 of 3 pages were read")


def test_a_locked_pdf_stays_and_says_what_to_do(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "secret.pdf"
    file.write_bytes(pdf_files.locked("secret"))
    desk.find("files").locator("input[type=file]").first.set_input_files(file)
    attached(desk, 1)
    desk.type("Hi").run()
    expect(desk.error).to_contain_text("“secret.pdf” is locked with a password")
    attached(desk, 1)


def test_what_is_neither_is_refused_and_stays_to_be_taken_away(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "thing.bin"
    file.write_bytes(bytes(range(256)))
    desk.find("files").locator("input[type=file]").first.set_input_files(file)
    attached(desk, 1)
    desk.type("Hi").run()
    expect(desk.error).to_contain_text("thing.bin” is neither a picture nor a text")
    expect(desk.field("prompt")).to_have_value("Hi")


def test_a_model_that_cannot_see_offers_one_that_can(
    desk: Desk, studio: Studio, monkeypatch: pytest.MonkeyPatch, picture: Path
) -> None:
    able = studio.default_model("chat")
    blind = replace(able, id="blind", title="Blind", options={**able.options, "sees": False})
    monkeypatch.setattr(studio.catalog, "cards", {**studio.catalog.cards, "blind": blind})
    desk.page.evaluate("() => document.getElementById('chat-listed').click()")
    desk.choose("model", "Blind · ready")
    desk.find("files").locator("input[type=file]").first.set_input_files(picture)
    attached(desk, 1)
    desk.type("See").run()
    expect(desk.error).to_contain_text("Blind does not read pictures")
    desk.page.get_by_role("button", name="Use Demo chat").click()
    expect(desk.find("model").locator("input")).to_have_value("Demo chat · ready")
    desk.run()
    expect(desk.answers.last).to_contain_text("cat.png")
    desk.idle()
