"""The editor: a suggestion at the cursor that can be kept, thrown away or typed over."""

import pytest
from playwright.sync_api import expect

from e2e.conftest import Gate, Visit
from e2e.desk import Desk
from studio.engines.demo import fake
from studio.requests import CodeRequest
from studio.service import Studio
from tabs.code.tab import EXAMPLE

BEFORE, SUGGESTED = "def area(r):", "\n    return 12"


def _asked(studio: Studio) -> tuple[str, str]:
    """The text before and behind the cursor that was sent last."""
    request = studio.jobs()[-1].request
    assert isinstance(request, CodeRequest)
    return request.prefix, request.suffix


@pytest.fixture
def suggested(desk: Desk) -> Desk:
    """An editor with a suggestion in it."""
    desk.go("code").write(BEFORE)
    desk.run().has_code(BEFORE + SUGGESTED)
    expect(desk.page.locator("#code-accept")).to_be_visible()
    return desk.idle()


def test_a_suggestion_is_selected(suggested: Desk) -> None:
    assert suggested.page.evaluate("getSelection().toString()").split() == SUGGESTED.split()


def test_tab_keeps_it(suggested: Desk) -> None:
    suggested.page.keyboard.press("Tab")
    suggested.page.keyboard.type("  # done")
    assert suggested.code == BEFORE + SUGGESTED + "  # done"
    expect(suggested.page.locator("#code-accept")).to_be_hidden()


def test_its_first_word_and_its_first_line_are_kept_alone(suggested: Desk) -> None:
    suggested.page.keyboard.press("Shift+Tab")
    suggested.has_code(BEFORE + SUGGESTED)
    assert suggested.page.evaluate("getSelection().toString()").strip() == "return 12"
    suggested.page.keyboard.press("ControlOrMeta+ArrowRight")
    suggested.page.keyboard.press("Escape")
    suggested.has_code(BEFORE + "\n    return")
    expect(suggested.page.locator("#code-accept")).to_be_hidden()
    suggested.page.keyboard.press("ControlOrMeta+z")
    suggested.has_code(BEFORE + "\n")


def test_esc_takes_it_away(suggested: Desk) -> None:
    suggested.page.keyboard.press("Escape")
    assert suggested.code == BEFORE
    expect(suggested.page.locator("#code-accept")).to_be_hidden()


def test_typing_replaces_it(suggested: Desk) -> None:
    suggested.page.keyboard.type(" pass")
    assert suggested.code == BEFORE + " pass"
    expect(suggested.page.locator("#code-accept")).to_be_hidden()


def test_a_second_run_replaces_the_first_suggestion(suggested: Desk, studio: Studio) -> None:
    before = len(studio.jobs())
    suggested.run().until(lambda: len(studio.jobs()) > before and studio.jobs()[-1].done)
    suggested.has_code(BEFORE + SUGGESTED)


def test_it_appears_at_the_cursor_in_the_middle(desk: Desk) -> None:
    desk.go("code").write("first:\nlast = 1")
    desk.page.keyboard.press("ArrowUp")
    desk.page.keyboard.press("End")
    desk.run().has_code("first:\n    return 6\nlast = 1")


def test_undo_removes_a_kept_suggestion(suggested: Desk) -> None:
    suggested.page.keyboard.press("Tab")
    suggested.page.keyboard.press("Control+z")
    assert suggested.code == BEFORE


def test_undo_never_brings_back_what_was_not_kept(suggested: Desk) -> None:
    suggested.page.keyboard.press("Control+z")
    assert suggested.code == BEFORE
    suggested.page.keyboard.type(" pass")
    suggested.page.keyboard.press("Control+z")
    assert SUGGESTED.strip() not in suggested.code
    suggested.page.keyboard.press("Control+y")
    assert suggested.code == BEFORE + " pass"


@pytest.mark.parametrize("key", ["Backspace", "Delete"])
def test_a_key_that_deletes_takes_the_suggestion_and_nothing_else(suggested: Desk, key: str) -> None:
    suggested.page.keyboard.press(key)
    assert suggested.code == BEFORE
    expect(suggested.page.locator("#code-accept")).to_be_hidden()


def test_a_click_elsewhere_and_a_cursor_that_moves_take_it_away(suggested: Desk) -> None:
    suggested.page.locator("#code-editor .cm-line").first.click(position={"x": 40, "y": 8})
    suggested.has_code(BEFORE)
    expect(suggested.page.locator("#code-accept")).to_be_hidden()
    suggested.page.keyboard.type("X")
    assert "X" in suggested.code.splitlines()[0].removesuffix("X")  # where the click was, not at the end
    suggested.page.keyboard.press("Control+z")
    suggested.page.keyboard.press("Control+End")
    suggested.run().has_code(BEFORE + SUGGESTED)
    suggested.page.keyboard.press("Home")
    suggested.has_code(BEFORE)


def test_the_first_press_completes_at_the_end_of_the_example(desk: Desk, studio: Studio) -> None:
    desk.go("code").run()
    expect(desk.page.locator("#code-accept")).to_be_visible()
    assert _asked(studio) == (EXAMPLE, "")
    assert desk.code.startswith(EXAMPLE)
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("Control+Home")
    desk.run().until(lambda: len(studio.jobs()) == 2)
    assert _asked(studio) == ("", EXAMPLE)


def test_after_an_empty_suggestion_the_tab_works_on(
    desk: Desk, studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(fake, "_completion", lambda request: "")
        desk.go("code").write("x = 1").run()
        expect(desk.progress).to_contain_text("nothing to add")
    expect(desk.page.locator("#code-accept")).to_be_hidden()
    desk.write(BEFORE).run().has_code(BEFORE + SUGGESTED)
    assert _asked(studio) == (BEFORE, "")


def test_typing_while_it_is_written_ends_the_run_and_nothing_is_put_in(desk: Desk, studio: Studio, gate: Gate) -> None:
    gate.shut(after=4)
    desk.go("code").write(BEFORE).run()
    desk.until(lambda: desk.code != BEFORE)
    desk.page.keyboard.type(" mine")
    desk.until(lambda: studio.jobs()[-1].done)
    assert studio.jobs()[-1].snapshot().kind == "cancelled"
    desk.idle()
    assert desk.code == BEFORE + " mine"


def test_a_page_opened_again_goes_on_with_the_run_and_shows_what_came(
    desk: Desk, visit: Visit, url: str, studio: Studio, gate: Gate
) -> None:
    gate.shut(after=1)
    desk.go("code").write(BEFORE + "\nend = 1")
    desk.page.keyboard.press("ArrowUp")
    desk.page.keyboard.press("End")
    desk.run()
    expect(desk.find("stop")).to_be_visible()
    context = desk.page.context
    desk.page.close()
    back = visit(url, context, settled=False).go("code")
    expect(back.find("stop")).to_be_visible()
    expect(back.progress).not_to_be_empty()
    gate.open()
    expect(back.page.locator("#code-accept")).to_be_visible()
    back.idle().has_code(BEFORE + SUGGESTED + "\nend = 1")
    back.page.close()
    again = visit(url, context).go("code").has_code(BEFORE + SUGGESTED + "\nend = 1")  # finished meanwhile
    again.page.locator("#code-discard").click()
    again.has_code(BEFORE + "\nend = 1")
    again.page.close()
    visit(url, context).go("code").has_code(BEFORE + "\nend = 1")
