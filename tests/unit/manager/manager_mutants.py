"""Bugs that model managers are known for, sown into ours one at a time: the walk has to find each of them.

Only the standard library: bench/manager.py sows them on machines where no test tool is installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from manager_world import walk

from studio.manager import core, scheduling
from studio.manager.core import Core
from studio.manager.decisions import Unload
from studio.manager.ledger import Entry, Ledger, State
from studio.manager.scheduling import Line

WALKS, EVENTS = 600, 200


class Patch:
    """Attributes replaced until `undo` ends."""

    def __init__(self, undo: ExitStack) -> None:
        self._undo = undo

    def setattr(self, owner: Any, name: str, value: Any) -> None:
        self._undo.enter_context(mock.patch.object(owner, name, value))


Mutation = Callable[[Patch], None]
MUTANTS: dict[str, Mutation] = {}


def mutant(what: str) -> Callable[[Mutation], Mutation]:
    def keep(mutation: Mutation) -> Mutation:
        MUTANTS[what] = mutation
        return mutation

    return keep


def after(patch: Patch, kind: type, name: str, then: Callable[..., Any]) -> None:
    """`then(self, result, *args)` replaces what a method returns."""
    real = getattr(kind, name)

    def changed(self: Any, *args: Any, **more: Any) -> Any:
        return then(self, real(self, *args, **more), *args)

    patch.setattr(kind, name, changed)


def loads_again(patch: Patch, when: Callable[[Line, Entry, Any], bool]) -> None:
    """Load a model although it is somewhere already."""
    real = Line._serve

    def serve(self: Line, now: float, ticket: Any) -> list[Any]:
        entry = self.ledger.entries.get(ticket.key)
        if entry is not None and when(self, entry, ticket):
            return [self._load(now, ticket)]
        return real(self, now, ticket)

    patch.setattr(Line, "_serve", serve)


@mutant("a model is dropped between being fetched and being pinned")
def fetch_then_pin(patch: Patch) -> None:
    def forget(self: Line, grant: Any, ticket: Any, entry: Entry) -> Any:
        entry.leases -= 1
        return grant

    after(patch, Line, "_grant", forget)


@mutant("the keep-alive runs while the model is in use")
def expires_in_use(patch: Patch) -> None:
    patch.setattr(Entry, "idle", property(lambda self: self.state is State.READY))


@mutant("those who wait are not looked at again when memory comes back")
def waits_for_ever(patch: Patch) -> None:
    real = Core.unloaded

    def unloaded(self: Core, now: float, key: str) -> list[Any]:
        self.line.queue, queue = [], self.line.queue
        decisions = real(self, now, key)
        self.line.queue = queue
        return decisions

    patch.setattr(Core, "unloaded", unloaded)


@mutant("room is made for what can never fit")
def evicts_for_the_impossible(patch: Patch) -> None:
    real = Line._serve

    def serve(self: Line, now: float, ticket: Any) -> list[Any]:
        first = self._make_room(now, ticket.weights + ticket.work - self.ledger.room, ticket.key)
        return first + real(self, now, ticket)

    patch.setattr(Line, "_serve", serve)


@mutant("the keep-alive ends a model that somebody waits for")
def expires_while_wanted(patch: Patch) -> None:
    patch.setattr(Line, "wanted", lambda self, key: False)


@mutant("a request is overtaken without end")
def starves(patch: Patch) -> None:
    patch.setattr(scheduling, "OVERTAKE", 10**6)


@mutant("a model is evicted while it loads")
def evicts_loading(patch: Patch) -> None:
    patch.setattr(
        Entry, "free_to_go",
        property(lambda self: self.state in (State.READY, State.LOADING) and not self.leases and not self.pinned),
    )  # fmt: skip


@mutant("models are counted instead of bytes")
def counts_models(patch: Patch) -> None:
    patch.setattr(Ledger, "room", property(lambda self: self.budget if len(self.entries) < 3 else 0))


@mutant("more leave than have to")
def evicts_by_age_alone(patch: Patch) -> None:
    def coldest(self: Ledger, deficit: int, spared: Any, freed: Callable[[Entry], int]) -> list[Entry]:
        chosen: list[Entry] = []
        for entry in sorted(self.entries.values(), key=lambda entry: entry.last_used):
            if entry.free_to_go and entry.key not in spared and sum(map(freed, chosen)) < deficit:
                chosen.append(entry)
        return chosen if sum(map(freed, chosen)) >= deficit else []

    patch.setattr(Ledger, "victims", coldest)


@mutant("two requests load the same model twice")
def loads_twice(patch: Patch) -> None:
    loads_again(patch, lambda line, entry, ticket: entry.state is State.LOADING and line.ledger.room >= ticket.weights)


@mutant("two requests run on one model at once")
def shares_what_is_exclusive(patch: Patch) -> None:
    patch.setattr(
        Line, "_leasable",
        lambda self, entry: entry.state is State.READY and not entry.stale
        and (entry.leases > 0 or len({key for key, _ in self.ledger.leases.values()}) < self.slots),
    )  # fmt: skip


@mutant("a model that several may use is used by one at a time")
def shares_nothing(patch: Patch) -> None:
    real = Line._leasable
    patch.setattr(Line, "_leasable", lambda self, entry: not entry.leases and real(self, entry))


@mutant("another model is used while a shared one is")
def counts_no_models(patch: Patch) -> None:
    patch.setattr(
        Line, "_leasable",
        lambda self, entry: entry.state is State.READY and not entry.stale and entry.leases < entry.places,
    )  # fmt: skip


@mutant("what only more places need sends others away")
def evicts_for_places(patch: Patch) -> None:
    real = Line._make_room

    def make_room(self: Line, now: float, deficit: int, for_key: str) -> list[Any]:
        first = next(ticket for ticket in self.queue if ticket.key == for_key)
        more = 0 if for_key in self.ledger.entries else (first.places - 1) * first.each
        return real(self, now, deficit + more, for_key)

    patch.setattr(Line, "_make_room", make_room)


@mutant("places are not charged")
def places_for_free(patch: Patch) -> None:
    def free(self: Line, decision: Any, now: float, ticket: Any) -> Any:
        self.ledger.entries[ticket.key].weights = ticket.weights
        return decision

    after(patch, Line, "_load", free)


@mutant("places take all the room there is")
def places_for_all(patch: Patch) -> None:
    patch.setattr(Line, "_more_places", lambda self, ticket: ticket.places - 1)


@mutant("as many places after the memory ran out")
def never_learns(patch: Patch) -> None:
    real = Line._more_places
    patch.setattr(Line, "_more_places", lambda self, ticket: real(self, replace(ticket, alone=False)))


@mutant("who takes a place of a busy model passes without being counted")
def joins_uncounted(patch: Patch) -> None:
    real = Line._overtake

    def overtake(self: Line, ticket: Any, blocked: Any) -> list[Any]:
        entry, before = self.ledger.entries.get(ticket.key), blocked.overtaken
        joins = entry is not None and entry.leases > 0
        served = real(self, ticket, blocked)
        blocked.overtaken = before if joins else blocked.overtaken
        return served

    patch.setattr(Line, "_overtake", overtake)


@mutant("a broken model is tried again at once, for ever")
def storms(patch: Patch) -> None:
    patch.setattr(core, "COOLDOWN_FIRST", 0.0)


@mutant("a pinned model is evicted")
def ignores_pins(patch: Patch) -> None:
    patch.setattr(Entry, "free_to_go", property(lambda self: self.idle or self.state is State.PARKED))


@mutant("releasing twice counts twice")
def drifts(patch: Patch) -> None:
    real = Core.release

    def release(self: Core, now: float, lease: int) -> list[Any]:
        known = self.ledger.leases.get(lease)
        if known is None and (entry := next(iter(self.ledger.entries.values()), None)) is not None:
            entry.leases = max(entry.leases - 1, 0)
        return real(self, now, lease)

    patch.setattr(Core, "release", release)


@mutant("a failed unload counts as freed")
def believes_in_unloads(patch: Patch) -> None:
    patch.setattr(Core, "unload_failed", Core.unloaded)


@mutant("memory counts as free when an unload begins")
def spends_too_early(patch: Patch) -> None:
    real = Ledger.occupied
    patch.setattr(Ledger, "occupied", lambda self, entry: 0 if entry.state is State.UNLOADING else real(self, entry))


@mutant("a half moved model is used")
def keeps_half_moved(patch: Patch) -> None:
    patch.setattr(Core, "place_failed", Core.placed)


@mutant("running out of memory is retried without end")
def retries_for_ever(patch: Patch) -> None:
    real = Core.load_failed

    def load_failed(self: Core, now: float, key: str, error: Any, full: bool = False) -> list[Any]:
        for ticket in self.line.queue:
            ticket.alone = False
        return real(self, now, key, error, full)

    patch.setattr(Core, "load_failed", load_failed)


@mutant("working memory is not kept")
def forgets_work(patch: Patch) -> None:
    def nothing(self: Line, grant: Any, ticket: Any, entry: Entry) -> Any:
        self.ledger.leases[grant.lease] = (ticket.key, 0)
        return grant

    after(patch, Line, "_grant", nothing)


@mutant("a request that exactly fits is refused")
def off_by_one(patch: Patch) -> None:
    real = Line._serve

    def serve(self: Line, now: float, ticket: Any) -> list[Any]:
        self.ledger.budget -= 1
        try:
            return real(self, now, ticket)
        finally:
            self.ledger.budget += 1

    patch.setattr(Line, "_serve", serve)


@mutant("a parked model is read from disk again")
def forgets_the_parked(patch: Patch) -> None:
    loads_again(patch, lambda line, entry, ticket: entry.state is State.PARKED)


@mutant("a model that was asked to leave is lent once more")
def lends_what_is_stale(patch: Patch) -> None:
    patch.setattr(
        Line, "_leasable",
        lambda self, entry: entry.state is State.READY and entry.leases < entry.places
        and (entry.leases > 0 or len({key for key, _ in self.ledger.leases.values()}) < self.slots),
    )  # fmt: skip


@mutant("room stays kept for somebody who left")
def keeps_room_for_nobody(patch: Patch) -> None:
    patch.setattr(Line, "drop", lambda self, ticket: self.queue.remove(ticket))


@mutant("an overtaker takes the room that was made for another")
def takes_made_room(patch: Patch) -> None:
    real = Line._overtake

    def overtake(self: Line, ticket: Any, blocked: Any) -> list[Any]:
        small = replace(blocked, work=0, weights=0)
        served = real(self, ticket, small)
        blocked.overtaken = small.overtaken
        return served

    patch.setattr(Line, "_overtake", overtake)


@mutant("a later request for the same model goes first")
def jumps_the_line(patch: Patch) -> None:
    after(
        patch, Core, "request", lambda self, result, *_: (self.line.queue.sort(key=lambda t: (t.work, t.id)), result)[1]
    )


@mutant("parking is charged nothing")
def parks_for_free(patch: Patch) -> None:
    real = Core.parked
    patch.setattr(Core, "parked", lambda self, now, key, host: real(self, now, key, 0))


@mutant("a leaving model is asked to leave again")
def unloads_twice(patch: Patch) -> None:
    real = Core.evict

    def evict(self: Core, now: float, key: str | None = None) -> list[Any]:
        again: list[Any] = [Unload(e.key, "asked") for e in self.ledger.entries.values() if e.state is State.UNLOADING]
        return again + real(self, now, key)

    patch.setattr(Core, "evict", evict)


def caught(walks: int = WALKS, events: int = EVENTS) -> str:
    """What the walk says against the core as it is now; empty where it finds nothing."""
    for seed in range(walks):
        try:
            walk(seed, events)
        except (AssertionError, KeyError, StopIteration, IndexError, RecursionError) as error:
            return str(error).partition("\n")[0] or type(error).__name__
    return ""


@contextmanager
def sown(what: str) -> Iterator[None]:
    with ExitStack() as undo:
        MUTANTS[what](Patch(undo))
        yield


if __name__ == "__main__":
    found = 0
    for name in MUTANTS:
        with sown(name):
            reason = caught()
        found += bool(reason)
        print(f"{'caught' if reason else 'MISSED'}  {name}: {reason}")
    print(f"{found} of {len(MUTANTS)}")
