"""The editor: a suggestion at the cursor that can be kept, thrown away or typed over."""

import pytest
from playwright.sync_api import expect

from e2e.desk import Desk
from studio.service import Studio

BEFORE, SUGGESTED = "def area(r):", "\n    return 12"


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
