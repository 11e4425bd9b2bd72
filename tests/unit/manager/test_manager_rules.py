"""The rules of the model manager, as examples."""

from __future__ import annotations

from studio.errors import StudioError
from studio.manager.core import COOLDOWN_MOST, Core
from studio.manager.decisions import Decision, Grant, Load, Park, Place, Refuse, Unload
from studio.manager.ledger import Ledger, State
from studio.manager.scheduling import OVERTAKE
from studio.manager.snapshot import departures


def core_of(budget: int = 100, slots: int = 1, unified: bool = True, host: int = 100) -> Core:
    return Core(Ledger(budget, host, unified), slots)


def kinds(decisions: list[Decision]) -> list[str]:
    return [type(decision).__name__ for decision in decisions]


def ready(
    core: Core, key: str, weights: int, now: float = 0.0, keep_alive: float = 300.0, host: int | None = None
) -> None:
    """Bring a model in memory and let go of it. One with `host` can be parked."""
    park = 0.0 if host is None else 600.0
    ticket, _ = core.request(now, key, weights=weights, keep_alive=keep_alive, park_alive=park)
    granted = core.loaded(now, key, weights, host)
    lease = next(d.lease for d in granted if isinstance(d, Grant) and d.ticket == ticket)
    core.release(now, lease)


def lease_of(decisions: list[Decision]) -> int:
    return next(decision.lease for decision in decisions if isinstance(decision, Grant))


def test_the_first_request_loads_and_the_second_shares_the_load() -> None:
    core = core_of()
    _, first = core.request(0, "a", weights=50, places=2)
    _, second = core.request(0, "a", weights=50, places=2)
    assert (kinds(first), kinds(second)) == (["Load"], [])
    assert kinds(core.loaded(1, "a", 50)) == ["Grant", "Grant"]


def test_a_resident_model_is_granted_at_once() -> None:
    core = core_of()
    ready(core, "a", 50)
    assert kinds(core.request(1, "a", weights=50)[1]) == ["Grant"]


def test_a_lease_reserves_its_working_memory() -> None:
    core = core_of()
    ready(core, "a", 50)
    _, granted = core.request(1, "a", weights=50, work=50)
    assert core.ledger.room == 0
    core.release(2, lease_of(granted))
    assert core.ledger.room == 50


def test_what_can_never_fit_is_refused_before_anything_is_evicted() -> None:
    core = core_of()
    ready(core, "a", 50)
    _, decisions = core.request(1, "b", weights=80, work=21)
    assert kinds(decisions) == ["Refuse"]
    assert isinstance(decisions[0], Refuse)
    assert decisions[0].error.code == "does_not_fit"
    assert core.ledger.entries["a"].state is State.READY


def test_exactly_the_budget_fits_and_one_byte_more_does_not() -> None:
    assert kinds(core_of().request(0, "a", weights=60, work=40)[1]) == ["Load"]
    assert kinds(core_of().request(0, "a", weights=60, work=41)[1]) == ["Refuse"]


def test_a_pin_in_the_way_is_named() -> None:
    core = core_of()
    ready(core, "a", 50)
    core.pin(1, "a", True)
    _, decisions = core.request(1, "b", weights=60)
    assert isinstance(decisions[0], Refuse)
    assert decisions[0].error.code == "pinned_full"
    assert decisions[0].error.params["pins"] == "a"


def test_one_model_that_covers_the_need_goes_rather_than_three_colder_small_ones() -> None:
    core = core_of()
    for moment, (key, size) in enumerate([("s1", 10), ("s2", 10), ("s3", 10), ("big", 60)]):
        ready(core, key, size, now=moment)
    _, decisions = core.request(9, "new", weights=50)
    assert decisions == [Unload("big", "room")]


def test_what_made_room_remembers_for_whom() -> None:
    core = core_of()
    ready(core, "closed", 40)
    ready(core, "parked", 40, 1, host=5)
    core.request(2, "new", weights=95)
    left = departures(core.ledger, 3)
    assert {(one.key, one.reason, one.for_key) for one in left} == {
        ("closed", "room", "new"), ("parked", "room", "new"),
    }  # fmt: skip
    core = core_of()
    ready(core, "idle", 40)
    core.tick(500)
    assert [(one.reason, one.for_key) for one in departures(core.ledger, 501)] == [("idle", "")]


