"""The two text tabs with the keyboard alone, in both languages: everything can be reached, and done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import FileChooser, expect

from e2e.conftest import Visit
from e2e.desk import Desk
from studio.engines.demo import fake
from studio.i18n import text
from studio.library.presets import Preset
from studio.service import Studio

LOCALES = {"en-US": "en", "zh-CN": "zh-CN"}
AT = """(name) => {
    const at = document.activeElement;
    const said = at?.getAttribute("aria-label") || at?.labels?.[0]?.innerText || at?.innerText || at?.placeholder || "";
    const shown = at && at.getBoundingClientRect().width > 0;
    return shown && said.trim().split("\\n")[0].trim().startsWith(name);
}"""


class Hands:
    """A person without a mouse, at a page in a language."""

    def __init__(self, desk: Desk, spoken: str) -> None:
        self.desk, self.page, self.spoken = desk, desk.page, spoken
        self.press = desk.page.keyboard.press

    def said(self, key: str, **params: object) -> str:
        return text(key, self.spoken, **params)

    def reach(self, key: str, back: bool = False, most: int = 80, **params: object) -> Hands:
        """Go to what is called so, by Tab alone."""
        name = self.said(key, **params)
        for _ in range(most):
            if self.page.evaluate(AT, name):
                return self
            self.press("Shift+Tab" if back else "Tab")
        where = self.page.evaluate("document.activeElement.outerHTML.slice(0, 200)")
        raise AssertionError(f"{name!r} cannot be reached; the focus is at {where}")

    def enter(self) -> Hands:
        self.press("Enter")
        return self

    def choose(self, key: str, **params: object) -> Hands:
        """An entry of the menu that is open, by its arrows."""
        name = self.said(key, **params)
        for _ in range(12):
            if self.page.evaluate(AT, name):
                return self.enter()
            self.press("ArrowDown")
        raise AssertionError(f"{name!r} is not in the menu")

    def write(self, words: str) -> Hands:
        self.press("Control+a")
        self.page.keyboard.insert_text(words)
        return self


@pytest.fixture(params=LOCALES)
def hands(request: pytest.FixtureRequest, visit: Visit, url: str) -> Hands:
    return Hands(visit(url, locale=request.param), LOCALES[request.param])


def asked(hands: Hands, words: str) -> None:
    before = hands.desk.answers.count()
    hands.reach("label.message").write(words).enter()
    expect(hands.desk.answers).to_have_count(before + 1)
    hands.desk.idle()


def test_a_conversation_from_the_first_word_to_its_export(hands: Hands, studio: Studio, tmp_path: Path) -> None:
    desk = hands.desk
    asked(hands, "One")
    asked(hands, "Two")
    hands.reach("chat.edit", back=True).enter()  # of the last answer
    expect(desk.page.locator("#chat-said .a-edit textarea")).to_be_focused()
    hands.write("Better said").reach("chat.save_answer").enter()
    expect(desk.answers.last).to_have_text("Better said")
    hands.reach("chat.earlier").enter()
    expect(desk.answers.last).not_to_have_text("Better said")
    hands.reach("chat.later").enter()
    expect(desk.answers.last).to_have_text("Better said")
    hands.reach("chat.retry").enter()
    desk.idle()
    expect(desk.answers.last).not_to_have_text("Better said")
    hands.reach("chat.beside", back=True).enter()
    expect(desk.page.locator("#chat-said")).to_contain_text("Better said")
    hands.page.reload()
    expect(desk.conversations).to_have_count(1)

    hands.reach("chat.more_of", title="One").enter().choose("chat.list_rename")
    expect(desk.page.locator("#chat-list input")).to_be_focused()
    hands.write("The heron").enter()
    expect(desk.conversations).to_have_text(["The heron"])
    hands.reach("chat.more_of", title="The heron").enter().choose("chat.list_pin")
    expect(desk.page.locator("#chat-list h3")).to_have_text([hands.said("chat.pinned")])
    hands.reach("chat.more_of", title="The heron").enter()
    with desk.page.expect_download() as saved:
        hands.choose("chat.list_markdown")
    saved.value.save_as(tmp_path / "heron.md")
    assert "\n# The heron\n" in (tmp_path / "heron.md").read_text("utf-8")
    hands.reach("chat.more_of", title="The heron").enter().choose("chat.list_delete")
    expect(desk.conversations).to_have_count(0)
    hands.reach("chat.restore").enter()
    expect(desk.conversations).to_have_text(["The heron"])
    assert studio.chats.list()[0].pinned


def test_a_file_is_attached_and_the_exact_prompt_read(hands: Hands, tmp_path: Path) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("The fox sleeps.", encoding="utf-8")
    chosen: list[FileChooser] = []
    hands.page.on("filechooser", lambda one: chosen.append(one))  # noqa: PLW0108  # playwright marks what it calls
    hands.reach("chat.attach").enter()
    hands.desk.until(lambda: bool(chosen))
    chosen[0].set_files(notes)
    expect(hands.desk.find("files").locator(".file-preview tr")).to_have_count(1)
    hands.reach("label.message", back=True).write("What does it do?")
    hands.reach("chat.exact").enter()
    expect(hands.page.locator("#chat-exact-shown pre")).to_contain_text("The fox sleeps.")
    hands.reach("label.message", back=True).enter()
    expect(hands.desk.answers.last).to_contain_text("notes.md, 1 lines")
    hands.desk.idle()


def test_settings_a_form_and_a_preset(hands: Hands, studio: Studio) -> None:
    desk = hands.desk
    studio.presets["chat"].save(Preset("Terse", {"system": "Be terse.", "temperature": 0.3}))
    hands.page.reload()
    hands.reach("page.more").enter()
    hands.reach("label.chat_schema").write("{not JSON").reach("label.message").write("Hi").enter()
    expect(desk.error).to_be_visible()
    expect(desk.field("prompt")).to_have_value("Hi")
    hands.reach("label.chat_schema", back=True).write('{"type": "array"}')
    hands.reach("label.message").enter()
    expect(desk.page.locator("#chat-said")).to_contain_text(hands.said("note.schema_invalid", reason="")[:4])
    desk.idle()
    hands.reach("label.chat_schema", back=True).write("")
    hands.reach("label.preset", back=True)
    hands.page.keyboard.insert_text("Ter")
    hands.press("ArrowDown")
    hands.enter()
    expect(desk.field("system")).to_have_value("Be terse.")
    expect(desk.field("temperature")).to_have_value("0.3")
    studio.presets["chat"].delete("Terse")


@pytest.fixture
def completing(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda ending: monkeypatch.setattr(fake, "_completion", lambda _: ending)


def test_code_is_completed_word_by_word_by_line_as_a_whole_and_not_at_all(
    hands: Hands, completing: Callable[[str], None]
) -> None:
    completing("\n    a = one two\n    b = 3")
    desk, begin = hands.desk, "def f():"
    hands.press("Alt+4")
    expect(desk.page.locator("#code-editor .cm-content")).to_be_visible()
    desk.tab = "code"
    desk.page.locator("#code-editor .cm-content").focus()
    hands.write(begin)
    hands.press("Control+Space")
    desk.has_code(begin + "\n    a = one two\n    b = 3")
    desk.idle()
    hands.press("Control+ArrowRight")
    hands.press("Escape")
    desk.has_code(begin + "\n    a")
    hands.press("Control+z")
    hands.write(begin)
    hands.press("Control+Enter")
    desk.has_code(begin + "\n    a = one two\n    b = 3")
    desk.idle()
    hands.press("Shift+Tab")
    hands.press("Escape")
    desk.has_code(begin + "\n")
    hands.write(begin)
    hands.press("Control+Space")
    desk.has_code(begin + "\n    a = one two\n    b = 3")
    desk.idle()
    hands.press("Tab")
    hands.press("Control+z")
    desk.has_code(begin)
