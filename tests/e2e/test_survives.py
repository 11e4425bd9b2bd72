"""A job of every kind outlives its page: a reload, a closed browser, a network that went away. Stop works after."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Gate, Visit
from e2e.desk import PATIENCE, TABS, Desk, Tab
from studio.engines.demo.fake import FakeModel
from studio.service import Studio


def begin(desk: Desk, tab: Tab, folder: Path, gate: Gate) -> Desk:
    """A job that stands in the middle of its work."""
    gate.shut()
    desk.go(tab)
    if tab == "caption":
        Image.new("RGB", (64, 64), "red").save(folder / "red.png")
        desk.page.locator("#caption-image input[type=file]").set_input_files(folder / "red.png")
        expect(desk.page.locator("#caption-image").get_by_label("Remove")).to_be_visible()
    elif tab == "code":
        desk.write("def area(r):\n    ")
    else:
        desk.type("hills")
    desk.run()
    desk.until(lambda: FakeModel.running == 1)
    expect(desk.find("stop")).to_be_visible()
    return desk


def reloaded(desk: Desk, visit: Visit, url: str) -> Desk:
    desk.page.reload()
    return desk


def opened_anew(desk: Desk, visit: Visit, url: str) -> Desk:
    context = desk.page.context
    desk.page.close()
    return visit(url, context, settled=False).go(desk.tab)


def cut_off(desk: Desk, visit: Visit, url: str) -> Desk:
    desk.page.evaluate("window.before = true")
    desk.page.context.set_offline(True)
    desk.page.wait_for_timeout(3000)
    desk.page.context.set_offline(False)
    desk.page.wait_for_function("!window.before")  # the page comes back by itself once the studio answers
    return desk


@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("how", [reloaded, opened_anew, cut_off])
def test_it_goes_on_and_can_be_stopped(
    desk: Desk, visit: Visit, url: str, studio: Studio, gate: Gate, tmp_path: Path, tab: Tab,
    how: Callable[[Desk, Visit, str], Desk],
) -> None:  # fmt: skip
    back = how(begin(desk, tab, tmp_path, gate), visit, url)
    job = studio.jobs()[-1]
    assert not job.done
    expect(back.find("stop")).to_be_visible(timeout=PATIENCE)
    back.stop().idle()
    back.until(lambda: job.done)
    assert job.snapshot().kind == "cancelled"


@pytest.mark.parametrize("tab", TABS)
def test_what_was_finished_while_the_network_was_away_is_shown(
    desk: Desk, studio: Studio, gate: Gate, tmp_path: Path, tab: Tab
) -> None:
    begin(desk, tab, tmp_path, gate).page.context.set_offline(True)
    job = studio.jobs()[-1]
    gate.open()
    desk.until(lambda: job.done)
    assert job.snapshot().kind == "done"
    desk.page.context.set_offline(False)
    desk.idle()
    shown = {
        "chat": desk.answers, "image": desk.pictures, "music": desk.takes,
        "code": desk.page.locator("#code-accept"), "caption": desk.page.locator("#caption-text textarea"),
    }[tab]  # fmt: skip
    expect(shown.first).to_be_visible(timeout=PATIENCE)
