"""Which of the jobs that wait goes next: the rules as examples, walks at random, and bugs that a walk has to find."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from line_world import walk

from studio.jobs import line as rules
from studio.jobs.line import LEAD, PASSED, PATIENCE, Entry, Lane, Line

HOWS: tuple[dict[str, Any], ...] = (
    {}, {"saves": 0.0}, {"many": True}, {"lanes": ("", "cpu")}, {"saves": 0.0, "many": True},
)  # fmt: skip


def lined(jobs: str, saves: float = 20.0, seconds: float | None = 1.0, used: str = "x") -> Line:
    """A line in which jobs wait, each named by its owner, its model and a number: "ax1 ay2 bx1"; the model that was
    the last to be used is `used`, whose job is at work."""
    line = Line(None, lambda _, __: saves)
    line.add(Entry("now", ("", "now"), used))
    assert line.next() is not None
    for job in jobs.split():
        line.add(Entry(job, ("", job[0]), job[1], seconds=seconds))
    return line


def order(line: Line) -> str:
    return " ".join(entry.id for entry in line.order())


def worked(line: Line) -> Iterator[str]:
    """Let one job after the other be done."""
    while True:
        for lane in line.lanes.values():
            for id in list(lane.working):
                line.over(id)
        if (entry := line.next()) is None:
            return
        yield entry.id


# ---- examples


def test_a_hundred_jobs_of_one_keep_nobody_elses_one_waiting() -> None:
    line = lined(" ".join(f"ax{number}" for number in range(100)) + " by1", saves=0)
    assert line.ahead("by1", line.order()) == 2  # the one at work, and one of the hundred
    assert list(worked(line)).index("by1") == 1


def test_a_job_whose_model_is_there_goes_first_where_that_saves_a_load() -> None:
    line = lined("ay1 ax1 ay2 ax2")
    assert order(line) == "ax1 ax2 ay1 ay2"
    assert [entry.saved for entry in line.order()] == [20.0, 20.0, 0.0, 0.0]
    assert " ".join(worked(line)) == "ax1 ax2 ay1 ay2"


def test_it_does_not_where_both_are_in_memory_or_the_load_is_nothing() -> None:
    assert order(lined("ay1 ax1", saves=0)) == order(lined("ay1 ax1", saves=0.5)) == "ay1 ax1"


def test_only_so_many_pass_and_only_for_so_long() -> None:
    after = " ".join(f"ax{number}" for number in range(1, 9))
    assert order(lined(f"ay1 {after}")).split().index("ay1") == PASSED
    assert order(lined(f"ay1 {after}", seconds=PATIENCE / 2)).split().index("ay1") == 2
    assert order(lined(f"ay1 {after}", seconds=PATIENCE * 2)).split().index("ay1") == 0
    assert order(lined(f"ay1 {after}", seconds=None)).split().index("ay1") > 0


def test_somebody_elses_may_pass_too_and_that_is_their_turn() -> None:
    line = lined("ay1 ay2 ay3 ay4 ay5 bx1 bx2 bx3 bx4 bx5")
    went = list(worked(line))
    assert went[:LEAD] == ["bx1", "bx2", "bx3"]
    assert went[LEAD : LEAD + 4] == ["ay1", "ay2", "ay3", "ay4"], "so many turns were theirs"


def test_what_was_put_somewhere_by_hand_stays_there() -> None:
    line = lined("ay1 az2 ax1")
    assert order(line) == "ax1 ay1 az2"
    assert line.move("az2", "front")
    assert order(line) == "az2 ax1 ay1"
    assert line.move("az2", "down")
    assert order(line) == "ax1 az2 ay1"
    assert line.move("ay1", "up")
    assert " ".join(worked(line)) == "ax1 ay1 az2"
    assert not line.move("ay1", "up"), "it does not wait any more"


def test_moving_changes_nobody_elses_turn() -> None:
    line = lined("ay1 ay2 ay3 by1 by2", saves=0)
    assert order(line) == "ay1 by1 ay2 by2 ay3"
    line.move("ay3", "front")
    assert order(line) == "ay3 by1 ay1 by2 ay2"


def test_what_is_on_hold_keeps_its_place_and_holds_up_nobody() -> None:
    line = lined("ay1 ay2 by1", saves=0)
    assert line.hold("ay1", True)
    assert order(line) == "ay2 by1 ay1"
    line.over("now")
    assert (entry := line.next()) is not None
    assert entry.id == "ay2"
    line.hold("ay1", False)
    line.hold("by1", True)
    assert " ".join(worked(line)) == "ay1", "and by1 waits until it may go on"


def test_a_job_can_be_put_on_hold_before_it_is_in_line() -> None:
    line = lined("ay1", saves=0)
    assert not line.hold("ay2", True)
    line.add(Entry("ay2", ("", "a"), "y"))
    assert list(worked(line)) == ["ay1"]
    assert line.hold("ay2", False)
    assert list(worked(line)) == ["ay2"]


def test_one_that_was_let_go_and_did_not_begin_is_the_first_again() -> None:
    line = lined("ay1 ay2", saves=0)
    line.over("now")
    entry = line.next()
    assert entry is not None
    assert line.leave(entry.id) is entry
    line.add(entry, front=True)
    assert order(line) == "ay1 ay2"


def test_where_there_are_several_devices_a_model_that_is_at_work_holds_up_no_other() -> None:
    line = Line({"": 2})
    for id, model in (("1", "x"), ("2", "x"), ("3", "y")):
        line.add(Entry(id, ("", "a"), model))
    assert [entry.id for entry in iter(line.next, None)] == ["1", "3"]
    line.over("1")
    assert [entry.id for entry in iter(line.next, None)] == ["2"]


def test_lanes_do_not_wait_for_each_other() -> None:
    line = Line()
    for id, lane in (("1", ""), ("2", ""), ("3", "cpu"), ("4", "cpu")):
        line.add(Entry(id, ("", "a"), lane=lane))
    assert [entry.id for entry in iter(line.next, None)] == ["1", "3"]
    assert (line.ahead("2", line.order()), line.ahead("4", line.order())) == (1, 1)


# ---- at random


@given(st.integers(0, 10**9), st.sampled_from(HOWS))
def test_nobody_starves_and_the_order_is_as_it_was_chosen(seed: int, how: dict[str, Any]) -> None:
    assert walk(seed, **how) == ""


# ---- bugs

Mutation = Callable[[pytest.MonkeyPatch], None]


def _hold_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Line, "hold", lambda self, id, on: self.waiting(id) is not None)
    patch.setattr(Entry, "held", property(lambda _: False, lambda _, __: None))


def _passes_without_end(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(rules, "_patient", lambda *_: True)


def _what_was_put_is_passed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Entry, "put", property(lambda _: False, lambda _, __: None))


def _passing_is_free(patch: pytest.MonkeyPatch) -> None:
    real = Line._take

    def take(self: Line, entry: Entry, lane: Lane) -> None:
        real(self, entry, lane)
        for rank in (lane.addresses.get(entry.share[0]), lane.people.get(entry.share)):
            if rank is not None and entry.saved:
                rank.turns -= 1

    patch.setattr(Line, "_take", take)
    patch.setattr(rules, "_patient", lambda *_: True)


def _first_come_first_served(patch: pytest.MonkeyPatch) -> None:
    def heads(self: Line, name: str, lane: Lane, real: bool) -> Iterator[Entry]:
        del lane, real
        waiting = (entry for own in self.own.values() for entry in own if entry.lane == name and not entry.held)
        yield from sorted(waiting, key=lambda entry: int(entry.id))

    patch.setattr(Line, "_heads", heads)


def _an_empty_place_is_not_given_away(patch: pytest.MonkeyPatch) -> None:
    real = Line.next
    patch.setattr(Line, "next", lambda self: None if self._clock % 7 == 3 else real(self))


def _what_is_told_is_not_what_happens(patch: pytest.MonkeyPatch) -> None:
    real = Line.order
    patch.setattr(Line, "order", lambda self: sorted(real(self), key=lambda entry: int(entry.id)))


def _moving_jumps_over_others(patch: pytest.MonkeyPatch) -> None:
    real = Line.move
    patch.setattr(Line, "move", lambda self, id, how: real(self, id, "front" if how == "up" else how))


@pytest.mark.parametrize(
    "bug",
    [
        _hold_is_forgotten, _passes_without_end, _what_was_put_is_passed, _passing_is_free, _first_come_first_served,
        _an_empty_place_is_not_given_away, _what_is_told_is_not_what_happens, _moving_jumps_over_others,
    ],
)  # fmt: skip
def test_a_walk_finds_that(bug: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    bug(monkeypatch)
    assert any(walk(seed, **how) for seed in range(60) for how in HOWS)


# ---- among strangers


def strangers(jobs: str, seconds: dict[str, float | None], places: int = 1) -> Line:
    """A line of people who do not know each other, in which each job is named by its owner and takes so long."""
    line = Line({"": places}, strangers=True)
    for job in jobs.split():
        line.add(Entry(job, ("", job[0]), job[0], seconds=seconds[job[0]]))
    return line


def timed(line: Line, took: dict[str, float]) -> Iterator[str]:
    """Let one job after the other be done, each in the time that its owner's take."""
    while (entry := line.next()) is not None:
        yield entry.id
        line.over(entry.id, took[entry.id[0]])


