"""Runner: an accepted job on its way to its result; files fetched, model awaited, computed, output kept.

Downloads run on their own small pool (studio.jobs.fetching); everything else of a job runs on its device's lane, or
beside it where another computer is asked.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from contextvars import copy_context
from dataclasses import replace
from pathlib import Path

from studio.catalog.card import Card
from studio.devices import memory
from studio.devices.device import Device
from studio.devices.peak_memory import Peak
from studio.errors import Cancelled, StudioError
from studio.jobs import failures, memory_need
from studio.jobs.context import Plan, Yielded
from studio.jobs.durable import Durable
from studio.jobs.fetching import Fetching
from studio.jobs.job import Job
from studio.jobs.keeping import Keeper
from studio.jobs.live import Live
from studio.jobs.memory_need import Demand
from studio.jobs.model_spec import Specs
from studio.jobs.pace import OnCard, Pace
from studio.jobs.placing import Places
from studio.jobs.queue import Register
from studio.jobs.told import End, Final, Journal, Rescue
from studio.jobs.turns import Turns
from studio.jobs.wishes import CLUSTER, Wishes
from studio.library.outputs import Library
from studio.manager import Fleet, Lease, ModelManager
from studio.manager.backends.elsewhere import Elsewhere
from studio.manager.backends.process import proxy
from studio.manager.faster import Judge
from studio.manager.memory_estimates import Learned
from studio.policy import FREE, Policy
from studio.recipes.explicit_label import Marking
from studio.results import Artifact, Output
from studio.settings import Settings
from studio.store import Store
from studio.store.upcast_cache import Copies


class Runner:
    """The jobs and the devices they run on.

    Args:
        fleet: the devices.
        copies: of models that this machine computes with in another type than they are stored in.
        rescue: what to tell of a failure, and what to offer; asked also where nothing failed.
        adapters: the folders of LoRA files, IP-Adapters and ControlNets; none where nobody may use them.
        learned: the file of measured working memory; None forgets it.
        journal: told which jobs have begun and which have ended; None for nobody.
        durable: keeps jobs for after a restart; None where nothing is kept.
        pace: how long things take.
        policy: what may be shown.
        peers: other computers that may compute for this one.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        library: Library,
        fleet: Fleet,
        copies: Copies,
        rescue: Rescue,
        adapters: Callable[[], tuple[Path, ...]] = tuple,
        learned: Path | None = None,
        journal: Journal | None = None,
        durable: Durable | None = None,
        pace: Pace | None = None,
        policy: Policy = FREE,
        peers: Elsewhere | None = None,
    ) -> None:
        self._store, self._adapters = store, adapters
        self._keeper = Keeper(store, library, adapters, policy, Marking.of(settings), durable and durable.salvage)
        self.fleet, self._copies, self._rescue = fleet, copies, rescue
        self._learned = Learned(learned)
        self.durable, self.pace, self._policy = durable, pace or Pace(), policy
        judge = Judge(settings.faster, learned and learned.with_name("faster.json"))
        self._specs = Specs(settings, store, copies, fleet.rented, OnCard(self.pace), judge)
        self.register = Register(settings, durable.forget if durable is not None else lambda _: None, self.pace)
        self.peers = peers or Elsewhere()
        self._wishes = Wishes(fleet, self._specs, self.pace, self.peers.workers)
        self.turns = Turns(self._wishes.places, self._wishes.saves, strangers=settings.profile != "local")
        if (workers := self.peers.workers) is not None:
            workers.whenever(lambda: self.turns.resize(CLUSTER, workers.places))
        self._places = Places(store, fleet, self.peers, self.register.jobs)
        self._loading: dict[str, float] = {}  # since when a job's model is on its way
        self._tickets: dict[str, tuple[ModelManager, int]] = {}
        self._finals: dict[str, Final] = {}
        self._spent: dict[str, float] = {}  # seconds of those that go on with another model
        self._journal, self._lock = journal, threading.RLock()
        self._closed = threading.Event()
        self._fetching = Fetching(store, self.register, self._closed, self)

    def places(self, card: Card) -> int:
        """How many jobs a model may answer at once."""
        return self._specs.places(card)

    def live(self) -> Live:
        """Where is computed what is wanted while somebody types, which gives way to the jobs."""
        return Live(self._store, self.fleet, self._specs, self.register.busy, self._adapters, self._policy)

    # ---- jobs

    def start(
        self, job: Job, card: Card, before: Callable[[], object] | None = None, final: Final | None = None
    ) -> None:
        """Take a job in and set it going.

        Args:
            before: done once the job is accepted; where it fails, nothing was started.
            final: told of the end before any reader is.

        Raises:
            StudioError: too many jobs, or closing.
        """
        self.register.accept(job)
        try:
            if before is not None:
                before()
        except BaseException:
            self.register.forget(job)
            raise
        if self._journal is not None:
            self._journal.begun(job.id)
        if self.durable is not None:
            self.durable.begun(job)
        if final is not None:
            self._finals[job.id] = final
        self._begin(job, card)

    def _begin(self, job: Job, card: Card) -> None:
        """Ask for the model, behind those that wait; its files are fetched first where they are not here."""
        job.device = ""
        if self._places.waits(job, card):
            job.move("queued", fraction=None)
            self.turns.ask(job.id, lambda: self._ask_any(job, card), self._wishes.of_any(job, card))
        else:
            self._begin_at(job, self._places.place(job, card))

    def _ask_any(self, job: Job, card: Card) -> None:
        """The turn has come of a job that any worker may do."""
        there = self._places.place(job, card)
        (self._ask if there.host else self._begin_at)(job, there)

    def _begin_at(self, job: Job, card: Card) -> None:
        """As `_begin`, where it is known where the model is computed."""
        wish = self._wishes.of(job, card)

        def line_up() -> None:
            job.move("queued", fraction=None)
            self.turns.ask(job.id, lambda: self._ask(job, card), wish)

        if self._store.state(card) == "ready":
            line_up()
        else:
            asker = copy_context()  # it becomes the turn of whoever asks now
            self._fetching.begin(job, card, lambda: asker.run(line_up))

    def download(self, job: Job, card: Card) -> Job:
        """Fetch a model's files; a download of the same model that runs already is returned instead."""
        return self._fetching.download(job, card)

    def cancelled(self, job: Job) -> None:
        """Stop was pressed: a job that still waits ends now; one that runs is told by its context."""
        with self._lock:
            waiting = self._tickets.pop(job.id, None)
        if self.turns.drop(job.id) or (waiting is not None and waiting[0].cancel(waiting[1])):
            self.stopped(job)

    def hold(self, job: Job, on: bool) -> None:
        """Put a job on hold that has not begun, or let it go on.

        Raises:
            StudioError: queue_at_work, where it has begun.
        """
        if not on:
            job.hold(False)
            self.turns.hold(job.id, False)
            return
        waits = self.turns.hold(job.id, True)
        if not waits and job.kind != "downloading":
            with self._lock:
                waiting = self._tickets.pop(job.id, None)
            if waiting is None or not waiting[0].cancel(waiting[1]):
                self.turns.hold(job.id, False)
                raise StudioError("queue_at_work")
            job.move("queued", fraction=None)
            self.turns.again(job.id)
        job.hold(True)

    def close(self, timeout: float) -> None:
        self._closed.set()
        self.register.close()
        for job in reversed(self.register.jobs()):  # those that wait before those that make room for them
            job.cancel()
        self._fetching.close()
        for manager in self.fleet:
            manager.close(timeout)
        for job in self.register.jobs():
            job.finish("failed", error=StudioError("closing"))
        if self.durable is not None:
            self.durable.close()

    # ---- stages

    def _ask(self, job: Job, card: Card, alone: bool = False) -> None:
        """Ask a manager for the model. The job waits from here on.

        Args:
            alone: it ran out of memory before.
        """
        try:
            need = memory_need.of(card, self._store.path(card), job.plan.wanted(card) if job.plan else ())
        except StudioError as error:
            self.missed(job, card, error)
            return
        except Exception as error:
            self.settle(job, "failed", error=failures.internal(error))
            return
        manager = self.fleet.place(card, need.weights + need.work)
        if self.fleet.lends(card.id):  # the whole card is there for each call
            need = replace(need, work=0)
            job.told("lent", self._specs.asked(card, job.plan.wanted(card) if job.plan else ()))
        work = self._learned.expect(str(manager.device), card.id, need.shape, need.work)
        job.device = card.host or str(manager.device)
        job.move("queued")
        ticket = manager.acquire(
            self._specs.of(card, need.weights, manager),
            work=work, least=min(work, need.work), alone=alone,
            granted=lambda lease: manager.start(
                lease, lambda: job.asker.copy().run(self._run, job, card, manager, lease, need)
            ),
            refused=lambda error: self.missed(job, card, failures.titled(error, card)),
            loading=lambda fraction: self._loads(job, fraction), waiting=lambda: self._arrived(job, card),
        )  # fmt: skip
        with self._lock:
            if not job.done:
                self._tickets[job.id] = (manager, ticket)
        if job.cancelled:
            self.cancelled(job)

    def _loads(self, job: Job, fraction: float | None) -> None:
        self._loading.setdefault(job.id, time.monotonic())
        job.move("loading", fraction=fraction)

    def _arrived(self, job: Job, card: Card) -> None:
        """The model is there; in somebody else's hands, unless it begins at once."""
        if (since := self._loading.pop(job.id, None)) is not None:
            self.pace.loaded(card.id, time.monotonic() - since)
        job.move("queued", fraction=None)

    def _run(self, job: Job, card: Card, manager: ModelManager, lease: Lease, need: Demand) -> None:
        """On the lane, or beside it where the model is shared: compute, keep, finish."""
        plan, output = job.plan, None
        error: StudioError | None = None
        following: Card | None = None
        if (since := self._loading.pop(job.id, None)) is not None:
            self.pace.loaded(card.id, time.monotonic() - since)
        if self.durable is not None and not self._closed.is_set():
            self.durable.state(job.id, "running")
        started, device = time.monotonic(), str(manager.device)
        peak = Peak()
        try:
            if not job.cancelled and plan is not None:
                job.begin_run()
                assert lease.model is not None
                beat, crowded = manager.lane.beat, self.register.crowded
                context = self._keeper.context(job, plan, card, manager.device, beat, crowded)
                fresh = self._learned.unknown(device, card.id, need.shape)
                # what several take at once cannot be told apart
                alone = not lease.shared
                with proxy.measuring(lease.model, manager.device, fresh) if alone else nullcontext(peak) as peak:
                    output = plan.run(lease.model, context)
        except Cancelled:
            pass
        except Yielded as handed:
            following = handed.card or card
        except StudioError as failure:
            error = failures.bare(failure)
        except Exception as failure:
            error = failures.out_of_memory(failure, card) or failures.internal(failure)
        finally:
            lease.release()
            self._copies.used(card)
        before = self._spent.pop(job.id, 0.0)
        seconds = before + time.monotonic() - started
        if (output is not None or (following is not None and following.id != card.id)) and peak.nbytes is not None:
            self._learned.note(device, card.id, need.shape, peak.nbytes)
        if output is not None and output.finish == "stop" and plan is not None and not plan.cards and not card.host:
            self.pace.ran(card.id, job.task, plan.units, seconds)
        if following is not None:
            if self.durable is not None and not self._closed.is_set():
                self.durable.state(job.id, "waiting")
            self._spent[job.id] = seconds if following.id != card.id else 0.0
            self._begin(job, following)
        elif error is not None:
            self._spent[job.id] = before
            self._failed(job, card, error, need, device)
        elif plan is None:
            self.settle(job, "done")  # it was only to be loaded
        elif output is None:
            self.stopped(job)
        else:
            self._keep(job, plan, card, manager.device, output, seconds)

    def _failed(self, job: Job, card: Card, error: StudioError, need: Demand, device: str) -> None:
        """A run ended in an error. Out of memory is tried once more, alone, unless the job has spoken already."""
        if error.code == "out_of_memory" and not card.host:
            kept = self._learned.expect(device, card.id, need.shape, need.work)
            self._learned.ran_out(device, card.id, need.shape, kept)
            if not (job.retried or job.cancelled or job.snapshot().text):
                job.retried = True
                memory.collect()
                self._ask(job, card, alone=True)
                return
        self.missed(job, card, error)

    def missed(self, job: Job, card: Card, error: StudioError) -> None:
        """A model cannot be had, or failed: the job goes on with another, keeps what it has, or fails."""
        if (again := self._places.again(job, card, error)) is not None:
            self._begin(job, again)
            return
        plan = job.plan
        left = plan.missed(card, error) if plan is not None and not job.cancelled else None
        if plan is None or left is None:
            self.settle(job, "failed", error=error)
        elif isinstance(left, Output):
            self._keep_earlier(job, plan, left)
        else:
            self._begin(job, left)

    def stopped(self, job: Job) -> None:
        """Stop was pressed while nothing of the job was computed: what earlier runs of it made is kept."""
        left = job.plan.so_far() if job.plan is not None else None
        if job.plan is None or left is None:
            self.settle(job, "cancelled")
        else:
            self._keep_earlier(job, job.plan, left)

    def _keep_earlier(self, job: Job, plan: Plan, left: Output) -> None:
        device = self.fleet.suited_to(plan.cards[0])[0].device
        self._keep(job, plan, plan.cards[0], device, left, self._spent.get(job.id, 0.0))

    def _keep(self, job: Job, plan: Plan, card: Card, device: Device, output: Output, seconds: float) -> None:
        try:
            artifact = self._keeper.keep(job, plan, card, device, output, seconds)
        except StudioError as error:
            self.settle(job, "failed", error=error)
        except Exception as error:
            self.settle(job, "failed", error=failures.internal(error))
        else:
            self.settle(job, "cancelled" if output.finish == "cancelled" else "done", artifact)

    def settle(self, job: Job, kind: End, artifact: Artifact | None = None, error: StudioError | None = None) -> None:
        """The end of a job: what has to be kept is kept before anybody hears of it."""
        with self._lock:
            self._tickets.pop(job.id, None)
            final = self._finals.pop(job.id, None)
            self._spent.pop(job.id, None)
            self._loading.pop(job.id, None)
        self._places.left(job.id)
        if final is not None:
            try:
                final(job, artifact, error)
            except StudioError as failure:
                kind, error = "failed", error or failure
            except Exception as failure:
                kind, error = "failed", error or failures.internal(failure)
        error, offers = self._rescue(job, error) if error or kind == "done" else (None, ())
        if self.durable is not None and not self._closed.is_set():
            self.durable.over(job.id, failed=kind == "failed")  # before anybody hears, who may close the studio then
        job.finish(kind, artifact, error, offers)
        if self._journal is not None and not self._closed.is_set():
            self._journal.ended(job.id)
        self.turns.leave(job.id)
