"""Random events against the manager's rules: no invariant may ever break, whatever is asked and whatever fails."""

from __future__ import annotations

import random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from manager_world import SIZES, World, walk

from studio.manager.decisions import Decision, Grant, Load, Park, Place, Unload

KEYS = st.sampled_from(sorted(SIZES))
PICK = st.integers(0, 9)


class Machine(RuleBasedStateMachine):
    """Hypothesis chooses the events and shrinks what breaks a rule to a short story."""

    world: World

    @initialize(steady=st.booleans(), unified=st.booleans(), slots=st.sampled_from([1, 2]))
    def begin(self, steady: bool, unified: bool, slots: int) -> None:
        self.world = World(steady, unified, slots=slots)

    @rule(
        key=KEYS, work=st.sampled_from([0, 5, 30, 60]), half=st.booleans(), alone=st.booleans(),
        keep=st.sampled_from([0, 10, 300, -1]), park=st.sampled_from([0, 60, 600]),
    )  # fmt: skip
    def request(self, key: str, work: int, half: bool, alone: bool, keep: float, park: float) -> None:
        self.world.request(key, work, work // 2 if half else work, keep, park, alone)

    @precondition(lambda self: self.world.effects)
    @rule(pick=PICK, good=st.booleans(), full=st.booleans(), factor=st.sampled_from([1, 1, 2]))
    def finish(self, pick: int, good: bool, full: bool, factor: int) -> None:
        self.world.finish(pick, good, full, factor)

    @precondition(lambda self: self.world.live)
    @rule(pick=PICK, twice=st.booleans())
    def release(self, pick: int, twice: bool) -> None:
        self.world.release(pick, twice)

    @precondition(lambda self: self.world.open)
    @rule(pick=PICK)
    def cancel(self, pick: int) -> None:
        self.world.cancel(pick)

    @rule(key=st.sampled_from([None, *sorted(SIZES)]))
    def evict(self, key: str | None) -> None:
        self.world.evict(key)

    @rule(key=KEYS, on=st.booleans())
    def pin(self, key: str, on: bool) -> None:
        self.world.pin(key, on)

    @rule(budget=st.sampled_from([60, 100, 140]), host=st.sampled_from([0, 20, 60]))
    def gauge(self, budget: int, host: int) -> None:
        self.world.gauge(budget, host)

    @rule()
    def stuck(self) -> None:
        self.world.stuck()

    @rule(seconds=st.sampled_from([0.5, 11.0, 70.0, 400.0]))
    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


@pytest.mark.parametrize("seed", range(4))
def test_no_rule_breaks_in_ten_thousand_events(seed: int) -> None:
    for number in range(50):
        walk(seed * 1000 + number, 200)


def story(world: World, seed: int) -> list[tuple[str, str]]:
    """What the core decided in a walk, without the names and sizes."""
    dice = random.Random(seed)
    for _ in range(150):
        world.step(dice)
    return [told(decision, world) for decision in world.trace]


def told(decision: Decision, world: World) -> tuple[str, str]:
    key = world.key(decision.key) if isinstance(decision, Grant | Load | Park | Place | Unload) else ""
    return type(decision).__name__, key


@pytest.mark.parametrize("unified", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_twice_the_sizes_and_twice_the_budget_change_no_decision(seed: int, unified: bool) -> None:
    assert story(World(unified=unified), seed) == story(World(unified=unified, scale=2), seed)


@pytest.mark.parametrize("unified", [True, False])
@pytest.mark.parametrize("seed", range(30))
def test_other_names_change_no_decision(seed: int, unified: bool) -> None:
    renamed = dict(zip(SIZES, ("z", "y", "x", "w", "v"), strict=True))
    assert story(World(unified=unified), seed) == story(World(unified=unified, name=renamed.__getitem__), seed)


def test_a_walk_comes_to_every_kind_of_decision() -> None:
    """The walk would prove nothing if it hardly ever came to a grant, a park or a failure."""
    seen = {
        kind for seed in range(40) for kind in [told(d, world)[0] for world in [walk(seed, 200)] for d in world.trace]
    }
    assert seen == {"Grant", "Load", "Park", "Place", "Refuse", "Unload"}