def test_a_turn_is_as_long_as_it_takes() -> None:
    took = {"a": 60.0, "b": 10.0}
    line = strangers("a1 a2 a3 b1 b2 b3 b4 b5 b6 b7", {"a": 60.0, "b": 10.0})
    went = list(timed(line, took))
    assert went[:8] == ["a1", "b1", "b2", "b3", "b4", "b5", "b6", "a2"], "as many seconds each, not as many jobs"


def test_what_took_longer_than_was_known_counts_as_it_was() -> None:
    line = strangers("a1 a2 b1 b2 b3", {"a": None, "b": 1.0})
    assert list(timed(line, {"a": 500.0, "b": 1.0})) == ["a1", "b1", "b2", "b3", "a2"]


def test_a_long_job_before_anybody_else_came_counts_too() -> None:
    line = strangers("a1", {"a": None})
    first = line.next()
    assert first is not None
    line.add(Entry("b1", ("", "b"), "x", seconds=1.0))
    line.add(Entry("a2", ("", "a"), "x", seconds=1.0))
    line.add(Entry("c1", ("", "c"), "x", seconds=1.0))
    line.over(first.id, 300.0)
    assert list(timed(line, {"a": 1.0, "b": 1.0, "c": 1.0})) == ["b1", "c1", "a2"]


