"""The music tab with a sound to start from: a file of one's own, or a moment of a piece."""

from pathlib import Path

import numpy as np
import soundfile
from playwright.sync_api import expect

from e2e.conftest import Gate, Visit
from e2e.desk import Desk
from studio.recipes import recipe


def test_a_piece_goes_on_from_a_file_up_to_a_second(desk: Desk, visit: Visit, url: str, tmp_path: Path) -> None:
    mine = tmp_path / "mine.flac"
    soundfile.write(mine, 0.2 * np.sin(np.arange(48_000) / 8), 16_000)
    desk.go("music").fold("hear").type("2", "duration")
    desk.find("sound").locator("input[type=file]").set_input_files(mine)
    expect(desk.find("sound")).to_contain_text("0:03")
    desk.type("1", "sound-keep").compose("on and on")
    expect(desk.takes).to_contain_text("0:00 / 0:03")
    with desk.page.expect_download() as download:
        desk.order("wav")
    piece = tmp_path / "piece.wav"
    download.value.save_as(piece)
    samples, rate = soundfile.read(piece)
    assert len(samples) == 3 * rate
    heard = 0.2 * np.sin(np.arange(16_000) / 8)[:: 16_000 // 1000]
    assert np.corrcoef(samples[: rate : rate // 1000, 0], heard)[0, 1] > 0.9
    other = visit(url).go("music")
    other.drop(piece, "input")
    expect(other.field("prompt")).to_have_value("on and on")
    expect(other.field("sound-keep")).to_have_value("1")
    other.fold("hear")
    expect(other.find("sound")).to_contain_text("0:03")


def test_a_piece_is_taken_up_at_the_moment_that_was_chosen(desk: Desk) -> None:
    desk.go("music").fold("hear").type("10", "duration").compose("calm")
    stage = desk.takes.get_by_role("slider")
    box = stage.bounding_box()
    assert box is not None
    stage.click(position={"x": box["width"] / 2, "y": 20})
    desk.order("on")
    expect(desk.find("restored")).to_contain_text("moment")
    expect(desk.field("sound-keep")).to_have_value("5.00")
    expect(desk.field("seed")).to_have_value("")
    desk.type("3", "duration").compose("calm", 2)
    expect(desk.takes.nth(0)).to_contain_text("0:00 / 0:08")


def test_what_is_no_sound_is_said_and_nothing_is_lost(desk: Desk, tmp_path: Path) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF\x00\x00\x00\x00WAVEnothing")
    desk.go("music").fold("hear")
    desk.find("sound").locator("input[type=file]").set_input_files(broken)
    expect(desk.find("sound").locator("audio, .waveform-container, #waveform").first).to_be_attached()
    desk.type("my words").run()
    expect(desk.error).to_contain_text("not sound")
    expect(desk.field("prompt")).to_have_value("my words")
    desk.type("99", "sound-keep").run()
    expect(desk.error).to_contain_text("not sound")


def test_the_recipe_of_such_a_piece_names_its_sound(desk: Desk, tmp_path: Path) -> None:
    mine = tmp_path / "mine.wav"
    soundfile.write(mine, np.full(8000, 0.1), 8000)
    desk.go("music").fold("hear").type("1", "duration")
    desk.find("sound").locator("input[type=file]").set_input_files(mine)
    expect(desk.find("sound")).to_contain_text("0:01")
    desk.compose("hum")
    with desk.page.expect_download() as download:
        desk.order("flac")
    made = recipe.read_recipe(download.value.path().read_bytes())
    assert made is not None
    assert made["parameters"]["sound"]["bytes"] == mine.stat().st_size


def test_a_piece_is_heard_while_it_is_made(desk: Desk, gate: Gate) -> None:
    gate.shut(after=10)
    desk.go("music").type("30", "duration").type("slow").run()
    listen = desk.find("live").get_by_role("button")
    expect(listen).to_have_text("Listen while it is made")
    assert not desk.page.evaluate("atelier.live().playing"), "sound never begins by itself"
    listen.click()
    desk.until(lambda: desk.page.evaluate("atelier.live().at") > 0.3)
    assert desk.page.evaluate("atelier.live()")["playing"]
    expect(listen).to_have_text("Stop listening")
    gate.open()
    expect(desk.takes).to_have_count(1)
    assert desk.page.evaluate("atelier.live()")["playing"], "who listens may be behind, and hears it to the end"
    listen.click()
    expect(listen).to_be_hidden()
    assert not desk.page.evaluate("atelier.live().playing")