def test_the_coldest_go_and_superfluous_ones_stay() -> None:
    core = core_of()
    for moment, (key, size) in enumerate([("tiny", 5), ("b", 40), ("c", 40)]):
        ready(core, key, size, now=moment)
    _, decisions = core.request(9, "new", weights=90)
    assert {decision.key for decision in decisions if isinstance(decision, Unload)} == {"b", "c"}


def test_memory_counts_as_free_only_when_the_unload_is_done() -> None:
    core = core_of()
    ready(core, "a", 80)
    _, decisions = core.request(1, "b", weights=80)
    assert decisions == [Unload("a", "room")]
    assert core.tick(2) == []
    assert core.unloaded(3, "a") == [Load("b")]


def test_a_failed_unload_stays_charged() -> None:
    core = core_of()
    ready(core, "a", 80)
    core.evict(1)
    core.unload_failed(2, "a")
    assert core.ledger.charged == 80
    assert kinds(core.request(3, "b", weights=30)[1]) == ["Refuse"]


def test_a_model_wanted_again_while_it_leaves_is_loaded_again() -> None:
    core = core_of()
    ready(core, "a", 80)
    core.evict(1)
    assert core.request(2, "a", weights=80)[1] == []
    assert core.unloaded(3, "a") == [Load("a")]


def test_keep_alive_counts_from_the_last_release() -> None:
    core = core_of()
    ready(core, "a", 50, now=0, keep_alive=10)
    _, granted = core.request(5, "a", weights=50, keep_alive=10)
    assert core.tick(100) == []
    core.release(100, lease_of(granted))
    assert core.tick(109) == []
    assert core.line.next_deadline() == 110
    assert core.tick(110) == [Unload("a", "idle")]


def test_keep_alive_zero_leaves_at_once_and_negative_never() -> None:
    core = core_of()
    _, _ = core.request(0, "a", weights=50, keep_alive=0)
    lease = lease_of(core.loaded(0, "a", 50))
    assert core.release(1, lease) == [Unload("a", "idle")]
    ready(other := core_of(), "b", 50, keep_alive=-1)
    assert other.tick(1e12) == []


def test_a_model_in_use_leaves_at_its_last_release() -> None:
    core = core_of()
    ready(core, "a", 50)
    _, granted = core.request(1, "a", weights=50)
    assert core.evict(2, "a") == []
    assert core.release(3, lease_of(granted)) == [Unload("a", "stale")]


def test_releasing_twice_changes_nothing() -> None:
    core = core_of()
    ready(core, "a", 50)
    lease = lease_of(core.request(1, "a", weights=50)[1])
    core.release(2, lease)
    core.release(3, lease)
    assert core.ledger.entries["a"].leases == 0


def test_a_failed_load_tells_everybody_and_waits_before_the_next_try() -> None:
    core = core_of()
    core.request(0, "a", weights=50)
    core.request(0, "a", weights=50)
    broken = StudioError("broken_model", model="a", reason="x")
    assert kinds(core.load_failed(1, "a", broken)) == ["Refuse", "Refuse"]
    _, soon = core.request(2, "a", weights=50)
    assert isinstance(soon[0], Refuse)
    assert soon[0].error.code == "cooling_down"
    assert kinds(core.request(11, "a", weights=50)[1]) == ["Load"]


def test_the_wait_doubles_up_to_a_limit_and_is_forgiven_on_request() -> None:
    core, now = core_of(), 0.0
    for _ in range(9):
        now += COOLDOWN_MOST
        core.request(now, "a", weights=50)
        core.load_failed(now, "a", StudioError("broken_model", model="a", reason="x"))
    assert kinds(core.request(now + COOLDOWN_MOST - 1, "a", weights=50)[1]) == ["Refuse"]
    core.forgive(now, "a")
    assert kinds(core.request(now, "a", weights=50)[1]) == ["Load"]


