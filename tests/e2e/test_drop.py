"""A file that was made here, dropped where nothing else takes it: the right tab opens, filled in."""

from __future__ import annotations

import base64
import mimetypes
from pathlib import Path

from playwright.sync_api import expect

from e2e.conftest import Serve, Visit
from e2e.desk import Desk
from e2e.test_library import fill
from studio.requests import ImageRequest, MusicRequest
from tabs.serve import free_port

SLOW = 20_000
"""Milliseconds until a tab that is opened for the first time is filled in."""


def drop(desk: Desk, data: bytes, name: str, on: str = "header, #tabs") -> None:
    desk.page.evaluate(
        """([data, name, type, on]) => {
          const bytes = Uint8Array.from(atob(data), (sign) => sign.charCodeAt(0)), carried = new DataTransfer();
          carried.items.add(new File([bytes], name, { type }));
          for (const what of ["dragover", "drop"])
            document.querySelector(on).dispatchEvent(
              new DragEvent(what, { bubbles: true, cancelable: true, dataTransfer: carried }));
        }""",
        [base64.b64encode(data).decode(), name, mimetypes.guess_type(name)[0] or "", on],
    )


def file_of(root: Path, task: str, suffix: str) -> Path:
    return next((root / task).rglob(f"*{suffix}"))


def test_every_kind_of_file_opens_its_tab_from_any_other(visit: Visit, serve: Serve) -> None:
    studio, url = serve(demo=True)
    fill(studio)
    root, desk = studio.home.outputs, visit(url)
    line = desk.page.locator("#a-dropped")

    drop(desk, file_of(root, "image", ".png").read_bytes(), "from a friend.png")
    desk.tab = "image"
    expect(desk.field("prompt")).to_have_value("a red hill", timeout=SLOW)
    expect(desk.field("seed")).to_have_value("7")
    expect(line).to_contain_text("from a friend.png")

    drop(desk, file_of(root, "music", ".wav").read_bytes(), "a.wav", "#tabs")
    desk.tab = "music"
    expect(desk.field("prompt")).to_have_value("a slow waltz", timeout=SLOW)

    drop(desk, file_of(root, "caption", ".txt").read_bytes(), "a.txt", "#tabs")
    desk.tab = "caption"
    expect(desk.field("text")).not_to_have_value("", timeout=SLOW)
    expect(desk.page.locator("#caption-image img")).to_be_visible()

    drop(desk, file_of(root, "code", ".py").read_bytes(), "a.py", "#tabs")
    desk.tab = "code"
    expect(desk.page.locator("#code-editor .cm-content")).to_contain_text("def area(r):", timeout=SLOW)
    drop(desk, b"fn main() {}\n", "main.rs", "#tabs")
    expect(desk.page.locator("#code-editor .cm-content")).to_contain_text("fn main()")

    (chat,) = studio.chats.list()
    drop(desk, studio.chats.export_json(chat.id).encode(), "talk.json", "#tabs")
    expect(desk.page.locator("#chat-talk")).to_contain_text("Why is the sky blue?", timeout=SLOW)

    drop(desk, b"MZ\0\0", "<b>setup.exe", "#tabs")
    expect(line).to_contain_text("<b>setup.exe does not say how it was made")


def test_a_file_of_another_studio_is_restored_by_what_is_in_it(visit: Visit, serve: Serve) -> None:
    other, _ = serve(demo=True)
    for request in (ImageRequest(prompt="a blue hill", seed=3, steps=5), MusicRequest(prompt="a jig", duration=2)):
        list(other.submit(request).events())
    files = [next(path for path in other.home.outputs.rglob("*") if path.suffix == end) for end in (".png", ".wav")]
    _, url = serve(demo=True, home=other.home.outputs.parent.parent / "second")
    desk = visit(url)
    for tab, file, words in zip(("image", "music"), files, ("a blue hill", "a jig"), strict=True):
        drop(desk, file.read_bytes(), file.name, "#tabs")
        desk.tab = tab
        expect(desk.field("prompt")).to_have_value(words, timeout=SLOW)


def test_where_nothing_is_kept_the_tabs_read_the_file_themselves(visit: Visit, serve: Serve) -> None:
    other, _ = serve(demo=True)
    list(other.submit(ImageRequest(prompt="a blue hill", seed=3, steps=5)).events())
    (file,) = other.home.outputs.rglob("*.png")
    _, url = serve(
        demo=True, profile="space", port=free_port("127.0.0.1", 0), home=other.home.outputs.parent.parent / "second"
    )
    desk = visit(url)
    drop(desk, file.read_bytes(), file.name, "#tabs")
    desk.tab = "image"
    expect(desk.field("prompt")).to_have_value("a blue hill", timeout=SLOW)
    drop(desk, b"words", "a.txt", "#tabs")
    expect(desk.page.locator("#a-dropped")).to_contain_text("a.txt does not say how it was made")
