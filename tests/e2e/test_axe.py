"""What axe finds: nothing serious or critical, in any tab, empty and with a result, all parts open, both themes."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from e2e.conftest import Visit
from e2e.desk import TABS, Desk

BAD = ("serious", "critical")
MADE = {
    "chat": "#chat-talk .bot-row",
    "image": "#image-details .a-used",
    "music": ".a-take",
    "caption": "#caption-details .a-note",
}


def found(desk: Desk) -> list[str]:
    violations = Axe().run(desk.page).response["violations"]
    return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in violations if one["impact"] in BAD]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_nothing_serious(visit: Visit, url: str, theme: str) -> None:
    desk = visit(url, color_scheme=theme)
    for tab in TABS:
        folded = desk.go(tab).page.locator(f"#tab-{tab} .a-fold-button[aria-expanded=false]:visible")
        for id in [button.get_attribute("id") for button in folded.all()]:
            desk.page.locator(f"#{id}").click()
        assert found(desk) == [], tab
        if tab in MADE:
            desk.page.locator(f"#tab-{tab} :is([data-try], .a-pictured):visible").first.click()
            desk.page.locator(MADE[tab]).first.wait_for()
            desk.idle()
            assert found(desk) == [], f"{tab}, with a result"


def test_nothing_serious_in_the_panel_of_models(desk: Desk) -> None:
    desk.page.get_by_role("button", name="Models", exact=True).click()
    desk.page.locator("dialog[open] .a-models-list > *").first.wait_for()
    assert found(desk) == []
