"""The page changes its language where it stands, and every text with it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from e2e.conftest import Serve, Visit
from e2e.desk import TABS, Desk
from studio.i18n import table

SHOWN = """(tab) => {
    const found = [];
    for (const room of document.querySelectorAll(`#head, #strip, #tabs > .tab-wrapper, #tab-${tab}`)) {
        const texts = document.createTreeWalker(room, NodeFilter.SHOW_TEXT);
        for (let text = texts.nextNode(); text; text = texts.nextNode()) {
            const seen = text.parentElement.checkVisibility();
            if (seen && !text.parentElement.closest("#speak, [aria-hidden=true]")) found.push(text.data.trim());
        }
        for (const part of room.querySelectorAll("[title], [aria-label], [placeholder]")) {
            for (const name of ["title", "aria-label", "placeholder"]) found.push(part.getAttribute(name));
        }
    }
    return found.filter(Boolean);
}"""
"""Every text of a tab that is seen or read out."""
SAME = {"English", "中文", "Atelier", "A red apple", "Calm piano with soft strings", "LoRA", "Apache-2.0"}


def left(desk: Desk, wrong: Callable[[str], object]) -> list[str]:
    """What stands in the tab that is `wrong`, at a moment when there is the least of it: it may just be drawn."""
    found: list[str] = []

    def none() -> bool:
        found[:] = [text for text in desk.page.evaluate(SHOWN, desk.tab) if text not in SAME and wrong(text)]
        return not found

    desk.until(none)
    return found


@pytest.mark.parametrize("tab", TABS)
def test_all_of_a_tab_is_in_the_other_language(desk: Desk, tab: str) -> None:
    desk.go(tab)  # pyright: ignore[reportArgumentType]
    if tab in ("image", "music"):  # a button that was away while something ran
        desk.page.locator(f"#tab-{tab} [data-try]:visible").first.click()
        expect(desk.page.locator(f"#tab-{tab} .a-details, #tab-{tab} .a-take").first).to_contain_text("Demo")
        desk.idle()
    desk.unfold()
    desk.page.evaluate("() => { window.stays = true }")
    for switch, before, after in (("中文", table("en"), table("zh-CN")), ("English", table("zh-CN"), table("en"))):
        words = {text for key, text in before.items() if after[key] != text} - set(after.values())
        assert words & set(desk.page.evaluate(SHOWN, tab))
        desk.page.get_by_role("button", name=switch).click()
        assert left(desk, words.__contains__) == []
    assert desk.page.evaluate("() => window.stays"), "the page was loaded anew"


def test_gradios_own_titles_are_chinese(visit: Visit, serve: Serve) -> None:
    _, url = serve(demo=True)
    desk = visit(url, locale="zh-CN").go("image")
    desk.page.locator("#tab-image [data-try]:visible").first.click()
    expect(desk.pictures).to_have_count(1)
    desk.idle()
    desk.unfold()
    desk.page.locator("#image-gallery .grid-wrap button").first.click()
    for tab in ("image", "music", "code", "caption"):
        desk.go(tab)
        assert left(desk, re.compile(r"[A-Z][a-z]+( [a-z]+)*").fullmatch) == []