def test_warm_requests_pass_a_blocked_one_a_bounded_number_of_times() -> None:
    core = core_of(slots=9)
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
    core = core_of(slots=9)
    ready(core, "warm", 10)
    ready(core, "old", 60)
    core.request(1, "new", weights=70, work=20)
    assert core.ledger.entries["old"].state is State.UNLOADING
    assert core.request(2, "warm", weights=10, work=30)[1] == []


def test_a_smaller_budget_lets_idle_models_go_and_never_a_leased_one() -> None:
    core = core_of()
    ready(core, "idle", 40)
    ready(core, "used", 40)
    core.request(1, "used", weights=40)
    assert core.set_budget(2, 30) == [Unload("idle", "shrink")]


def test_a_load_whose_only_waiter_left_is_kept_for_its_keep_alive() -> None:
    core = core_of()
    ticket, _ = core.request(0, "a", weights=50, work=20)
    core.cancel(1, ticket)
    assert core.ledger.charged == 50
    assert core.loaded(2, "a", 50) == []
    assert core.ledger.entries["a"].state is State.READY


def test_a_model_in_the_way_is_parked_where_it_can_be() -> None:
    core = core_of()
    ready(core, "a", 80, host=0)
    _, decisions = core.request(1, "b", weights=80)
    assert decisions == [Park("a", "room")]
    assert core.parked(2, "a", 0) == [Load("b")]


def test_a_parked_model_comes_back_without_being_loaded() -> None:
    core = core_of()
    ready(core, "a", 80, host=0)
    core.tick(400)
    core.parked(401, "a", 0)
    assert core.ledger.charged == 0
    assert core.request(402, "a", weights=80, park_alive=600)[1] == [Place("a")]
    assert kinds(core.placed(403, "a")) == ["Grant"]


def test_a_parked_model_ages_out_on_its_own_clock() -> None:
    core = core_of()
    ready(core, "a", 80, host=0)
    assert core.tick(300) == [Park("a", "idle")]
    core.parked(310, "a", 0)
    assert core.line.next_deadline() == 910
    assert core.tick(910) == [Unload("a", "idle")]


def test_keep_alive_zero_parks_nothing_that_was_not_to_be_parked() -> None:
    core = core_of()
    core.request(0, "a", weights=50, keep_alive=0, park_alive=0)
    lease = lease_of(core.loaded(0, "a", 50, host=0))
    assert core.release(1, lease) == [Unload("a", "idle")]


def test_a_copy_that_would_stay_in_the_same_memory_is_not_worth_parking() -> None:
    core = core_of()
    ready(core, "a", 80, host=60)
    assert core.request(1, "b", weights=80)[1] == [Unload("a", "room")]


def test_parked_models_go_when_the_machine_runs_short() -> None:
    core = core_of(unified=False, host=100)
    for moment, key in enumerate("ab"):
        ready(core, key, 60 - 20 * moment, now=moment, host=40)
    core.tick(300)
    core.parked(300, "a", 40)
    assert core.set_budget(300, 100, 40) == [Unload("a", "shrink")]


def test_of_parked_models_no_more_go_than_have_to_while_one_is_on_its_way() -> None:
    core = core_of(unified=False, host=120)
    for moment, key in enumerate("abc"):
        ready(core, key, 30, now=moment, host=40)
    core.tick(900)
    for key in "abc":
        core.parked(900, key, 40)
    assert core.set_budget(901, 100, 80) == [Unload("a", "shrink")]
    assert core.tick(902) == []


def test_what_parking_would_not_free_is_closed() -> None:
    core = core_of()
    ready(core, "a", 40, host=5)
    assert core.request(1, "b", weights=100)[1] == [Unload("a", "room")]


def test_a_model_half_moved_is_closed_and_loaded_again() -> None:
    core = core_of()
    ready(core, "a", 80, host=0)
    core.tick(300)
    core.parked(301, "a", 0)
    core.request(302, "a", weights=80)
    assert core.place_failed(303, "a") == [Unload("a", "failed")]
    assert core.unloaded(304, "a") == [Load("a")]


FULL = StudioError("out_of_memory", model="b")


def test_a_load_that_ran_out_of_memory_is_tried_once_more_alone() -> None:
    core = core_of()
    ready(core, "idle", 20)
    core.request(1, "b", weights=50)
    assert core.load_failed(2, "b", FULL, full=True) == [Unload("idle", "retry")]
    assert core.unloaded(3, "idle") == [Load("b")]
    assert kinds(core.load_failed(4, "b", FULL, full=True)) == ["Refuse"]


