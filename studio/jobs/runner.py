"""Runner: an accepted job on its way to its result; files fetched, model awaited, computed, output kept.

Downloads run on their own small pool; everything else of a job runs on its device's lane.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from contextvars import copy_context
from pathlib import Path
from typing import Any, Literal, Protocol

from studio.catalog.card import Card
from studio.catalog.engines import ENGINES
from studio.devices import memory
from studio.devices.device import Device
from studio.devices.peak_memory import Peak
from studio.errors import Cancelled, StudioError
from studio.jobs import failures, memory_need
from studio.jobs.context import Plan, RunContext, Yielded
from studio.jobs.job import Job
from studio.jobs.live import Live
from studio.jobs.memory_need import Demand
from studio.jobs.model_spec import Specs, places
from studio.jobs.queue import Register
from studio.jobs.turns import Turns
from studio.library.outputs import Library
from studio.manager import Fleet, Lease, ModelManager
from studio.manager.backends.process import proxy
from studio.manager.memory_estimates import Learned
from studio.recipes import inspect, origins, recipe
from studio.requests import Request
from studio.results import Artifact, Offer, Output
from studio.settings import Settings
from studio.store import Store
from studio.store.upcast_cache import Copies
from studio.tasks.image import (
    control_files,
    detector_files,
    embedding_files,
    lora_files,
    reference_files,
    refiner_files,
    vae_files,
)
from studio.tasks.table import rules

End = Literal["done", "failed", "cancelled"]
Final = Callable[[Job, Artifact | None, StudioError | None], None]
Rescue = Callable[[Job, StudioError | None], tuple[StudioError | None, tuple[Offer, ...]]]
"""What to tell of a failure, and what to offer (studio.jobs.suggestions)."""


class Journal(Protocol):
    """Where it is written down which jobs have not ended."""

    def begun(self, job: str) -> None: ...

    def ended(self, job: str) -> None: ...


class Runner:
    """The jobs and the devices they run on.

    Args:
        fleet: the devices.
        copies: of models that this machine computes with in another type than they are stored in.
        rescue: what to tell of a failure, and what to offer; asked also where nothing failed.
        adapters: the folders of LoRA files, IP-Adapters and ControlNets; none where nobody may use them.
        learned: the file of measured working memory; None forgets it.
        journal: told which jobs have begun and which have ended; None for nobody.
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
    ) -> None:
        self._store, self._library, self._adapters = store, library, adapters
        self.fleet, self._copies, self._rescue = fleet, copies, rescue
        self._settings, self._specs = settings, Specs(settings, store, copies)
        self._learned = Learned(learned)
        self.register = Register(settings)
        self.turns = Turns(len(tuple(self.fleet)) if settings.public else 0)
        self._tickets: dict[str, tuple[ModelManager, int]] = {}
        self._finals: dict[str, Final] = {}
        self._spent: dict[str, float] = {}  # seconds of those that go on with another model
        self._journal = journal
        self._lock = threading.RLock()
        self._fetching = ThreadPoolExecutor(2, thread_name_prefix="fetch")
        self._closed = threading.Event()

    def live(self) -> Live:
        """Where is computed what is wanted while somebody types, which gives way to the jobs."""
        return Live(self._store, self.fleet, self._specs, self.register.busy, self._adapters)

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
        if final is not None:
            self._finals[job.id] = final
        self._begin(job, card)

    def _begin(self, job: Job, card: Card) -> None:
        """Ask for the model, behind those that wait; its files are fetched first where they are not here."""
        job.device = ""
        together = card.id, places(card, self._settings)
        if self._store.state(card) == "ready":
            self.turns.ask(job.id, lambda: self._ask(job, card), together)
        else:
            asker = copy_context()  # it becomes the turn of whoever asks now
            self._fetching.submit(
                self._fetch, job, card,
                lambda: asker.run(self.turns.ask, job.id, lambda: self._ask(job, card), together),
            )  # fmt: skip

    def download(self, job: Job, card: Card) -> Job:
        """Fetch a model's files; a download of the same model that runs already is returned instead."""
        with self._lock:
            for other in self.register.jobs():
                if other.task == "download" and other.model == card.id and not other.done:
                    return other
            self.register.accept(job)
        self._fetching.submit(self._fetch, job, card, lambda: self._settle(job, "done"))
        return job

    def cancelled(self, job: Job) -> None:
        """Stop was pressed: a job that still waits ends now; one that runs is told by its context."""
        with self._lock:
            waiting = self._tickets.pop(job.id, None)
        if self.turns.drop(job.id) or (waiting is not None and waiting[0].cancel(waiting[1])):
            self._stopped(job)

    def close(self, timeout: float) -> None:
        self._closed.set()
        self.register.close()
        for job in self.register.jobs():
            job.cancel()
        self._fetching.shutdown(wait=False, cancel_futures=True)
        for manager in self.fleet:
            manager.close(timeout)
        for job in self.register.jobs():
            job.finish("failed", error=StudioError("closing"))

    # ---- stages

    def _fetch(self, job: Job, card: Card, then: Callable[[], None]) -> None:
        """On a download thread: get the files, then go on."""
        job.move("downloading")
        try:
            self._store.fetch(card, job.progress_bytes, lambda: job.cancelled or self._closed.is_set(), job.told)
        except Cancelled:
            self._stopped(job)
        except StudioError as error:
            self._missed(job, card, error)
        except Exception as error:
            self._settle(job, "failed", error=failures.internal(error))
        else:
            then()

    def _ask(self, job: Job, card: Card, alone: bool = False) -> None:
        """Ask a manager for the model. The job waits from here on.

        Args:
            alone: it ran out of memory before.
        """
        try:
            need = memory_need.of(card, self._store.path(card), job.plan.wanted(card) if job.plan else ())
        except StudioError as error:
            self._missed(job, card, error)
            return
        except Exception as error:
            self._settle(job, "failed", error=failures.internal(error))
            return
        manager = self.fleet.choose(card.id, need.weights + need.work, ENGINES[card.engine].cpu_only)
        work = self._learned.expect(str(manager.device), card.id, need.shape, need.work)
        job.device = str(manager.device)
        job.move("queued")
        ticket = manager.acquire(
            self._specs.of(card, need.weights, manager),
            work=work, least=min(work, need.work), alone=alone,
            granted=lambda lease: manager.start(lease, lambda: self._run(job, card, manager, lease, need)),
            refused=lambda error: self._missed(job, card, failures.titled(error, card)),
            loading=lambda fraction: job.move("loading", fraction=fraction),
            waiting=lambda: job.move("queued", fraction=None),
        )  # fmt: skip
        with self._lock:
            if not job.done:
                self._tickets[job.id] = (manager, ticket)
        if job.cancelled:
            self.cancelled(job)

    def _run(self, job: Job, card: Card, manager: ModelManager, lease: Lease, need: Demand) -> None:
        """On the lane, or beside it where the model is shared: compute, keep, finish."""
        plan, output = job.plan, None
        error: StudioError | None = None
        following: Card | None = None
        started, device = time.monotonic(), str(manager.device)
        peak = Peak()
        try:
            if not job.cancelled and plan is not None:
                job.begin_run()
                assert lease.model is not None
                beat, crowded = manager.lane.beat, self.register.crowded
                context = RunContext(job, self._adapters(), beat=beat, crowded=crowded)
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
        if following is not None:
            self._spent[job.id] = seconds if following.id != card.id else 0.0
            self._begin(job, following)
        elif error is not None:
            self._spent[job.id] = before
            self._failed(job, card, error, need, device)
        elif plan is None:
            self._settle(job, "done")  # it was only to be loaded
        elif output is None:
            self._stopped(job)
        else:
            self._keep(job, plan, card, manager.device, output, seconds)

    def _failed(self, job: Job, card: Card, error: StudioError, need: Demand, device: str) -> None:
        """A run ended in an error. Out of memory is tried once more, alone, unless the job has spoken already."""
        if error.code == "out_of_memory":
            kept = self._learned.expect(device, card.id, need.shape, need.work)
            self._learned.ran_out(device, card.id, need.shape, kept)
            if not (job.retried or job.cancelled or job.snapshot().text):
                job.retried = True
                memory.collect()
                self._ask(job, card, alone=True)
                return
        self._missed(job, card, error)

    def _missed(self, job: Job, card: Card, error: StudioError) -> None:
        """A model cannot be had, or failed: the job goes on with another, keeps what it has, or fails."""
        plan = job.plan
        left = plan.missed(card, error) if plan is not None and not job.cancelled else None
        if plan is None or left is None:
            self._settle(job, "failed", error=error)
        elif isinstance(left, Output):
            self._keep_earlier(job, plan, left)
        else:
            self._begin(job, left)

    def _stopped(self, job: Job) -> None:
        """Stop was pressed while nothing of the job was computed: what earlier runs of it made is kept."""
        left = job.plan.so_far() if job.plan is not None else None
        if job.plan is None or left is None:
            self._settle(job, "cancelled")
        else:
            self._keep_earlier(job, job.plan, left)

    def _keep_earlier(self, job: Job, plan: Plan, left: Output) -> None:
        card = plan.cards[0]
        device = self.fleet.suited_to(card)[0].device
        self._keep(job, plan, card, device, left, self._spent.get(job.id, 0.0))

    def _keep(self, job: Job, plan: Plan, card: Card, device: Device, output: Output, seconds: float) -> None:
        request, keep = plan.request, plan.keep
        try:
            adapters = lora_files.hashes((request, *plan.requests), self._adapters())
            controlnets = control_files.hashes((request, *plan.requests), self._adapters())
            ipadapters = reference_files.hashes((request, *plan.requests), self._adapters())
            vaes = vae_files.hashes((request, *plan.requests), self._adapters())
            refiners = refiner_files.hashes((request, *plan.requests), self._adapters())
            detectors = detector_files.hashes((request, *plan.requests), self._adapters())
            embeddings = self._embeddings((request, *plan.requests), output)

            def made_with(card: Card) -> dict[str, Any]:
                made = recipe.make_recipe(
                    request, card,
                    revision=self._store.revision(card), model_hash=self._store.model_hash(card),
                    device=str(device), hardware=device.hardware, adapters=adapters,
                    controlnets=controlnets, ipadapters=ipadapters, embeddings=embeddings, vaes=vaes,
                    refiners=refiners, detectors=detectors, finish=output.finish, seconds=seconds,
                )  # fmt: skip
                return origins.attached(made, (keep and keep.origin) or _origin(request))

            each = {one.id: made_with(one) for one in plan.cards}
            made = each[plan.cards[0].id] if each else made_with(card)
            artifact = self._library.save(
                request.task, output, made, keep, plan.sheet(output), each, None if keep and keep.origin else _origin
            )
        except StudioError as error:
            self._settle(job, "failed", error=error)
        except Exception as error:
            self._settle(job, "failed", error=failures.internal(error))
        else:
            self._settle(job, "cancelled" if output.finish == "cancelled" else "done", artifact)

    def _embeddings(self, requests: Iterable[Request | None], output: Output) -> dict[str, str]:
        """Hashes of the embeddings that had a part in an output: those that its notes say were left out had none."""
        left = {
            one for code, told in output.notes if code in embedding_files.UNREAD for one in told["names"].split(", ")
        }
        return embedding_files.hashes(requests, self._adapters(), left)

    def _settle(self, job: Job, kind: End, artifact: Artifact | None = None, error: StudioError | None = None) -> None:
        """The end of a job: what has to be kept is kept before anybody hears of it."""
        with self._lock:
            self._tickets.pop(job.id, None)
            final = self._finals.pop(job.id, None)
            self._spent.pop(job.id, None)
        if final is not None:
            try:
                final(job, artifact, error)
            except StudioError as failure:
                kind, error = "failed", error or failure
            except Exception as failure:
                kind, error = "failed", error or failures.internal(failure)
        error, offers = self._rescue(job, error) if error or kind == "done" else (None, ())
        job.finish(kind, artifact, error, offers)
        if self._journal is not None and not self._closed.is_set():
            self._journal.ended(job.id)
        self.turns.leave(job.id)


def _origin(request: Request) -> dict[str, Any] | None:
    return inspect.origin(_began_with(request))


def _began_with(request: Request) -> bytes:
    """The picture or sound that something else was made of, empty for none."""
    image = getattr(request, "image", None)  # without one, its first file may be one that only steers it
    if edited := getattr(request, "pictures", ()):
        return edited[0]
    return next(iter(rules(request).sources(request)), b"") if image is None else image
