"""What axe finds: nothing serious or critical, in any tab, empty and with a result, all parts open, both themes."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from e2e.desk import TABS, Desk, Tab

BAD = ("serious", "critical")
MADE = {
    "chat": "#chat-talk .bot-row",
    "image": "#image-details .a-used",
    "music": ".a-take",
    "caption": "#caption-details .a-note",
}


def found(desk: Desk) -> list[str]:
    """What is bad, and in the dark, where nothing but colours is another, what cannot be read."""
    wrong = []
    for theme, options in (("light", None), ("dark", {"runOnly": ["color-contrast"]})):
        desk.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        expect(desk.page.locator("body.dark")).to_have_count(1 if theme == "dark" else 0)
        violations = Axe().run(desk.page, options=options).response["violations"]
        wrong += [
            f"{theme}, {one['id']}: {one['nodes'][0]['html'][:160]}" for one in violations if one["impact"] in BAD
        ]
    desk.page.emulate_media(color_scheme="light")
    return wrong


@pytest.mark.parametrize("tab", TABS)
def test_nothing_serious(desk: Desk, tab: Tab) -> None:
    desk.go(tab).unfold()
    assert found(desk) == []
    if tab in MADE:
        desk.page.locator(f"#tab-{tab} :is([data-try], .a-pictured):visible").first.click()
        desk.page.locator(MADE[tab]).first.wait_for()
        desk.idle()
        assert found(desk) == [], "with a result"


def test_nothing_serious_in_the_panel_of_models(desk: Desk) -> None:
    desk.page.get_by_role("button", name="Models", exact=True).click()
    desk.page.locator("dialog[open] .a-models-list > *").first.wait_for()
    assert found(desk) == []