def test_who_comes_anew_waits_behind_those_who_used_as_little() -> None:
    line = strangers("a1 a2 b1 b2", {"a": 10.0, "b": 10.0})
    went = timed(line, {"a": 10.0, "b": 10.0, "c": 10.0})
    assert [next(went), next(went)] == ["a1", "b1"]
    assert next(went) == "a2"
    for number in range(1, 4):
        line.add(Entry(f"c{number}", ("", "c"), "x", seconds=10.0))
    assert list(went)[:2] == ["b2", "c1"], "it has no credit for the time when it was not here"


def test_a_stranger_has_one_job_at_work() -> None:
    line = strangers("a1 a2 b1", {"a": 1.0, "b": 1.0}, places=3)
    assert [entry.id for entry in iter(line.next, None)] == ["a1", "b1"]
    line.over("a1", 1.0)
    assert [entry.id for entry in iter(line.next, None)] == ["a2"]


@given(st.integers(0, 10**9))
def test_no_strangers_seconds_run_away_from_those_of_others_who_wait(seed: int) -> None:
    dice = random.Random(seed)
    line = Line(strangers=True)
    each = {who: dice.choice([1.0, 7.0, 40.0]) for who in "abcd"}
    for who, seconds in each.items():
        for number in range(60):
            line.add(Entry(f"{who}{number}", ("", who), "x", seconds=dice.choice([None, seconds])))
    used = dict.fromkeys(each, 0.0)
    for _ in range(50):
        entry = line.next()
        assert entry is not None
        used[entry.id[0]] += each[entry.id[0]]
        line.over(entry.id, each[entry.id[0]])
        assert max(used.values()) - min(used.values()) <= max(each.values()) + 1e-6
