"""An independent account of what must be true of the model manager's rules, whatever happens.

`World` plays everybody outside the core: it asks, cancels and releases, finishes effects well or badly, lets time pass,
and keeps its own books. Each of its methods is one event; after each the invariants are checked. Tests drive it by
hypothesis, by dice, and against cores with a bug sown in.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from studio.errors import StudioError
from studio.manager.core import COOLDOWN_FIRST, COOLDOWN_MOST, Core
from studio.manager.decisions import Decision, Grant, Load, Park, Place, Refuse, Unload
from studio.manager.ledger import NEXT, Entry, Ledger, State
from studio.manager.scheduling import OVERTAKE

SIZES = {"a": 10, "b": 25, "c": 40, "d": 70, "e": 101}
HOSTS: dict[str, int | None] = {"a": None, "b": 0, "c": 5, "d": 30, "e": 0}
"""What each model holds of the machine's memory while parked; None where it cannot be parked."""
PLACES, EACH = {"a": 3, "b": 2}, {"a": 4, "b": 0}
"""How many may use a model at once, where it is more than one, and what it weighs more for each of them."""
BROKEN = StudioError("broken_model", model="m", reason="r")
FULL = StudioError("out_of_memory", model="m")
Effect = Load | Place | Park | Unload


class World:
    """One device of `budget` bytes and everybody who uses it.

    Args:
        steady: sizes are what was expected and the budget stays: then no byte may ever be spent twice.
        slots: models that may be in use at once.
        scale: sizes and budget times this: must change no decision.
        name: what the models are called: must change no decision either.
    """

    def __init__(
        self,
        steady: bool = True,
        unified: bool = True,
        scale: int = 1,
        name: Callable[[str], str] = str,
        slots: int = 2,
    ) -> None:
        self.core, self.slots = Core(Ledger(100 * scale, 60 * scale, unified), slots), slots
        self.steady, self.unified, self.scale, self.name = steady, unified, scale, name
        self.now = 0.0
        self.open: dict[int, tuple[str, int, int]] = {}  # ticket -> key, work, least
        self.live: dict[int, tuple[str, int]] = {}  # lease -> key, work
        self.effects: list[Effect] = []
        self.where: dict[str, State] = {}
        self.size: dict[str, int] = {}
        self.places: dict[str, int] = {}
        self.pinned: set[str] = set()
        self.leave_asked: set[str] = set()
        self.failures: Counter[str] = Counter()
        self.cool: dict[str, float] = {}
        self.overtaken: Counter[int] = Counter()
        self.retries: Counter[int] = Counter()
        self.seen = self.took = 0
        self.trace: list[Decision] = []

    # ---- events

    def request(self, key: str, work: int, least: int, keep: float, park: float, alone: bool = False) -> None:
        work, least = work * self.scale, least * self.scale
        waiting = bool(self.core.line.queue)
        ticket, decisions = self.core.request(
            self.now, self.name(key), weights=SIZES[key] * self.scale, work=work, least=least,
            keep_alive=keep, park_alive=park, places=PLACES.get(key, 1), each=EACH.get(key, 0) * self.scale,
            alone=alone,
        )  # fmt: skip
        assert ticket not in self.open
        self.open[ticket] = (key, work, min(least, work))
        refused = any(isinstance(decision, Refuse) and decision.ticket == ticket for decision in decisions)
        self.take(decisions)
        made_room = any(isinstance(d, Unload | Park) and d.reason == "room" for d in decisions)
        assert waiting or not (refused and made_room), "I9: nothing is evicted for what is refused"

    def finish(self, pick: int, good: bool, full: bool = False, factor: int = 1) -> None:
        """One effect comes to its end."""
        if not self.effects:
            return
        effect = self.effects.pop(pick % len(self.effects))
        key = self.key(effect.key)
        match effect:
            case Load() if good:
                self.size[key] *= 1 if self.steady else factor
                self.where[key] = State.READY
                self.failures[key], self.cool[key] = 0, 0.0
                host = HOSTS[key]
                self.take(self.core.loaded(self.now, effect.key, self.size[key], self.times(host)))
            case Load():
                del self.where[key]
                self.leave_asked.discard(key)
                waiting = {t for t, (k, _, _) in self.open.items() if k == key}
                decisions = self.core.load_failed(self.now, effect.key, FULL if full else BROKEN, full)
                again = waiting and not any(isinstance(d, Refuse) and d.ticket in waiting for d in decisions)
                if again:
                    self.retries.update(waiting)
                    assert full
                    assert all(self.retries[t] <= 1 for t in waiting), "I13: at most one retry"
                else:
                    self.failures[key] += 1
                    delay = min(COOLDOWN_FIRST * 2 ** (self.failures[key] - 1), COOLDOWN_MOST)
                    self.cool[key] = self.now + delay
                self.take(decisions)
            case Place() if good:
                self.where[key] = State.READY
                self.take(self.core.placed(self.now, effect.key))
            case Place():
                decisions = self.core.place_failed(self.now, effect.key)
                assert any(isinstance(d, Unload) and d.key == effect.key for d in decisions), "half moved: closed"
                self.where[key] = State.READY  # for the check that follows; it is somewhere between
                self.take(decisions)
            case Park() if good:
                self.where[key] = State.PARKED
                self.take(self.core.parked(self.now, effect.key, self.times(HOSTS[key]) or 0))
            case Park() | Unload() if good or (isinstance(effect, Park) and full):
                del self.where[key]
                self.leave_asked.discard(key)
                self.take(self.core.unloaded(self.now, effect.key))
            case _:
                self.where[key] = State.BROKEN
                self.take(self.core.unload_failed(self.now, effect.key))

    def give_up(self, pick: int) -> None:
        """A load ends before its time because nobody waits for it; somebody may have asked again in that moment."""
        loads = [effect for effect in self.effects if isinstance(effect, Load)]
        if not loads:
            return
        effect = loads[pick % len(loads)]
        self.effects.remove(effect)
        key = self.key(effect.key)
        del self.where[key]
        self.leave_asked.discard(key)
        self.take(self.core.unloaded(self.now, effect.key))

    def release(self, pick: int, twice: bool = False) -> None:
        if not self.live:
            return
        lease = sorted(self.live)[pick % len(self.live)]
        key, _ = self.live.pop(lease)
        decisions = self.core.release(self.now, lease)
        if key in self.leave_asked and not any(held == key for held, _ in self.live.values()):
            left = any(isinstance(d, Unload) and self.key(d.key) == key for d in decisions)
            assert left, "a model that was asked to leave does so at its last release"
        self.take(decisions)
        if twice:
            assert self.core.release(self.now, lease) == [], "I15: releasing twice is nothing"

    def cancel(self, pick: int) -> None:
        if not self.open:
            return
        ticket = sorted(self.open)[pick % len(self.open)]
        del self.open[ticket]
        self.take(self.core.cancel(self.now, ticket))

    def evict(self, key: str | None) -> None:
        if key is not None and self.where.get(key) in (State.READY, State.LOADING, State.PLACING):
            self.leave_asked.add(key)
        self.take(self.core.evict(self.now, None if key is None else self.name(key)))

    def pin(self, key: str, on: bool) -> None:
        (self.pinned.add if on else self.pinned.discard)(key)
        self.take(self.core.pin(self.now, self.name(key), on))

    def gauge(self, budget: int, host: int) -> None:
        """The machine can spare something else; only where the world is not steady."""
        if not self.steady:
            self.take(self.core.set_budget(self.now, budget * self.scale, host * self.scale))

    def stuck(self) -> None:
        """The device hangs and comes back: everybody who waits hears it, and nobody who comes meanwhile is let in."""
        self.take(self.core.suspend(BROKEN))
        assert not self.open, "I16: all who wait hear that the device hangs"
        _, decisions = self.core.request(self.now, self.name("a"), weights=1)
        assert [type(d) for d in decisions] == [Refuse]
        self.core.suspend(None)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.take(self.core.tick(self.now))

    # ---- what must be true of decisions

    def take(self, decisions: list[Decision]) -> None:
        self.trace += decisions
        victims = [d for d in decisions if isinstance(d, Unload | Park) and d.reason == "room"]
        self.took = 0
        for decision in decisions:
            match decision:
                case Load(name):
                    key = self.key(name)
                    assert key not in self.where, "I5: one load, and never while it is anywhere"
                    assert self.now >= self.cool.get(key, 0.0), "I12: not while it cools down"
                    self.where[key], self.size[key] = State.LOADING, SIZES[key] * self.scale + self.more(key)
                    self.effects.append(decision)
                case Place(name):
                    key = self.key(name)
                    assert self.where[key] is State.PARKED
                    self.where[key] = State.PLACING
                    self.effects.append(decision)
                case Unload(name, reason) | Park(name, reason):
                    self.leaves(decision, self.key(name), reason)
                case Grant():
                    self.granted(decision)
                case Refuse(ticket, error):
                    self.refused(ticket, error)
        if victims:
            self.victims_are_needed([self.key(victim.key) for victim in victims])
        if self.took:
            assert self.deficit() <= 0, "nobody passes into the room that is made for the first in line"
        self.check()

    def leaves(self, decision: Unload | Park, key: str, reason: str) -> None:
        parked = isinstance(decision, Unload) and self.where.get(key) is State.PARKED
        assert self.where.get(key) is State.READY or parked, "I4: only what is there and still leaves"
        assert not any(held == key for held, _ in self.live.values()), "I4: never what is leased"
        assert key not in self.pinned or reason in ("asked", "stale", "failed"), "I4: a pin holds"
        assert reason != "idle" or not any(k == key for k, _, _ in self.open.values()), "never what is wanted"
        self.where[key] = State.PARKING if isinstance(decision, Park) else State.UNLOADING
        self.effects.append(decision)

    def granted(self, grant: Grant) -> None:
        key, work, least = self.open[grant.ticket]
        assert self.name(key) == grant.key
        same = [ticket for ticket, (k, _, _) in self.open.items() if k == key]
        assert grant.ticket == min(same), "I17: first come, first served within a model"
        head = min(self.open)
        if head != grant.ticket:
            self.overtaken[head] += 1
            assert self.overtaken[head] <= OVERTAKE, "I17: overtaken a bounded number of times"
        del self.open[grant.ticket]  # I16: a second answer would not find it
        assert self.where.get(key) is State.READY, "I7: a grant means resident"
        assert key not in self.leave_asked, "I7: and not on its way out"
        kept = self.core.ledger.leases[grant.lease][1]
        self.took += kept if head != grant.ticket else 0
        assert least <= kept <= work, "I7: with its working memory"
        assert self.users(key) < self.places[key], "I6: one at a time, or as many as there are places"
        self.live[grant.lease] = (key, kept)

    def refused(self, ticket: int, error: StudioError) -> None:
        key, _, least = self.open.pop(ticket)
        if error.code in ("does_not_fit", "pinned_full", "stuck_full"):
            size = self.size[key] if key in self.where else SIZES[key] * self.scale
            stays = [k for k in self.where if k != key and (k in self.pinned or self.where[k] is State.BROKEN)]
            capacity = self.core.ledger.budget - sum(self.on_device(k) for k in stays)
            assert size + least > capacity, "what can fit is not refused"
        if error.code == "cooling_down":
            assert self.now < self.cool[key]

    def victims_are_needed(self, victims: list[str]) -> None:
        """I10: they suffice for the first in line, and without any one of them it would not."""
        freed = [self.gives_back(victim) for victim in victims]
        deficit = self.deficit() + sum(freed)
        assert sum(freed) >= deficit > 0, "I10: they make the room"
        assert all(sum(freed) - one < deficit for one in freed), "I10: none without need"

    def deficit(self) -> int:
        """Bytes that the first in line lacks once all that is leaving has left."""
        ledger, head = self.core.ledger, self.core.line.queue[0]
        key, *_ = self.open[head.id]
        entry = ledger.entries.get(head.key)
        need = head.work
        if entry is None:
            need += SIZES[key] * self.scale
        elif entry.state in (State.LOADING, State.PLACING, State.READY):
            need -= entry.reserved
        else:
            need += self.size[key] - (self.on_device(key) if entry.state is State.PARKED else 0)
        going = sum(self.gives_back(k) for k, s in self.where.items() if s in (State.UNLOADING, State.PARKING))
        return need - ledger.room - going

    # ---- what must be true at any time

    def check(self) -> None:
        core, ledger = self.core, self.core.ledger
        assert {ticket.id for ticket in core.line.queue} == set(self.open), (
            "I16: answered once, and nobody is forgotten"
        )
        assert ledger.leases == {lease: (self.name(k), w) for lease, (k, w) in self.live.items()}
        assert len({key for key, _ in self.live.values()}) <= self.slots, "I6: so many models at a time"
        assert all(entry.places == self.places[key] for key, entry in self.entries().items()), "I23: places stay"
        assert {self.key(name): entry.state for name, entry in ledger.entries.items()} == self.where, "I22"
        for name, entry in ledger.entries.items():
            key = self.key(name)
            assert entry.leases == sum(held == key for held, _ in self.live.values()), "I3: leases are counted"
            assert entry.reserved >= 0
            waits = any(k == key for k, _, _ in self.open.values())
            assert waits or not entry.reserved, "I14: room is kept for somebody"
        on_device = sum(self.on_device(key) for key in self.where)
        spent = on_device + sum(work for _, work in self.live.values())
        kept = sum(entry.reserved for entry in ledger.entries.values())
        assert ledger.charged == spent + kept, "I2: the books are the sum of what is there"
        assert not self.steady or spent + kept <= ledger.budget, "I1: no byte is spent twice"
        self.nobody_waits_for_nothing()
        self.history_is_legal()

    def nobody_waits_for_nothing(self) -> None:
        """I24: the first in line is not kept from a model that is there, has a place, and has the room for it."""
        if not self.open:
            return
        head, entries = self.core.line.queue[0], self.entries()
        key = self.open[head.id][0]
        if self.where.get(key) is not State.READY or key in self.leave_asked:
            return
        leaving = any(s in (State.PARKING, State.UNLOADING) for k, s in self.where.items() if k != key)
        used = {held for held, _ in self.live.values()}
        free = self.users(key) < self.places[key] and (key in used or len(used) < self.slots)
        fits = head.work <= self.core.ledger.room + entries[key].reserved
        assert not free or not fits or (head.alone and leaving), "I24: a place stays empty"

    def more(self, key: str) -> int:
        """What a model that is to be loaded weighs for its places beside the first, which are settled now.

        I23: they take at most half of what is free then, and none is left out for which there is far more than that.
        """
        most, each = PLACES.get(key, 1), EACH.get(key, 0) * self.scale
        ledger, first = self.core.ledger, next(t for t in self.core.line.queue if self.key(t.key) == key)
        self.places[key] = self.entries()[key].places
        more = self.places[key] - 1
        assert 0 <= more < most
        others = sum(self.on_device(k) for k in self.where) + sum(work for _, work in self.live.values())
        spare = ledger.budget - others - SIZES[key] * self.scale - first.work
        if first.alone:
            assert not more, "I23: none after it ran out of memory"
        else:
            assert 2 * more * each <= max(spare, 0), "I23: half of what is free"
            assert more == most - 1 or ledger.room < (more + 2) * each, "I23: none is left out"
        return more * each

    def users(self, key: str) -> int:
        return sum(held == key for held, _ in self.live.values())

    def history_is_legal(self) -> None:
        """I21: numbers go up by one, and each step is one of the state graph. Kept cheap: only what is new is read."""
        past = self.core.ledger.past
        fresh = min(self.core.ledger.seq - self.seen, len(past))
        for event in list(past)[len(past) - fresh :]:
            assert event.seq == self.seen + 1
            self.seen = event.seq
            before = self.walked.get(event.key, State.ABSENT)
            assert event.state in NEXT[before], f"I21: {before} to {event.state}"
            self.walked[event.key] = event.state
        folded = {key for key, state in self.walked.items() if state is not State.ABSENT}
        assert folded == set(self.core.ledger.entries), "I22: the events tell what there is"

    @property
    def walked(self) -> dict[str, State]:
        return self.__dict__.setdefault("_walked", {})

    def settle(self) -> None:
        """I18, I19: with nothing new and every effect coming to a good end, all are answered and all memory is free."""
        for key in SIZES:
            self.pin(key, False)
        while self.effects or self.live:
            if self.effects:
                self.finish(0, True)
            else:
                self.release(0)
        broken = State.BROKEN in self.where.values()
        assert not self.open or broken, "I18: everybody is answered"
        for _ in range(3):
            self.wait(1e9)
            while self.effects:
                self.finish(0, True)
        stay = {k for k, entry in self.entries().items() if entry.keep_alive < 0 or entry.park_alive < 0}
        assert all(k in stay or s is State.BROKEN for k, s in self.where.items()), "I19: what is not used is gone"

    # ---- arithmetic

    def entries(self) -> dict[str, Entry]:
        return {self.key(name): entry for name, entry in self.core.ledger.entries.items()}

    def on_device(self, key: str) -> int:
        entry = self.entries()[key]
        if self.where[key] is State.PARKED or (self.where[key] is not State.LOADING and not entry.placed):
            return (self.times(HOSTS[key]) or 0) if self.unified else 0
        return self.size[key]

    def gives_back(self, key: str) -> int:
        parks = self.where[key] is State.PARKING
        return self.on_device(key) - ((self.times(HOSTS[key]) or 0) if parks and self.unified else 0)

    def times(self, nbytes: int | None) -> int | None:
        return None if nbytes is None else nbytes * self.scale

    def key(self, name: str) -> str:
        return next(key for key in SIZES if self.name(key) == name)

    # ---- by dice

    def step(self, dice: random.Random) -> None:
        """One event by chance."""
        roll = dice.random()
        if roll < 0.28:
            work = dice.choice((0, 5, 30, 60))
            self.request(
                dice.choice("aabbccdde"), work, dice.choice((work, work // 2)), dice.choice((0, 10, 300, -1)),
                dice.choice((0, 60, 600)), dice.random() < 0.1,
            )  # fmt: skip
        elif roll < 0.58:
            again = any(self.retries[ticket] for ticket in self.open)
            bad = dice.random() < (0.5 if again else 0.15)  # what failed once often fails twice
            self.finish(dice.randrange(9), not bad, dice.random() < (0.9 if again else 0.6), dice.choice((1, 1, 2)))
        elif roll < 0.76:
            self.release(dice.randrange(9), dice.random() < 0.2)
        elif roll < 0.82:
            self.cancel(dice.randrange(9))
        elif roll < 0.86:
            self.evict(dice.choice((None, *SIZES)))
        elif roll < 0.90:
            self.pin(dice.choice("abc"), dice.random() < 0.3)
        elif roll < 0.92:
            self.gauge(dice.choice((60, 100, 100, 140)), dice.choice((0, 20, 60)))
        elif roll < 0.925:
            self.stuck()
        elif roll < 0.93:
            self.give_up(dice.randrange(9))
        else:
            self.wait(dice.choice((0.5, 11, 70, 400)))


def walk(seed: int, events: int) -> World:
    """A world of chance, brought to rest at its end."""
    dice = random.Random(seed)
    world = World(steady=dice.random() < 0.6, unified=dice.random() < 0.5, slots=dice.choice((1, 2)))
    for _ in range(events):
        world.step(dice)
    world.settle()
    return world
