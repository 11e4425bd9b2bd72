"""Fetching: the files of a job's model, on a small pool of threads, before the job asks for the model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from studio.catalog.card import Card
from studio.errors import Cancelled, StudioError
from studio.jobs import failures
from studio.jobs.job import Job
from studio.jobs.queue import Register
from studio.store import Store


class Ends(Protocol):
    """What may become of a job whose files are fetched (studio.jobs.runner)."""

    def stopped(self, job: Job) -> None: ...

    def missed(self, job: Job, card: Card, error: StudioError) -> None: ...

    def settle(self, job: Job, kind: Any, artifact: Any = None, error: StudioError | None = None) -> None: ...


class Fetching:
    """Downloads of one studio.

    Args:
        closed: set once the studio closes.
    """

    def __init__(self, store: Store, register: Register, closed: threading.Event, ends: Ends) -> None:
        self._store, self._register, self._closed, self._ends = store, register, closed, ends
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="fetch")
        self._lock = threading.Lock()

    def begin(self, job: Job, card: Card, then: Callable[[], None]) -> None:
        """Get the files of a job's model, then go on with `then`."""
        self._pool.submit(self._fetch, job, card, then)

    def download(self, job: Job, card: Card) -> Job:
        """A job that only fetches; one of the same model that runs already is returned instead.

        Raises:
            StudioError: too many jobs, or closing.
        """
        with self._lock:
            for other in self._register.jobs():
                if other.task == "download" and other.model == card.id and not other.done:
                    return other
            self._register.accept(job)
        self.begin(job, card, lambda: self._ends.settle(job, "done"))
        return job

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, job: Job, card: Card, then: Callable[[], None]) -> None:
        job.move("downloading")
        try:
            self._store.fetch(card, job.progress_bytes, lambda: job.cancelled or self._closed.is_set(), job.told)
        except Cancelled:
            self._ends.stopped(job)
        except StudioError as error:
            self._ends.missed(job, card, error)
        except Exception as error:
            self._ends.settle(job, "failed", error=failures.internal(error))
        else:
            then()
