"""What a person does at the page, in the words of the tests."""

from __future__ import annotations

import mimetypes
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urljoin

from playwright.sync_api import Locator, Page, expect

PATIENCE = 60_000.0
"""Milliseconds that a real model may take on a machine that is busy with something else."""

TAKEN_UP = "performance.getEntriesByType('resource').some(one => one.name.includes('/queue/data'))"
"""Whether the page has asked for what it has to take up again: the stream that brought it is over."""

Tab = Literal["chat", "image", "music", "code", "caption"]
TABS: tuple[Tab, ...] = ("chat", "image", "music", "code", "caption")


@dataclass
class Desk:
    """One open page."""

    page: Page
    tab: Tab = "chat"

    @classmethod
    def open(cls, page: Page, url: str, settled: bool = True) -> Self:
        """Go to the page; `settled`: wait until it has asked for what it has to take up again."""
        page.goto(url)
        page.wait_for_selector("html[data-ready~=chat] #chat-prompt textarea")
        if settled:
            page.wait_for_function(TAKEN_UP, polling=50)
        return cls(page)

    def go(self, tab: Tab) -> Self:
        """Click a tab's name."""
        self.page.locator("#tabs > .tab-wrapper [role=tab]:visible").nth(TABS.index(tab)).click()
        self.tab = tab
        expect(self.page.locator(f"html[data-ready~={tab}] #{tab}-model")).to_be_visible()
        return self

    def find(self, name: str) -> Locator:
        """A part of the open tab by its name: "prompt" is #image-prompt on the image tab."""
        return self.page.locator(f"#{self.tab}-{name}")

    def field(self, name: str) -> Locator:
        """A text field of the open tab."""
        return self.find(name).locator("textarea, input").first

    def type(self, text: str, name: str = "prompt") -> Self:
        """Type into a field, again where the page had just drawn it and emptied it once more."""
        for _ in range(10):
            self.field(name).fill(text)
            self.page.wait_for_timeout(100)
            if self.field(name).input_value() == text:
                break
        return self

    def more(self) -> Self:
        """Open the tab's further settings, or close them."""
        return self.fold("more")

    def fold(self, name: str) -> Self:
        """Open a part of the tab, or close it."""
        self.find(f"{name}-fold").click()
        return self

    def unfold(self) -> Self:
        """Open all parts of the tab in which something is set."""
        folded = self.page.locator(f"#tab-{self.tab} .a-fold-button[aria-expanded=false]:visible")
        for id in [button.get_attribute("id") for button in folded.all()]:
            if not (id or "").endswith("-recent-fold"):
                self.page.locator(f"#{id}").click()
        return self

    def run(self) -> Self:
        """Press the run button, and see the tab at work or done."""
        self.find("run").click()
        return self

    def stop(self) -> Self:
        self.find("stop").click()
        return self

    def press(self, name: str) -> Self:
        """Press what stands in a menu under the result."""
        menus = self.page.locator(f"#tab-{self.tab} .a-menu")
        menu = menus.filter(has=self.page.get_by_role("button", name=name, include_hidden=True))
        menu.locator(".a-menu-button").click()
        menu.get_by_role("button", name=name).click()
        return self

    @property
    def progress(self) -> Locator:
        return self.find("progress")

    @property
    def error(self) -> Locator:
        """The error shown in the open tab."""
        return self.progress.locator("[role=alert]")

    def until(self, condition: Callable[[], bool], seconds: float = 10) -> Self:
        """Wait for something that the page does not show; the caller asserts it."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self.page.wait_for_timeout(40)
        return self

    def idle(self) -> Self:
        """Wait until the open tab can run again."""
        expect(self.find("run")).to_be_visible(timeout=PATIENCE)
        expect(self.find("stop")).to_be_hidden()
        return self

    # ---- image

    @property
    def pictures(self) -> Locator:
        """What the gallery shows."""
        return self.page.locator("#image-gallery .grid-wrap img")

    @property
    def details(self) -> Locator:
        return self.find("details")

    def paint(self, words: str, count: int = 1) -> Self:
        """Type a prompt, run, and wait until so many pictures are there."""
        return self.type(words).painted(count)

    def painted(self, count: int = 1) -> Self:
        """Run and wait until so many pictures are there that were not there before."""
        before = self.pictures.first.get_attribute("src") if self.pictures.count() else ""
        self.run()
        expect(self.pictures).to_have_count(count, timeout=PATIENCE)
        expect(self.pictures.first).not_to_have_attribute("src", before or "")
        return self.idle()

    def choose(self, name: str, *options: str) -> Self:
        """Choose in a list by what its entries are called."""
        for option in options:
            self.find(name).locator("input").first.click()
            self.page.get_by_role("option", name=option, exact=True).filter(visible=True).last.click()
        self.page.keyboard.press("Escape")
        return self

    def shape(self, name: str) -> Self:
        """Choose a shape."""
        self.find("shape").get_by_role("radio", name=name, exact=True).click()
        return self

    def start_from(self, file: Path) -> Self:
        """Open the part for it and put a picture into the editor."""
        self.fold("start").find("picture").locator("input[type=file]").first.set_input_files(file)
        expect(self.find("picture").get_by_role("button", name="Undo")).to_be_enabled()
        expect(self.find("picture").get_by_role("button", name="Brush Size")).to_be_visible()
        return self

    def drop(self, file: Path, name: str) -> Self:
        """Drag a file from a folder onto a part of the tab."""
        carried = self.page.evaluate_handle(
            """([name, bytes, type]) => {
                const carried = new DataTransfer();
                carried.items.add(new File([new Uint8Array(bytes)], name, {type}));
                return carried;
            }""",
            [file.name, list(file.read_bytes()), mimetypes.guess_type(file.name)[0] or ""],
        )
        for event in ("dragover", "drop"):
            self.find(name).dispatch_event(event, {"dataTransfer": carried})
        return self

    def bytes_of(self, picture: Locator) -> bytes:
        """The file behind a picture of the page."""
        address = urljoin(self.page.url, picture.get_attribute("src") or "")
        return self.page.request.get(address).body()

    # ---- music

    @property
    def takes(self) -> Locator:
        """The cards of the pieces."""
        return self.page.locator(".a-take")

    def compose(self, words: str, count: int = 1) -> Self:
        """Type a prompt, run, and wait until so many pieces are there."""
        self.type(words).run()
        expect(self.takes).to_have_count(count, timeout=PATIENCE)
        return self.idle()

    @property
    def heard(self) -> dict[str, Any]:
        """What plays: address, moment, whether it does, how many times."""
        return self.page.evaluate("atelier.player()")

    def order(self, what: str, take: int = 0) -> Self:
        """Press a button of a card by what it orders."""
        button = self.takes.nth(take).locator(f"[data-order={what}]")
        if not button.is_visible():
            menu = button.locator("xpath=..").get_attribute("id")
            self.page.locator(f"#{menu}-menu").click()
        button.click()
        return self

    # ---- chat

    @property
    def answers(self) -> Locator:
        return self.page.locator("#chat-talk .bot-row .prose")

    @property
    def questions(self) -> Locator:
        return self.page.locator("#chat-talk .user-row .prose")

    @property
    def conversations(self) -> Locator:
        return self.page.locator("#chat-list .a-chat-open")

    def ask(self, words: str) -> Self:
        """Send a message and wait for the whole answer."""
        before = self.answers.count()
        self.type(words).run()
        expect(self.answers).to_have_count(before + 1)
        expect(self.progress).to_contain_text("per second", timeout=PATIENCE)
        return self.idle()

    def begin(self) -> Self:
        """Open a new conversation."""
        self.page.get_by_role("button", name="New conversation").click()
        expect(self.questions).to_have_count(0)
        return self

    # ---- code

    @property
    def code(self) -> str:
        """What stands in the editor."""
        lines = self.page.locator("#code-editor .cm-line").all_inner_texts()
        return "\n".join(line.rstrip("\n") for line in lines)

    def has_code(self, expected: str) -> Self:
        """Wait until this stands in the editor."""
        self.until(lambda: self.code == expected)
        assert self.code == expected
        return self

    def write(self, text: str) -> Self:
        """Replace all code by `text`; the cursor ends behind it."""
        self.page.locator("#code-editor .cm-content").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.press("Delete")
        self.page.keyboard.insert_text(text)
        return self
