"""The music tab: takes that are compared, looped, kept and taken up again."""

import io
import json
import wave
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import expect

from e2e.conftest import Visit
from e2e.desk import Desk
from studio.recipes import recipe


def fetched(desk: Desk, what: str, take: int = 0) -> bytes:
    with desk.page.expect_download() as download:
        desk.order(what, take)
    return download.value.path().read_bytes()


def test_sound_begins_when_it_is_asked_for_and_stops_likewise(desk: Desk) -> None:
    desk.go("music").type("2", "duration").compose("calm")
    assert not desk.heard["playing"]
    expect(desk.takes).to_contain_text("0:00 / 0:02")
    desk.takes.get_by_role("button", name="Play", exact=True).click()
    desk.until(lambda: desk.heard["at"] > 0.3)
    assert desk.heard["playing"]
    assert desk.heard["at"] > 0.3
    desk.takes.get_by_role("button", name="Pause").click()
    expect(desk.takes.get_by_role("button", name="Play", exact=True)).to_be_visible()
    paused = desk.heard["at"]
    assert 0.3 < paused < 2
    desk.takes.get_by_role("button", name="Play", exact=True).click()
    desk.until(lambda: not desk.heard["playing"], 5)
    assert desk.heard["at"] == 0, "after its end it is at its beginning again"


def test_a_new_piece_does_not_interrupt_what_plays(desk: Desk) -> None:
    desk.go("music").type("20", "duration").compose("calm")
    desk.takes.get_by_role("button", name="Play", exact=True).click()
    desk.until(lambda: desk.heard["at"] > 0.2)
    heard = desk.heard["url"]
    desk.compose("storm", 2)
    assert desk.heard["playing"]
    assert desk.heard["url"] == heard
    expect(desk.takes.nth(1)).to_have_class("a-take a-playing")
    expect(desk.takes.nth(0)).to_have_class("a-take")


def test_takes_of_one_set_are_compared_at_the_same_moment(desk: Desk) -> None:
    desk.go("music").more().type("2", "count").type("20", "duration").compose("calm", 2)
    desk.takes.nth(0).locator(".a-play").click()
    desk.until(lambda: desk.heard["at"] > 0.8)
    before = desk.heard
    desk.takes.nth(1).locator(".a-play").click()
    desk.until(lambda: desk.heard["url"] != before["url"])
    assert desk.heard["playing"]
    assert before["at"] <= desk.heard["at"] < before["at"] + 3


def test_a_moment_is_chosen_by_mouse_and_by_keys(desk: Desk) -> None:
    desk.go("music").type("20", "duration").compose("calm")
    stage = desk.takes.get_by_role("slider")
    box = stage.bounding_box()
    assert box is not None
    stage.click(position={"x": box["width"] / 2 + 2, "y": 20})
    expect(desk.takes).to_contain_text("0:10 / 0:20")
    stage.focus()
    desk.page.keyboard.press("ArrowRight")
    expect(desk.takes).to_contain_text("0:15 / 0:20")
    assert stage.get_attribute("aria-valuenow") == "15"
    desk.page.keyboard.press("Space")
    desk.until(lambda: desk.heard["at"] > 15)
    assert desk.heard["playing"]


def test_a_loop_plays_four_times_without_a_gap(desk: Desk) -> None:
    desk.go("music").type("1", "duration")
    desk.find("loop").get_by_role("checkbox").check()
    desk.compose("calm")
    desk.takes.get_by_role("button", name="Play four times").click()
    desk.until(lambda: desk.heard["playing"])
    assert desk.heard["times"] == 4
    desk.page.wait_for_timeout(2500)
    assert desk.heard["playing"], "it goes on after its end"
    desk.until(lambda: not desk.heard["playing"], 5)
    assert not desk.heard["playing"], "and ends after the fourth time"


