"""Whatever is typed or uploaded: one clear message in its tab, nothing lost, and the page goes on."""

import re
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Serve, Visit
from e2e.desk import Desk, Tab


@pytest.mark.parametrize(("tab", "field"), [("image", "steps"), ("music", "duration"), ("chat", "temperature")])
def test_a_number_that_is_none_is_refused_in_one_message(desk: Desk, tab: Tab, field: str) -> None:
    desk.go(tab).type("hills")
    if tab != "music":
        desk.more()
    for wrong in ("abc", "-3", "1e9", "NaN", "inf"):
        desk.type(wrong, field).run()
        expect(desk.error).to_contain_text("number" if wrong in ("abc", "NaN") else "")
        expect(desk.error).to_have_count(1)
        expect(desk.field(field)).to_have_value(wrong)
        expect(desk.field("prompt")).to_have_value("hills")
        desk.idle()
    expect(desk.page.locator(".toast-body")).to_have_count(0)
    desk.type("", field).run()
    expect(desk.error).to_have_count(0)


@pytest.mark.parametrize("tab", ["chat", "image", "caption"])
def test_an_empty_request_is_refused(desk: Desk, tab: Tab) -> None:
    desk.go(tab).run()
    expect(desk.error).to_have_count(1)
    expect(desk.error).to_contain_text("is empty")
    desk.idle()


def test_a_prompt_of_a_million_letters_is_refused_and_kept(desk: Desk) -> None:
    long = "long " * 200_000
    for tab in ("image", "chat"):
        desk.go(tab).type(long).run()
        expect(desk.error).to_contain_text("characters; at most")
        assert len(desk.field("prompt").input_value()) == len(long)
        desk.type("short").run()
        expect(desk.error).to_have_count(0)


def test_a_picture_is_described(desk: Desk, tmp_path: Path) -> None:
    _describe(desk, _picture(tmp_path / "sky.png"))
    expect(desk.field("text")).to_have_value("a wide picture, mostly blue, 80 by 60 pixels")
    expect(desk.find("details")).to_contain_text("Demo captioner")


def test_text_with_the_name_of_a_picture_is_refused(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "note.png"
    file.write_text("not a picture")
    _describe(desk, file)
    expect(desk.error).to_contain_text("not a picture that can be read")
    _goes_on(desk, tmp_path)


def test_a_picture_of_twenty_thousand_pixels_square_is_refused(desk: Desk, tmp_path: Path) -> None:
    _describe(desk, _huge(tmp_path / "huge.png", 20_000))
    expect(desk.error).to_contain_text("20000 × 20000 pixels")
    _goes_on(desk, tmp_path)


def test_a_model_that_is_not_here_says_what_it_is_and_offers_its_download(serve: Serve, visit: Visit) -> None:
    _, url = serve(offline=True)
    desk = visit(url).go("image")
    expect(desk.field("model")).to_have_value(re.compile("MB.*not downloaded"))
    expect(desk.page.locator("#tab-image .a-about.prose")).to_contain_text("Apache-2.0")
    download = desk.find("download")
    download.click()
    alert = desk.page.locator(".a-picker:visible [role=alert]")
    expect(alert).to_contain_text("keeps the studio off the network")
    expect(alert).to_have_count(1)
    expect(download).to_be_visible()
    desk.type("hills").run()
    expect(desk.error).to_contain_text("is not on this machine")
    desk.idle()
    expect(desk.page.locator(".toast-body")).to_have_count(0)


def _describe(desk: Desk, file: Path) -> None:
    desk.go("caption").page.locator("#caption-image input[type=file]").set_input_files(file)
    expect(desk.page.locator("#caption-image").get_by_label("Remove")).to_be_visible()
    desk.run()


def _goes_on(desk: Desk, folder: Path) -> None:
    expect(desk.error).to_have_count(1)
    expect(desk.page.locator(".toast-body")).to_have_count(0)
    desk.idle().page.locator("#caption-image").get_by_label("Remove").click()
    _describe(desk, _picture(folder / "good.png"))
    expect(desk.field("text")).to_have_value("a wide picture, mostly blue, 80 by 60 pixels")
    expect(desk.error).to_have_count(0)


def _picture(file: Path) -> Path:
    Image.new("RGB", (80, 60), (20, 20, 200)).save(file)
    return file


def _huge(file: Path, side: int) -> Path:
    """A valid picture of one colour, a few hundred kilobytes on disk."""
    line = b"\0" + bytes(side // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b""))
    return file
