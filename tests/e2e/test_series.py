"""Series on the page: rows typed or pasted, told of before the run, gone on with after a Stop, picks in one go."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from e2e.conftest import Keep
from e2e.desk import PATIENCE, Desk
from e2e.test_axe import found
from studio.service import Studio

TABLE = 'animal\tplace\nfox\t"snow, at night"\nhare\tsea\nowl\thills'
HOSTILE = '<img src=x onerror="window.harmed=1">'


def series(desk: Desk, prompt: str, rows: str) -> Desk:
    desk.type(prompt)
    if not desk.find("series").is_visible():
        desk.fold("series-part")
    return desk.type(rows, "series")


def pick(desk: Desk, *names: int) -> None:
    if not desk.find("picks").is_visible():
        desk.fold("picks")
    for name in names:
        desk.find("picks").get_by_role("checkbox", name=re.compile(rf"^Picture {name}\b")).check()


def test_a_pasted_table_is_told_of_painted_and_kept_with_the_words_of_its_rows(
    desk: Desk, studio: Studio, keep: Keep
) -> None:
    desk.go("image")
    series(desk, "a {animal} in {place}, ink", TABLE)
    line = desk.find("series-line")
    expect(line).to_contain_text(re.compile(r"3 pictures(, about \d+ s)?\. The first: a fox in snow, at night, ink"))
    desk.type("2", "count")
    expect(line).to_contain_text("6 pictures")
    desk.painted(6)
    expect(line).to_contain_text(re.compile(r"6 pictures, about \d+ s\."))
    expect(desk.find("gallery").locator(".caption-label").nth(1)).to_contain_text("fox · snow, at night")
    keep(desk, "series")
    made = studio.library.recent("image", 6)
    words = {one.recipe["parameters"]["prompt"] for one in made}
    assert words == {"a fox in snow, at night, ink", "a hare in sea, ink", "a owl in hills, ink"}


def test_what_is_wrong_is_said_under_the_rows_and_hostile_words_stay_words(desk: Desk) -> None:
    desk.go("image")
    series(desk, "a {animal}", "animl,place\nfox,sea")
    expect(desk.find("series-line")).to_contain_text("no slot for “animl”")
    series(desk, "{prompt}", f"{HOSTILE}\nfox")
    expect(desk.find("series-line")).to_contain_text("The first: <img")
    desk.painted(2)
    pick(desk, 1)
    assert desk.page.evaluate("window.harmed") is None
    assert found(desk) == []


def test_a_stopped_series_is_gone_on_with(desk: Desk, gate) -> None:
    desk.go("image")
    series(desk, "{prompt}, ink", "fox\nhare\nowl")
    desk.type("4", "steps") if desk.find("steps").is_visible() else desk.more().type("4", "steps")
    gate.shut(6)
    desk.run()
    expect(desk.find("work").locator("img")).not_to_have_count(0, timeout=PATIENCE)
    desk.stop()
    gate.open()
    desk.idle()
    expect(desk.pictures).to_have_count(1)
    desk.page.get_by_role("button", name="Paint what is missing (2)").click()
    expect(desk.pictures).to_have_count(3, timeout=PATIENCE)
    desk.idle()
    expect(desk.find("rest")).to_be_hidden()
    captions = desk.find("gallery").locator(".caption-label")
    expect(captions).to_have_text(["fox", "hare", "owl"])


def test_picks_are_varied_enlarged_and_captioned_in_one_go(desk: Desk, studio: Studio, keep: Keep) -> None:
    desk.go("image")
    series(desk, "", "fox\nhare\nowl").painted(3)
    desk.fold("picks").find("picks-twice").click()
    expect(desk.error).to_contain_text("No picture is ticked")
    pick(desk, 1, 3)
    keep(desk, "picks")
    desk.find("picks-twice").click()
    expect(desk.pictures).to_have_count(2, timeout=PATIENCE)
    desk.idle()
    enlarged = studio.library.recent("upscale", 2)
    assert {one.recipe["origin"]["parameters"]["prompt"] for one in enlarged} == {"fox", "owl"}
    pick(desk, 2)
    desk.find("picks-vary").click()
    expect(desk.pictures).to_have_count(4, timeout=PATIENCE)
    desk.idle()
    assert {one.recipe["parameters"]["prompt"] for one in studio.library.recent("image", 4)} == {"owl"}
    pick(desk, 2, 3)
    desk.find("picks-caption").click()
    desk.tab = "caption"
    expect(desk.find("files").locator(".file-preview tr, .file")).to_have_count(2)
    expect(desk.find("what").get_by_role("radio", name=re.compile("Many|Folder|many"))).to_be_checked()
