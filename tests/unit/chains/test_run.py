"""Runs of chains: every step an ordinary job, what is done is not done again, what has changed is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.chains.run import Event, Input, Running, of_file, of_text
from studio.chains.shelf import SHIPPED, document
from studio.errors import StudioError
from studio.recipes import origins, recipe
from studio.service import Studio
from studio.settings import Settings

CARDS = """format = "atelier-chain/1"
title = "Cards"
[slots]
style = "ink"
[[step]]
name = "words"
task = "caption"
image = "{input}"
[[step]]
name = "painting"
task = "image"
prompt = "{words}, {style}"
width = 64
height = 64
steps = 2
[[step]]
name = "larger"
task = "upscale"
image = "{painting}"
scale = 2
"""
LINES = """format = "atelier-chain/1"
[[step]]
task = "image"
prompt = "{input}"
width = 64
height = 64
steps = 4
"""


def picture(folder: Path, name: str, colour: str = "red") -> Path:
    file = folder / f"{name}.png"
    Image.new("RGB", (16, 16), colour).save(file)
    return file


def write(studio: Studio, text: str, name: str = "cards") -> None:
    (studio.home.chains / f"{name}.toml").write_text(text, encoding="utf-8")


def running(studio: Studio, inputs: list[Input], name: str = "cards", **more: Any) -> Running:
    slots = more.pop("slots", {})
    return studio.chains.run(*studio.chains.chain(name), inputs, slots, **more)


def states(events: list[Event]) -> list[str]:
    return [f"{event.state} {event.step.name} {event.input.name}" for event in events if event.state != "begun"]


def refusal(act: Callable[[], object]) -> StudioError:
    with pytest.raises(StudioError) as caught:
        act()
    return caught.value


def test_steps_are_jobs_one_model_after_another_and_know_what_they_were_made_of(studio: Studio, tmp_path: Path) -> None:
    write(studio, CARDS)
    inputs = [of_file(picture(tmp_path, name, name)) for name in ("red", "blue")]
    events = list(running(studio, inputs, slots={"style": "gouache"}).work())
    assert states(events) == [
        f"done {step} {name}" for step in ("words", "painting", "larger") for name in ("red", "blue")
    ]
    done = [event for event in events if event.state == "done"]
    assert all(event.job is not None and event.job.session == "chain" for event in done)
    larger = studio.library.named(done[-1].ids)
    assert larger is not None
    told = [link["task"] for link in origins.chain(recipe.read_recipe(larger.files[0].read_bytes()) or {})]
    assert told == ["upscale", "image", "caption"]
    painted = origins.painting(larger.recipe)
    assert painted["parameters"]["prompt"] == f"{done[1].text}, gouache"


def test_a_second_run_does_only_what_is_missing(studio: Studio, tmp_path: Path) -> None:
    write(studio, CARDS)
    one, two = (of_file(picture(tmp_path, name, name)) for name in ("red", "blue"))
    first = list(running(studio, [one]).work())
    second = list(running(studio, [one, two]).work())
    assert states(second) == [
        "had words red", "done words blue", "had painting red", "done painting blue", "had larger red",
        "done larger blue",
    ]  # fmt: skip
    assert [e.ids for e in second if e.input is one] == [e.ids for e in first if e.state == "done"]
    assert states(list(running(studio, [one]).work())) == ["had words red", "had painting red", "had larger red"]
    again = list(running(studio, [one], again=True).work())
    assert [event.state for event in again if event.state != "begun"] == ["done"] * 3


def test_what_has_changed_is_made_anew_and_told(studio: Studio, tmp_path: Path) -> None:
    write(studio, CARDS)
    one = of_file(picture(tmp_path, "card"))
    list(running(studio, [one]).work())
    write(studio, CARDS.replace("steps = 2", "steps = 3"))  # the chain
    events = list(running(studio, [one]).work())
    assert states(events) == ["had words card", "done painting card", "done larger card"]
    assert [event.changed for event in events if event.state == "done"] == [True, True]
    picture(tmp_path, "card", "blue")  # the input
    assert [event.state for event in running(studio, [one]).work() if event.state != "begun"] == ["done"] * 3
    larger = list(running(studio, [one]).work())[-1]
    (studio.home.outputs / larger.ids[0]).unlink()  # a result
    assert states(list(running(studio, [one]).work())) == ["had words card", "had painting card", "done larger card"]


def test_a_name_that_is_changed_changes_nothing(studio: Studio, tmp_path: Path) -> None:
    write(studio, CARDS)
    one = of_file(picture(tmp_path, "card"))
    list(running(studio, [one]).work())
    write(studio, CARDS.replace("painting", "picture").replace('"Cards"', '"Post"'))
    assert {event.state for event in running(studio, [one]).work()} == {"had"}


def test_the_same_line_twice_gives_two_pictures(studio: Studio) -> None:
    write(studio, LINES)
    inputs = [of_text("a fox"), of_text("a fox")]
    first = [event.ids for event in running(studio, inputs).work() if event.state == "done"]
    assert len(set(first)) == 2
    assert [event.ids for event in running(studio, inputs).work()] == first


def test_a_step_that_fails_ends_its_own_input_alone_and_is_tried_again(studio: Studio, tmp_path: Path) -> None:
    write(studio, CARDS)
    good, bad = of_file(picture(tmp_path, "good")), picture(tmp_path, "bad", "blue")
    broken = of_file(bad)
    whole = bad.read_bytes()
    bad.write_bytes(whole[:40])
    run = running(studio, [broken, good])
    events = list(run.work())
    assert states(events) == ["failed words bad", "done words good", "done painting good", "done larger good"]
    assert run.failed
    bad.write_bytes(whole)
    assert states(list(running(studio, [broken]).work())) == [
        f"done {step} bad" for step in ("words", "painting", "larger")
    ]


def test_values_have_the_limits_of_the_page(studio: Studio) -> None:
    write(studio, LINES.replace("steps = 4", "steps = 4000"))
    (event,) = running(studio, [of_text("a fox")]).work()
    assert event.error is not None
    assert (event.error.code, event.error.params["field"]) == ("out_of_range", "field.steps")


def test_stop_keeps_what_is_done_and_the_next_run_goes_on(slow: Callable[..., Studio]) -> None:
    studio = slow(step_seconds=0.02)
    write(studio, LINES)
    inputs = [of_text(f"fox {n}") for n in range(4)]
    run = running(studio, inputs)
    seen: list[Event] = []
    for event in run.work():
        seen.append(event)
        if event.state == "begun" and len(seen) > 3:
            run.stop()
    assert run.stopped
    done = [event for event in seen if event.state == "done"]
    assert 1 <= len(done) < 4
    rest = list(running(studio, inputs).work())
    assert [event.state for event in rest if event.state != "begun"] == ["had"] * len(done) + ["done"] * (4 - len(done))


def test_a_journal_that_was_cut_off_or_is_damaged_loses_only_what_is_not_whole(studio: Studio) -> None:
    write(studio, LINES)
    inputs = [of_text(f"fox {n}") for n in range(3)]
    run = running(studio, inputs)
    list(run.work())
    data = run.journal.read_bytes().splitlines(keepends=True)
    hostile = [
        b"[]\n",
        b'{"mark": 3}\n',
        b"\xff\n",
        json.dumps({"mark": "a", "input": "b", "step": "c", "ids": ["../../x"], "text": ""}).encode() + b"\n",
    ]
    run.journal.write_bytes(data[0] + b"".join(hostile) + data[1] + data[2][:20])
    assert [event.state for event in running(studio, inputs).work()] == ["had", "had", "begun", "done"]


def test_two_workers_of_one_chain_do_not_meet(studio: Studio) -> None:
    write(studio, LINES)
    work = running(studio, [of_text("a fox")]).work()
    next(work)
    assert refusal(lambda: list(running(studio, [of_text("a hare")]).work())).code == "chain_busy"
    list(work)


@pytest.mark.parametrize(
    ("inputs", "slots", "code"),
    [
        ([], {}, "chain_no_input"),
        ([of_text("a")], {}, "chain_input"),
        ([of_text("a")] * 1001, {}, "too_many"),
        (None, {"stile": "ink"}, "chain_set"),
        (None, {"style": "  "}, "chain_unset"),
        (None, {"style": "x" * 20_001}, "too_long"),
    ],
)
def test_what_a_chain_does_not_take_starts_nothing(
    studio: Studio, tmp_path: Path, inputs: list[Input] | None, slots: dict[str, str], code: str
) -> None:
    write(studio, CARDS)
    given = [of_file(picture(tmp_path, "a"))] if inputs is None else inputs
    assert refusal(lambda: running(studio, given, slots=slots)).code == code
    assert studio.jobs() == ()


def test_files_that_are_neither_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no picture")
    assert refusal(lambda: of_file(tmp_path / "a.png")).code == "chain_file"
    assert refusal(lambda: of_file(tmp_path / "b.png")).code == "file_not_found"


def test_the_shelf_has_the_persons_own_before_those_that_come_along(studio: Studio) -> None:
    names = [one.name for one in studio.chains.all()]
    assert names == sorted(file.stem for file in SHIPPED.glob("*.toml"))
    write(studio, LINES, "postcards")
    write(studio, "nonsense", "mine")
    known = {one.name: one for one in studio.chains.all()}
    assert known["postcards"].chain is not None
    assert known["postcards"].chain.takes == "text"
    assert known["mine"].error is not None
    error = refusal(lambda: studio.chains.chain("postcard"))
    assert (error.code, error.params["known"]) == ("unknown_chain", "postcards")
    for name in ("../cards", "/etc/passwd", "", "a\0b"):
        assert refusal(lambda name=name: studio.chains.named(name)).code == "unknown_chain"


def test_behind_the_page_one_works_at_a_time_and_its_outputs_are_a_collection(studio: Studio, tmp_path: Path) -> None:
    write(studio, CARDS)
    inputs = [of_file(picture(tmp_path, name, name)) for name in ("red", "blue")]
    working = studio.chains.start("cards", inputs, {}, language="en")
    assert refusal(lambda: studio.chains.start("cards", inputs, {})).code == "chain_busy"
    assert studio.chains._thread is not None
    studio.chains._thread.join(30)
    told = document(working)
    assert (told["done"], told["units"], told["over"], told["stopped"]) == (6, 6, True, False)
    assert studio.archive is not None
    assert studio.archive.labels()[1] == {"Cards": 6}
    assert [(one["input"], one["step"]) for one in told["texts"]] == [("red", "words"), ("blue", "words")]


def test_strangers_have_no_chains(settings: Settings) -> None:
    with Studio(settings.model_copy(update={"profile": "space"})) as studio:
        assert studio.chains.all() == ()
        for act in (lambda: studio.chains.chain("postcards"), lambda: studio.chains.start("postcards", [], {})):
            assert refusal(act).code == "not_for_public"
