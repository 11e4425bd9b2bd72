"""From an accepted job to its result: fetch the files, wait for the model, compute, keep the output.

Downloads run on their own small pool; everything else of a job runs on its device's lane. Knows nothing of
checking requests or choosing models (studio.service) and nothing of pages.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Literal

from studio import adapters, failures, grid, recipe
from studio.captioning.batch import Yielded
from studio.cards import Card
from studio.conversation import compute
from studio.engines.base import Device, Loaded, engine
from studio.errors import Cancelled, StudioError
from studio.jobs import Job
from studio.library import Library
from studio.manager import Lease, ModelManager, Spec
from studio.manager.gauge import detect, physical_cores
from studio.offers import Offer
from studio.settings import Settings
from studio.sources import Store
from studio.types import Artifact, Output

KEPT_JOBS = 64
"""Finished jobs that a page coming back can still read. Their outputs are on disk in any case."""

PUBLIC_GRACE = 60.0

End = Literal["done", "failed", "cancelled"]
Final = Callable[[Job, Artifact | None], None]
Rescue = Callable[[Job, StudioError], tuple[StudioError, tuple[Offer, ...]]]
"""What to tell of a failure, and what to offer (studio.ladder)."""


class Runner:
    """The jobs and the devices they run on.

    Args:
        adapters: the folder of LoRA files; None where nobody may use them.
    """

    def __init__(self, settings: Settings, store: Store, library: Library, adapters: Path | None = None) -> None:
        self._settings, self._store, self._library, self._adapters = settings, store, library, adapters
        device = replace(detect(settings.device), threads=settings.threads or physical_cores())
        self.device = device
        self.managers = {device.kind: self._manager(device)}
        if device.kind == "cuda":  # GGUF models compute on the processor and must not wait for the GPU
            self.managers["cpu"] = self._manager(Device("cpu", 0, "CPU", device.threads))
        self._jobs: dict[str, Job] = {}
        self._tickets: dict[str, tuple[ModelManager, int]] = {}
        self._finals: dict[str, Final] = {}
        self._lock = threading.RLock()
        self._fetching = ThreadPoolExecutor(2, thread_name_prefix="fetch")
        self._closed = threading.Event()
        self.rescue: Rescue = lambda _, error: (error, ())
        grace = settings.detach_grace or (PUBLIC_GRACE if settings.public else 0.0)
        if grace:
            threading.Thread(target=self._sweep, args=(grace,), name="sweeper", daemon=True).start()

    def manager(self, card: Card) -> ModelManager:
        """The manager of the device that runs this model."""
        return self.managers.get("cpu" if card.engine == "llama" else "", self.managers[self.device.kind])

    def room(self, card: Card) -> tuple[Device, int]:
        """The device that runs this model, and how many bytes models may take there."""
        manager = self.manager(card)
        return manager.device, manager.status().budget

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
        self._accept(job, final)
        try:
            if before is not None:
                before()
        except BaseException:
            with self._lock:
                del self._jobs[job.id]
                self._finals.pop(job.id, None)
            raise
        if self._store.state(card) == "ready":
            self._ask(job, card)
        else:
            self._fetching.submit(self._fetch, job, card, lambda: self._ask(job, card))

    def download(self, job: Job, card: Card) -> Job:
        """Fetch a model's files; a download of the same model that runs already is returned instead."""
        with self._lock:
            for other in self._jobs.values():
                if other.task == "download" and other.model == card.id and not other.done:
                    return other
            self._accept(job, None)
        self._fetching.submit(self._fetch, job, card, lambda: self._settle(job, "done"))
        return job

    def jobs(self) -> tuple[Job, ...]:
        """Known jobs, oldest first."""
        with self._lock:
            return tuple(self._jobs.values())

    def job(self, id: str) -> Job:
        """The job with this id. Raises StudioError where there is none."""
        with self._lock:
            if id not in self._jobs:
                raise StudioError("unknown_job")
            return self._jobs[id]

    def position(self, job: Job) -> int:
        """How many jobs are in front of this one."""
        ids = [other.id for other in self.jobs() if not other.done and other.task != "download"]
        return ids.index(job.id) if job.id in ids else 0

    def crowded(self) -> bool:
        """Whether somebody waits for a device."""
        return any(job.task != "download" and job.snapshot().kind == "queued" for job in self.jobs() if not job.done)

    def cancelled(self, job: Job) -> None:
        """Stop was pressed: a job that still waits ends now; one that runs is told by its context."""
        with self._lock:
            waiting = self._tickets.pop(job.id, None)
        if waiting is not None and waiting[0].cancel(waiting[1]):
            self._settle(job, "cancelled")

    def close(self, timeout: float) -> None:
        self._closed.set()
        for job in self.jobs():
            job.cancel()
        self._fetching.shutdown(wait=False, cancel_futures=True)
        for manager in self.managers.values():
            manager.close(timeout)
        for job in self.jobs():
            job.finish("failed", error=StudioError("closing"))

    # ---- stages

    def _manager(self, device: Device) -> ModelManager:
        limit, reserve = int(self._settings.memory_gb * 1e9), int(self._settings.reserve_gb * 1e9)
        return ModelManager(device, limit=limit, reserve=reserve)

    def _accept(self, job: Job, final: Final | None) -> None:
        with self._lock:
            open_jobs = [other for other in self._jobs.values() if not other.done]
            mine = [other for other in open_jobs if other.session == job.session]
            if self._closed.is_set():
                raise StudioError("closing")
            if len(open_jobs) >= self._settings.max_queue:
                raise StudioError("queue_full", count=len(open_jobs))
            if len(mine) >= self._settings.max_jobs_per_session:
                raise StudioError("too_many_jobs", count=len(mine))
            self._jobs[job.id] = job
            if final is not None:
                self._finals[job.id] = final
            finished = [other.id for other in self._jobs.values() if other.done]
            for id in finished[: max(len(finished) - KEPT_JOBS, 0)]:
                del self._jobs[id]

    def _fetch(self, job: Job, card: Card, then: Callable[[], None]) -> None:
        """On a download thread: get the files, then go on."""
        job.move("downloading")
        try:
            self._store.fetch(card, job.progress_bytes, lambda: job.cancelled or self._closed.is_set())
        except Cancelled:
            self._settle(job, "cancelled")
        except StudioError as error:
            self._settle(job, "failed", error=error)
        except Exception as error:
            self._settle(job, "failed", error=failures.internal(error))
        else:
            then()

    def _ask(self, job: Job, card: Card) -> None:
        """Ask the manager for the model. The job waits from here on."""
        manager = self.manager(card)
        request = job.request
        assert request is not None
        try:
            files = self._store.path(card)
            kind = engine(card.engine)
            weights, work = kind.weights(card, files), max(kind.work(card, one) for one in job.cells or (request,))
        except StudioError as error:
            self._settle(job, "failed", error=error)
            return
        except Exception as error:
            self._settle(job, "failed", error=failures.internal(error))
            return

        def load(report: Callable[[float], None]) -> Loaded:
            return kind.load(card, files, manager.device, report)

        job.move("queued")
        ticket = manager.acquire(
            Spec(card.id, weights, load, self._settings.keep_alive),
            work=work,
            granted=lambda lease: manager.lane.put(lambda: self._run(job, card, manager.device, lease)),
            refused=lambda error: self._settle(job, "failed", error=failures.titled(error, card)),
            loading=lambda fraction: job.move("loading", fraction=fraction),
            waiting=lambda: job.move("queued", fraction=None),
        )
        with self._lock:
            if not job.done:
                self._tickets[job.id] = (manager, ticket)
        if job.cancelled:
            self.cancelled(job)

    def _run(self, job: Job, card: Card, device: Device, lease: Lease) -> None:
        """On the lane: compute, keep, finish."""
        output: Output | None = None
        error: StudioError | None = None
        yielded, started = False, time.monotonic()
        try:
            if not job.cancelled:
                job.begin_run()
                assert lease.model is not None
                output = compute(lease.model, job, self._adapters)
        except Cancelled:
            pass
        except Yielded:
            yielded = True
        except StudioError as failure:
            error = failure.with_traceback(None)
        except Exception as failure:
            error = failures.out_of_memory(failure, card) or failures.internal(failure)
        finally:
            lease.release()
        if yielded:
            self._ask(job, card)  # behind those that waited
        elif error is not None:
            self._settle(job, "failed", error=error)
        elif output is None:
            self._settle(job, "cancelled")
        else:
            self._keep(job, card, device, output, time.monotonic() - started)

    def _keep(self, job: Job, card: Card, device: Device, output: Output, seconds: float) -> None:
        assert job.request is not None
        try:
            made = recipe.make(
                job.request, card,
                revision=self._store.revision(card), device=str(device), hardware=device.hardware,
                adapters=adapters.hashes((job.request, *job.cells), self._adapters),
                finish=output.finish, seconds=seconds,
            )  # fmt: skip
            sheet = grid.sheet(job.layout, grid.placed(job.cells, output)) if job.layout else None
            artifact = self._library.save(job.request.task, output, made, job.keep, sheet)
        except StudioError as error:
            self._settle(job, "failed", error=error)
        except Exception as error:
            self._settle(job, "failed", error=failures.internal(error))
        else:
            self._settle(job, "cancelled" if output.finish == "cancelled" else "done", artifact)

    def _settle(self, job: Job, kind: End, artifact: Artifact | None = None, error: StudioError | None = None) -> None:
        """The end of a job: what has to be kept is kept before anybody hears of it."""
        with self._lock:
            self._tickets.pop(job.id, None)
            final = self._finals.pop(job.id, None)
        if final is not None:
            try:
                final(job, artifact)
            except StudioError as failure:
                kind, error = "failed", error or failure
            except Exception as failure:
                kind, error = "failed", error or failures.internal(failure)
        error, offers = self.rescue(job, error) if error else (None, ())
        job.finish(kind, artifact, error, offers)

    def _sweep(self, grace: float) -> None:
        """Stop jobs whose page has been gone for longer than `grace` seconds."""
        while not self._closed.wait(min(grace / 4, 5)):
            for job in self.jobs():
                if not job.done and job.readers == 0 and time.monotonic() - job.left > grace:
                    job.cancel()
