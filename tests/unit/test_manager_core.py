"""The rules of the model manager, as examples and as a random walk that must never break an invariant."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from studio.errors import StudioError
from studio.manager.core import COOLDOWN_MOST, OVERTAKE, Core
from studio.manager.ledger import Decision, Grant, Load, Refuse, State, Unload


def kinds(decisions: list[Decision]) -> list[str]:
    return [type(decision).__name__ for decision in decisions]


def ready(core: Core, key: str, weights: int, now: float = 0.0, keep_alive: float = 300.0) -> None:
    """Bring a model in memory and let go of it."""
    ticket, _ = core.request(now, key, weights=weights, keep_alive=keep_alive)
    granted = core.loaded(now, key, weights)
    lease = next(d.lease for d in granted if isinstance(d, Grant) and d.ticket == ticket)
    core.release(now, lease)


def lease_of(decisions: list[Decision]) -> int:
    return next(decision.lease for decision in decisions if isinstance(decision, Grant))


def test_the_first_request_loads_and_the_second_shares_the_load() -> None:
    core = Core(budget=100, slots=2)
    _, first = core.request(0, "a", weights=50, exclusive=False)
    _, second = core.request(0, "a", weights=50, exclusive=False)
    assert (kinds(first), kinds(second)) == (["Load"], [])
    assert kinds(core.loaded(1, "a", 50)) == ["Grant", "Grant"]


def test_a_resident_model_is_granted_at_once() -> None:
    core = Core(budget=100)
    ready(core, "a", 50)
    assert kinds(core.request(1, "a", weights=50)[1]) == ["Grant"]


def test_a_lease_reserves_its_working_memory() -> None:
    core = Core(budget=100)
    ready(core, "a", 50)
    _, granted = core.request(1, "a", weights=50, work=50)
    assert core.room == 0
    core.release(2, lease_of(granted))
    assert core.room == 50


def test_what_can_never_fit_is_refused_before_anything_is_evicted() -> None:
    core = Core(budget=100)
    ready(core, "a", 50)
    _, decisions = core.request(1, "b", weights=80, work=21)
    assert kinds(decisions) == ["Refuse"]
    assert isinstance(decisions[0], Refuse)
    assert decisions[0].error.code == "does_not_fit"
    assert core.entries["a"].state is State.READY


def test_exactly_the_budget_fits_and_one_byte_more_does_not() -> None:
    assert kinds(Core(budget=100).request(0, "a", weights=60, work=40)[1]) == ["Load"]
    assert kinds(Core(budget=100).request(0, "a", weights=60, work=41)[1]) == ["Refuse"]


def test_a_pin_in_the_way_is_named() -> None:
    core = Core(budget=100)
    ready(core, "a", 50)
    core.pin(1, "a", True)
    _, decisions = core.request(1, "b", weights=60)
    assert isinstance(decisions[0], Refuse)
    assert decisions[0].error.code == "pinned_full"
    assert decisions[0].error.params["pins"] == "a"


def test_one_model_that_covers_the_need_goes_rather_than_three_colder_small_ones() -> None:
    core = Core(budget=100)
    for moment, (key, size) in enumerate([("s1", 10), ("s2", 10), ("s3", 10), ("big", 60)]):
        ready(core, key, size, now=moment)
    _, decisions = core.request(9, "new", weights=50)
    assert decisions == [Unload("big", "room")]


def test_the_coldest_go_and_superfluous_ones_stay() -> None:
    core = Core(budget=100)
    for moment, (key, size) in enumerate([("tiny", 5), ("b", 40), ("c", 40)]):
        ready(core, key, size, now=moment)
    _, decisions = core.request(9, "new", weights=90)
    assert {decision.key for decision in decisions if isinstance(decision, Unload)} == {"b", "c"}


def test_memory_counts_as_free_only_when_the_unload_is_done() -> None:
    core = Core(budget=100)
    ready(core, "a", 80)
    _, decisions = core.request(1, "b", weights=80)
    assert decisions == [Unload("a", "room")]
    assert core.tick(2) == []
    assert core.unloaded(3, "a") == [Load("b")]


def test_a_failed_unload_stays_charged() -> None:
    core = Core(budget=100)
    ready(core, "a", 80)
    core.evict(1)
    core.unload_failed(2, "a")
    assert core.charged == 80
    assert kinds(core.request(3, "b", weights=30)[1]) == ["Refuse"]


def test_a_model_wanted_again_while_it_leaves_is_loaded_again() -> None:
    core = Core(budget=100)
    ready(core, "a", 80)
    core.evict(1)
    assert core.request(2, "a", weights=80)[1] == []
    assert core.unloaded(3, "a") == [Load("a")]


def test_keep_alive_counts_from_the_last_release() -> None:
    core = Core(budget=100)
    ready(core, "a", 50, now=0, keep_alive=10)
    _, granted = core.request(5, "a", weights=50, keep_alive=10)
    assert core.tick(100) == []
    core.release(100, lease_of(granted))
    assert core.tick(109) == []
    assert core.next_deadline() == 110
    assert core.tick(110) == [Unload("a", "idle")]


def test_keep_alive_zero_leaves_at_once_and_negative_never() -> None:
    core = Core(budget=100)
    _, _ = core.request(0, "a", weights=50, keep_alive=0)
    lease = lease_of(core.loaded(0, "a", 50))
    assert core.release(1, lease) == [Unload("a", "idle")]
    ready(other := Core(budget=100), "b", 50, keep_alive=-1)
    assert other.tick(1e12) == []


def test_a_model_in_use_leaves_at_its_last_release() -> None:
    core = Core(budget=100)
    ready(core, "a", 50)
    _, granted = core.request(1, "a", weights=50)
    assert core.evict(2, "a") == []
    assert core.release(3, lease_of(granted)) == [Unload("a", "stale")]


def test_releasing_twice_changes_nothing() -> None:
    core = Core(budget=100)
    ready(core, "a", 50)
    lease = lease_of(core.request(1, "a", weights=50)[1])
    core.release(2, lease)
    core.release(3, lease)
    assert core.entries["a"].leases == 0


def test_a_failed_load_tells_everybody_and_waits_before_the_next_try() -> None:
    core = Core(budget=100)
    core.request(0, "a", weights=50)
    core.request(0, "a", weights=50)
    broken = StudioError("broken_model", model="a", reason="x")
    assert kinds(core.load_failed(1, "a", broken)) == ["Refuse", "Refuse"]
    _, soon = core.request(2, "a", weights=50)
    assert isinstance(soon[0], Refuse)
    assert soon[0].error.code == "cooling_down"
    assert kinds(core.request(11, "a", weights=50)[1]) == ["Load"]


def test_the_wait_doubles_up_to_a_limit_and_is_forgiven_on_request() -> None:
    core, now = Core(budget=100), 0.0
    for _ in range(9):
        now += COOLDOWN_MOST
        core.request(now, "a", weights=50)
        core.load_failed(now, "a", StudioError("broken_model", model="a", reason="x"))
    assert kinds(core.request(now + COOLDOWN_MOST - 1, "a", weights=50)[1]) == ["Refuse"]
    core.forgive(now, "a")
    assert kinds(core.request(now, "a", weights=50)[1]) == ["Load"]


def test_warm_requests_pass_a_blocked_one_a_bounded_number_of_times() -> None:
    core = Core(budget=100, slots=9)
    ready(core, "warm", 10)
    ready(core, "held", 60)
    core.request(1, "held", weights=60)
    core.request(1, "cold", weights=90)
    granted = 0
    for _ in range(OVERTAKE + 2):
        _, decisions = core.request(2, "warm", weights=10)
        if "Grant" in kinds(decisions):
            granted += 1
            core.release(3, lease_of(decisions))
    assert granted == OVERTAKE


def test_an_overtaker_does_not_take_the_room_being_made() -> None:
    core = Core(budget=100, slots=9)
    ready(core, "warm", 10)
    ready(core, "old", 60)
    core.request(1, "new", weights=70, work=20)
    assert core.entries["old"].state is State.UNLOADING
    assert core.request(2, "warm", weights=10, work=30)[1] == []


def test_a_smaller_budget_lets_idle_models_go_and_never_a_leased_one() -> None:
    core = Core(budget=100)
    ready(core, "idle", 40)
    ready(core, "used", 40)
    core.request(1, "used", weights=40)
    assert core.set_budget(2, 30) == [Unload("idle", "shrink")]


def test_a_load_whose_only_waiter_left_is_kept_for_its_keep_alive() -> None:
    core = Core(budget=100)
    ticket, _ = core.request(0, "a", weights=50, work=20)
    core.cancel(1, ticket)
    assert core.charged == 50
    assert core.loaded(2, "a", 50) == []
    assert core.entries["a"].state is State.READY


KEYS = {"a": 10, "b": 25, "c": 40, "d": 70, "e": 101}


class Walk(RuleBasedStateMachine):
    """Random events against an independent account of what must be true."""

    def __init__(self) -> None:
        super().__init__()
        self.core = Core(budget=100, slots=2)
        self.now = 0.0
        self.steady = True
        self.open: dict[int, str] = {}
        self.live: dict[int, tuple[str, int]] = {}
        self.work: dict[int, int] = {}
        self.effects: list[Load | Unload] = []
        self.loading: set[str] = set()
        self.resident: set[str] = set()

    def take(self, decisions: list[Decision]) -> None:
        evicted = any(isinstance(d, Unload) and d.reason == "room" for d in decisions)
        for decision in decisions:
            match decision:
                case Load(key):
                    assert key not in self.loading, "one load at a time"
                    assert key not in self.resident, "never while resident"
                    self.loading.add(key)
                    self.effects.append(decision)
                case Unload(key, _):
                    assert key in self.resident
                    assert not any(held == key for held, _ in self.live.values()), "never unload what is leased"
                    assert not self.core.entries[key].pinned or decision.reason in ("asked", "stale")
                    self.effects.append(decision)
                case Grant(ticket, lease, key):
                    assert self.open.pop(ticket) == key, "resolved exactly once"
                    assert key in self.resident, "a grant means resident"
                    assert self.core.entries[key].state is State.READY
                    self.live[lease] = (key, self.work.pop(ticket))
                case Refuse(ticket, error):
                    assert self.open.pop(ticket), "resolved exactly once"
                    assert not (evicted and error.code == "does_not_fit" and len(decisions) == 1)

    @rule(
        key=st.sampled_from(sorted(KEYS)), work=st.sampled_from([0, 5, 30, 60]), keep=st.sampled_from([0, 10, 300, -1])
    )
    def request(self, key: str, work: int, keep: float) -> None:
        expected = max([0, *self.open, *self.live]) + 1
        del expected
        core = self.core
        ticket_before = {ticket.id for ticket in core.queue}
        ticket, decisions = core.request(
            self.now, key, weights=KEYS[key], work=work, keep_alive=keep, exclusive=key != "a"
        )
        assert ticket not in ticket_before
        self.open[ticket], self.work[ticket] = key, work
        self.take(decisions)

    @precondition(lambda self: self.effects)
    @rule(pick=st.integers(0, 9), good=st.booleans(), factor=st.sampled_from([1, 1, 1, 2]))
    def finish(self, pick: int, good: bool, factor: int) -> None:
        effect = self.effects.pop(pick % len(self.effects))
        if isinstance(effect, Load):
            self.loading.discard(effect.key)
            if good:
                self.resident.add(effect.key)
                self.take(self.core.loaded(self.now, effect.key, KEYS[effect.key] * (1 if self.steady else factor)))
            else:
                self.take(
                    self.core.load_failed(self.now, effect.key, StudioError("broken_model", model="m", reason="r"))
                )
        elif good:
            self.resident.discard(effect.key)
            self.take(self.core.unloaded(self.now, effect.key))
        else:
            self.take(self.core.unload_failed(self.now, effect.key))

    @precondition(lambda self: self.live)
    @rule(pick=st.integers(0, 9), twice=st.booleans())
    def release(self, pick: int, twice: bool) -> None:
        lease = sorted(self.live)[pick % len(self.live)]
        del self.live[lease]
        self.take(self.core.release(self.now, lease))
        if twice:
            assert self.core.release(self.now, lease) == []

    @precondition(lambda self: self.open)
    @rule(pick=st.integers(0, 9))
    def cancel(self, pick: int) -> None:
        ticket = sorted(self.open)[pick % len(self.open)]
        del self.open[ticket]
        self.take(self.core.cancel(self.now, ticket))

    @rule(key=st.sampled_from([None, *sorted(KEYS)]))
    def evict(self, key: str | None) -> None:
        self.take(self.core.evict(self.now, key))

    @rule(key=st.sampled_from(sorted(KEYS)), on=st.booleans())
    def pin(self, key: str, on: bool) -> None:
        self.take(self.core.pin(self.now, key, on))

    @precondition(lambda self: not self.steady)
    @rule(budget=st.sampled_from([60, 100, 100, 140]))
    def gauge_moves(self, budget: int) -> None:
        self.take(self.core.set_budget(self.now, budget))

    @rule(step=st.sampled_from([0.5, 11, 400]))
    def time_passes(self, step: float) -> None:
        self.now += step
        self.take(self.core.tick(self.now))

    @invariant()
    def the_ledger_is_the_sum_of_what_is_there(self) -> None:
        core = self.core
        assert {t.id for t in core.queue} == set(self.open)
        assert core.leases == self.live
        assert len(self.live) <= core.slots
        for key, entry in core.entries.items():
            held = [lease for lease in self.live.values() if lease[0] == key]
            assert entry.leases == len(held)
            assert not (entry.exclusive and len(held) > 1)
            assert (entry.state is State.LOADING) == (key in self.loading)
        assert not self.steady or core.charged <= core.budget
        assert core.charged >= sum(e.weights for e in core.entries.values()) + sum(w for _, w in self.live.values())

    @invariant()
    def nobody_is_overtaken_too_often(self) -> None:
        assert all(ticket.overtaken <= OVERTAKE for ticket in self.core.queue)

    def teardown(self) -> None:
        """With no new requests and every effect succeeding, everybody is answered and everything ends up free."""
        for key in KEYS:
            self.take(self.core.pin(self.now, key, False))
        while self.effects or self.live:
            if self.effects:
                self.finish(0, True, 1)
            else:
                self.release(0, False)
        broken = any(entry.state is State.BROKEN for entry in self.core.entries.values())
        assert not self.open or broken, "everybody is answered"
        if not broken:
            assert self.core.charged == sum(entry.weights for entry in self.core.entries.values())


TestWalk = Walk.TestCase
TestWalk.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