def test_with_nothing_to_give_back_a_full_memory_is_told_at_once() -> None:
    core = core_of()
    core.request(1, "b", weights=50)
    assert kinds(core.load_failed(2, "b", FULL, full=True)) == ["Refuse"]


def test_a_run_that_ran_out_of_memory_comes_back_alone() -> None:
    core = core_of()
    ready(core, "other", 20)
    ready(core, "a", 20)
    _, decisions = core.request(1, "a", weights=20, alone=True)
    assert decisions == [Unload("other", "retry")]
    assert kinds(core.unloaded(2, "other")) == ["Grant"]


def test_learned_work_makes_room_and_never_refuses() -> None:
    core = core_of()
    _, decisions = core.request(0, "a", weights=60, work=70, least=20)
    assert decisions == [Load("a")]
    assert core.ledger.charged == 100


def test_a_device_that_hangs_refuses_everybody_until_it_answers() -> None:
    core = core_of()
    core.request(0, "a", weights=50)
    hung = StudioError("device_stuck", minutes=15)
    assert kinds(core.suspend(hung)) == ["Refuse"]
    assert kinds(core.request(1, "b", weights=10)[1]) == ["Refuse"]
    core.suspend(None)
    assert core.request(2, "b", weights=10)[1] == [Load("b")]


def test_the_past_says_who_left_and_why() -> None:
    core = core_of()
    ready(core, "a", 80)
    core.request(1, "b", weights=80)
    last = core.ledger.past[-1]
    assert (last.key, last.state, last.reason, last.nbytes) == ("a", State.UNLOADING, "room", 80)


def shared(core: Core, now: float = 0.0, places: int = 3, each: int = 0) -> list[Decision]:
    return core.request(now, "chat", weights=10, places=places, each=each)[1]


def lent(core: Core) -> list[str]:
    return sorted(key for key, _ in core.ledger.leases.values())


def test_a_model_is_lent_as_often_as_it_has_places_and_to_the_next_as_soon_as_one_is_free() -> None:
    core = core_of()
    for _ in range(4):
        shared(core)
    granted = core.loaded(1, "chat", 10)
    assert kinds(granted) == ["Grant"] * 3
    assert kinds(core.release(2, lease_of(granted))) == ["Grant"]
    assert lent(core) == ["chat"] * 3


def test_places_beside_the_first_take_half_of_what_is_free_and_send_nobody_away() -> None:
    core = core_of(budget=60)
    shared(core, places=8, each=10)
    assert (core.ledger.entries["chat"].places, core.ledger.charged) == (3, 30)  # 50 are free, 25 for two more
    core = core_of(budget=60)
    ready(core, "picture", 50)
    assert kinds(shared(core, places=8, each=10)) == ["Load"]
    assert core.ledger.entries["chat"].places == 1


def test_after_running_out_of_memory_a_model_has_one_place() -> None:
    core = core_of()
    ready(core, "picture", 20)
    shared(core, places=8, each=5)
    error = StudioError("out_of_memory", model="chat")
    assert kinds(core.load_failed(1, "chat", error, full=True)) == ["Unload"]
    assert kinds(core.unloaded(2, "picture")) == ["Load"]
    assert core.ledger.entries["chat"].places == 1


def test_a_chat_model_that_is_always_busy_keeps_nobody_waiting() -> None:
    core = core_of()
    ready(core, "picture", 50)
    granted = shared(core)
    core.loaded(0, "chat", 10)
    _, waits = core.request(1, "picture", weights=50)
    assert waits == []
    chats, now, came = core.ledger.leases, 1.0, 0
    while "picture" not in lent(core):
        now, came = now + 1, came + 1
        assert came < 50, "the picture waits for ever"
        shared(core, now)
        if now % 2:
            core.release(now, min(chats))
    assert granted
    assert lent(core) == ["picture"]
    passed = OVERTAKE + 1  # and the one that was there before
    assert came > passed
    assert len(core.line.queue) == came - OVERTAKE
