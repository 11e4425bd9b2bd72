"""What a person does at the page, in the words of the tests."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Self

from playwright.sync_api import Locator, Page, expect

PATIENCE = 60_000.0
"""Milliseconds that a real model may take on a machine that is busy with something else."""

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
        taken_up: list[str] = []
        for event in ("requestfinished", "requestfailed"):  # a stream that the page closes counts as failed
            page.on(event, lambda request: taken_up.append(request.url) if "/queue/data" in request.url else None)
        page.goto(url)
        page.wait_for_selector("#chat-prompt textarea[data-restored]")
        desk = cls(page)
        if settled:
            desk.until(lambda: bool(taken_up), 15)
            assert taken_up, "the page never asked for what it has to take up again"
        return desk

    def go(self, tab: Tab) -> Self:
        """Click a tab's name."""
        self.page.locator("#tabs > .tab-wrapper [role=tab]:visible").nth(TABS.index(tab)).click()
        self.tab = tab
        expect(self.page.locator(f"#{tab}-model")).to_be_visible()
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
        if self.tab == "image":
            return self.fold("more")
        self.find("more").locator("button.label-wrap").click()
        # They are drawn when they are first opened; what is typed before that is over is lost.
        self.find("more").locator("[data-restored]").first.wait_for(state="attached")
        self.page.wait_for_timeout(300)
        return self

    def fold(self, name: str) -> Self:
        """Open a part of the image tab, or close it."""
        self.find(f"{name}-fold").click()
        return self

    def run(self) -> Self:
        """Press the run button, and see the tab at work or done."""
        self.find("run").click()
        return self

    def stop(self) -> Self:
        self.find("stop").click()
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
            self.page.wait_for_timeout(20)
        return self

    def idle(self) -> Self:
        """Wait until the open tab can run again."""
        expect(self.find("run")).to_be_visible(timeout=PATIENCE)
        expect(self.find("stop")).to_be_hidden()
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
        return self.page.locator("#chat-list label")

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
