"""The page changes its language where it stands, and every text with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import pytest
from playwright.sync_api import expect

from e2e.conftest import Serve, Visit
from e2e.desk import TABS, Desk
from studio.i18n import table
from studio.service import Studio

SHOWN = """(tab) => {
    const found = [];
    for (const room of document.querySelectorAll(`#head, #strip, #tabs > .tab-wrapper, #tab-${tab}`)) {
        const texts = document.createTreeWalker(room, NodeFilter.SHOW_TEXT);
        for (let text = texts.nextNode(); text; text = texts.nextNode()) {
            const part = text.parentElement;
            const told = part.checkVisibility() && !part.closest("#speak, .a-lately-row, [aria-hidden=true]");
            if (told) found.push(text.data.trim());
        }
        for (const part of room.querySelectorAll("[title], [aria-label], [placeholder]")) {
            if (part.closest(".a-lately-row")) continue;
            for (const name of ["title", "aria-label", "placeholder"]) found.push(part.getAttribute(name));
        }
    }
    return found.filter(Boolean);
}"""
"""Every text of a tab that is seen or read out, but for prompts of people's."""
SAME = {"English", "中文", "Atelier", "A red apple", "Calm piano with soft strings", "LoRA", "Apache-2.0"}


def left(desk: Desk, wrong: Callable[[str], object]) -> list[str]:
    """What stands in the tab that is `wrong`, at a moment when there is the least of it: it may just be drawn."""
    found: list[str] = []

    def none() -> bool:
        found[:] = [text for text in desk.page.evaluate(SHOWN, desk.tab) if text not in SAME and wrong(text)]
        return not found

    desk.until(none, 30)
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


def english_only(studio: Studio) -> None:
    """Let the studio have a chat model that reads English only, and begin with it."""
    cards = dict(studio.catalog.cards)
    mine = replace(cards.pop("demo-chat"), id="anglo", title="Anglo", languages=("en",))
    object.__setattr__(
        studio.catalog,
        "cards",
        MappingProxyType(
            {"anglo": mine, **cards, "demo-chat": replace(mine, id="demo-chat", title="Sino", languages=("en", "zh"))}
        ),
    )


def test_a_chinese_question_gets_an_offer_of_a_model_that_reads_it(visit: Visit, serve: Serve) -> None:
    studio, url = serve(demo=True)
    english_only(studio)
    desk = visit(url, locale="zh-CN")
    desk.choose("model", "Anglo · 可用")
    expect(desk.find("examples")).to_contain_text("What is the capital of France?")
    desk.type("法国的首都是哪里？").run()
    expect(desk.progress).to_contain_text("Anglo 只懂英文")
    desk.idle().page.get_by_role("button", name="改问懂中文的 Sino").click()
    expect(desk.progress).to_contain_text("Sino")
    expect(desk.answers).to_have_count(1)
    expect(desk.field("model")).to_have_value(re.compile("Sino"))
    expect(desk.progress).to_contain_text("Sino ·")
    desk.idle().page.get_by_role("button", name="新对话").click()
    expect(desk.find("examples")).to_contain_text("法国的首都是哪里？")


def test_a_caption_is_asked_for_in_the_pages_language(visit: Visit, serve: Serve) -> None:
    studio, url = serve(demo=True)
    desk = visit(url, locale="zh-CN").go("caption")
    for language, asked in (("跟随页面", "用中文描述"), ("英文", "in English"), ("中文", "用中文描述")):
        if language == "跟随页面":
            desk.page.get_by_role("button", name="火箭").click()
        else:
            desk.choose("language", language).run()
        desk.until(lambda: bool(studio.jobs()) and studio.jobs()[-1].requests[0].prompt == asked)  # noqa: B023
        assert studio.jobs()[-1].requests[0].prompt == asked
        desk.idle()
