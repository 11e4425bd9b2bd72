"""Language, theme, names for screen readers, and a narrow window."""

import pytest
from playwright.sync_api import CDPSession, expect

from e2e.conftest import Visit
from e2e.desk import TABS, Desk
from studio.i18n import text

NAMED = {"button", "textbox", "searchbox", "combobox", "radio", "checkbox", "spinbutton", "slider", "link", "tab",
         "radiogroup", "listbox"}  # fmt: skip


def test_the_switch_changes_labels_and_what_the_server_says(desk: Desk) -> None:
    expect(desk.page.locator("html")).to_have_attribute("lang", "en")
    desk.page.get_by_role("button", name="中文").click()
    expect(desk.page.get_by_role("tab", name=text("tab.image", "zh-CN"))).to_be_visible()
    expect(desk.page.locator("html")).to_have_attribute("lang", "zh-CN")
    desk.go("image")
    expect(desk.find("run")).to_contain_text(text("image.run", "zh-CN"))
    desk.run()
    expect(desk.error).to_contain_text(text("error.empty.next", "zh-CN"))
    expect(desk.page.locator("#strip-text")).to_contain_text(text("page.idle", "zh-CN"))
    desk.page.get_by_role("button", name="English").click()
    expect(desk.page.get_by_role("tab", name="Image")).to_be_visible()


def test_a_chinese_browser_gets_chinese_at_once(visit: Visit, url: str) -> None:
    desk = visit(url, locale="zh-CN")
    expect(desk.page.get_by_role("button", name=text("chat.new", "zh-CN"))).to_be_visible()
    expect(desk.page.locator("#switches")).to_contain_text("English")


def test_the_theme_follows_the_system_and_a_choice_stays(visit: Visit, url: str) -> None:
    desk = visit(url, color_scheme="dark")
    expect(desk.page.locator("body.dark")).to_have_count(1)
    desk.page.get_by_role("button", name="Light or dark").click()
    expect(desk.page.locator("body.dark")).to_have_count(0)
    desk.page.reload()
    desk.page.wait_for_selector("#chat-prompt textarea")
    expect(desk.page.locator("body.dark")).to_have_count(0)


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_nothing_needs_sideways_scrolling_on_a_phone(visit: Visit, url: str, locale: str) -> None:
    desk = visit(url, locale=locale, viewport={"width": 420, "height": 800})
    for tab in TABS:
        desk.go(tab).more()
        assert desk.page.evaluate("document.documentElement.scrollWidth") <= 420, tab
        for button in (desk.find("run"), desk.page.locator("[role=tab]:visible").last):
            box = button.bounding_box()
            assert box is not None
            assert box["x"] >= 0, tab
            assert box["x"] + box["width"] <= 420, tab
            assert box["y"] + box["height"] <= 800, tab
        desk.more()


def test_everything_that_can_be_used_has_a_name(desk: Desk) -> None:
    desk.ask("Something to have buttons under")
    session = desk.page.context.new_cdp_session(desk.page)
    desk.page.locator("#chat-list .a-menu-button").first.click()
    nameless = []
    for tab in TABS:
        desk.go(tab).more()
        if tab == "image":
            desk.type("hills").run()
            expect(desk.page.locator("#image-gallery img").first).to_be_visible()
        nameless += [(tab, *each) for each in _nameless(session)]
    assert nameless == []


def _nameless(session: CDPSession) -> list[tuple[str, str]]:
    """(role, HTML) of each control that the accessibility tree has no name for."""
    found = []
    for node in session.send("Accessibility.getFullAXTree")["nodes"]:
        role = node.get("role", {}).get("value", "")
        if node.get("ignored") or role not in NAMED or node.get("name", {}).get("value", "").strip():
            continue
        html = session.send("DOM.getOuterHTML", {"backendNodeId": node["backendDOMNodeId"]})["outerHTML"]
        found.append((role, html[:200]))
    return found
