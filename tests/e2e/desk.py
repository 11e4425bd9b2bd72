"""What a person does at the page, in the words of the tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

from playwright.sync_api import Locator, Page, expect

Tab = Literal["chat", "image", "music", "code", "caption"]


@dataclass
class Desk:
    """One open page."""

    page: Page
    tab: Tab = "chat"

    @classmethod
    def open(cls, page: Page, url: str, settled: bool = True) -> Self:
        """Go to the page; `settled`: wait until it has asked for what it has to take up again."""
        if settled:
            with page.expect_event("requestfinished", lambda request: "/queue/data" in request.url):
                page.goto(url)
        else:
            page.goto(url)
        page.wait_for_selector("#chat-prompt textarea[data-restored]")
        return cls(page)

    def go(self, tab: Tab) -> Self:
        """Click a tab's name."""
        index = ("chat", "image", "music", "code", "caption").index(tab)
        self.page.locator("#tabs > .tab-wrapper [role=tab]:visible").nth(index).click()
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
        self.field(name).fill(text)
        return self

    def more(self) -> Self:
        """Open the tab's further settings."""
        self.find("more").locator("button.label-wrap").click()
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

    def idle(self) -> Self:
        """Wait until the open tab can run again."""
        expect(self.find("run")).to_be_visible()
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
        expect(self.progress).to_contain_text("per second")
        return self.idle()

    # ---- code

    @property
    def code(self) -> str:
        """What stands in the editor."""
        lines = self.page.locator("#code-editor .cm-line").all_inner_texts()
        return "\n".join(line.rstrip("\n") for line in lines)