def test_every_format_holds_the_same_piece_and_its_recipe(desk: Desk) -> None:
    desk.go("music").type("2", "duration").compose("calm rain")
    sound = fetched(desk, "wav")
    made = recipe.read_recipe(sound)
    assert made is not None
    assert made["parameters"]["prompt"] == "calm rain"
    with wave.open(io.BytesIO(sound)) as file:
        assert file.getnframes() == 2 * file.getframerate()
    for kind in ("flac", "mp3"):
        other = fetched(desk, kind)
        assert recipe.read_recipe(other) == made
        samples, rate = soundfile.read(io.BytesIO(other))
        assert abs(len(samples) / rate - 2) < 0.1
        assert np.abs(samples).max() > 0.05
    assert desk.takes.locator("[data-order=mid]").count() == 0, "no notes are known of this model's pieces"


def test_a_dropped_piece_brings_its_settings_back(desk: Desk, visit: Visit, url: str, tmp_path: Path) -> None:
    desk.go("music").type("3", "duration").type("90", "tempo").type("A tune for restoring").choose("key", "E♭ major")
    desk.run()
    expect(desk.takes).to_have_count(1)
    file = tmp_path / "mine.mp3"
    file.write_bytes(fetched(desk, "mp3"))
    seed = (recipe.read_recipe(file.read_bytes()) or {})["seed"]
    other = visit(url).go("music")
    other.drop(file, "input")
    expect(other.field("prompt")).to_have_value("A tune for restoring")
    expect(other.field("tempo")).to_have_value("90")
    expect(other.find("key").locator("input").first).to_have_value("E♭ major")
    expect(other.find("restored")).to_contain_text(str(seed))
    soundfile.write(tmp_path / "other.wav", np.zeros(8000), 8000)
    other.drop(tmp_path / "other.wav", "input")
    expect(other.find("restored")).to_contain_text("no settings of a piece")
    expect(other.field("prompt")).to_have_value("A tune for restoring")


def test_what_sounds_can_be_stopped_from_another_tab(desk: Desk) -> None:
    desk.go("music").compose("calm piano")
    desk.takes.first.locator(".a-play").click()
    desk.until(lambda: desk.heard["playing"])
    desk.go("chat")
    chip = desk.page.get_by_role("button", name="Stop: calm piano")
    expect(chip).to_be_visible()
    assert desk.heard["playing"]
    chip.click()
    desk.until(lambda: not desk.heard["playing"])
    assert not desk.heard["playing"]
    expect(chip).to_have_count(0)


def test_stars_and_pieces_are_there_after_the_page_was_closed(desk: Desk, visit: Visit, url: str) -> None:
    desk.go("music").type("1", "duration").compose("a piece to keep")
    desk.order("star")
    expect(desk.takes.locator(".a-star")).to_have_attribute("aria-pressed", "true")
    again = visit(url).go("music").fold("recent")
    again.find("recent-list").locator("input").first.click()
    option = again.page.get_by_role("option").filter(visible=True, has_text="a piece to keep").first
    expect(option).to_contain_text("Starred")
    option.click()
    expect(again.takes).to_have_count(1)
    expect(again.takes.locator(".a-star")).to_have_attribute("aria-pressed", "true")
    again.order("use")
    expect(again.field("prompt")).to_have_value("a piece to keep")


def test_what_cannot_be_asked_for_is_said(desk: Desk, keep: Callable[[Desk, str], None]) -> None:
    desk.go("music").type("calm").type("10", "tempo").run()
    expect(desk.error).to_contain_text("Tempo")
    desk.type("1e9", "tempo").run()
    expect(desk.error).to_contain_text("260")
    desk.type("40", "tempo").type("128", "bars").run()
    expect(desk.error).to_contain_text("fewer bars")


def test_the_scripts_of_others_come_from_the_studio_itself(desk: Desk, url: str) -> None:
    answer = desk.page.request.get(url + "atelier/abcjs/abcjs-basic-min.js")
    assert answer.ok
    assert "Paul Rosen" in answer.text()[:400]
    assert not desk.page.request.get(url + "atelier/../page.js").ok
    assert json.loads(desk.page.evaluate("JSON.stringify(atelier.player())"))["playing"] is False
