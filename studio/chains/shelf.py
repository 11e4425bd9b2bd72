"""Shelf of chains: those in home/chains and those that come with the studio, and the one that works behind the page."""

from __future__ import annotations

import difflib
import hashlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.chains.chain import MAX_BYTES, Chain, read_chain
from studio.chains.run import Event, Input, Running, Submit, check
from studio.errors import StudioError
from studio.jobs import failures
from studio.jobs.job import Job
from studio.library.archive import Archive
from studio.library.outputs import Library
from studio.settings import ROOT

SHIPPED = ROOT / "assets" / "chains"
MOST = 200
"""Chains of a home that are listed."""
_SUFFIX = ".toml"
log = logging.getLogger("studio")


@dataclass(frozen=True, slots=True)
class Known:
    """A chain on the shelf: by its name, or why its file is none."""

    name: str
    chain: Chain | None
    error: StudioError | None = None


@dataclass(slots=True)
class Working:
    """A run behind the page, as it stands. Written by its own thread, read by others.

    Attributes:
        done: steps over inputs that are over, whatever came of them; had: of these, what was done before.
        collection: what its outputs belong to. made: they, in the order in which they came.
        texts: (input, step, text) of what wrote text.
        failed: (input, step, error).
    """

    running: Running
    name: str
    collection: str
    done: int = 0
    had: int = 0
    changed: int = 0
    step: str = ""
    input: str = ""
    job: Job | None = None
    made: list[str] = field(default_factory=list)
    texts: list[tuple[str, str, str]] = field(default_factory=list)
    failed: list[tuple[str, str, StudioError]] = field(default_factory=list)
    over: bool = False
    started: float = field(default_factory=time.monotonic)

    def heard(self, event: Event) -> None:
        """Take in what happened."""
        self.step, self.input, self.job = event.step.name, event.input.name, event.job
        if event.state == "begun":
            return
        self.done += 1
        self.had += event.state == "had"
        self.changed += event.changed and event.state == "done"
        self.made += [id for id in event.ids if id not in self.made]
        if event.text:
            self.texts.append((event.input.name, event.step.name, event.text))
        if event.error is not None:
            place = list(self.running.chain.steps).index(event.step)
            self.done += len(self.running.chain.steps) - place - 1  # those that wanted its result
            self.failed.append((event.input.name, event.step.name, event.error))


class Shelf:
    """Chains of one studio.

    Args:
        home: the folder of a person's own chains; runs/ in it has what was done with each.
        archive: where the outputs of a run become a collection; None on a public studio, where nobody has chains.
    """

    def __init__(
        self, home: Path, library: Library, submit: Submit, archive: Archive | None
    ) -> None:  # fmt: skip
        self._home, self._library, self._submit, self._archive = home, library, submit, archive
        self._public = archive is None
        self._lock = threading.Lock()
        self._working: Working | None = None
        self._thread: threading.Thread | None = None

    def all(self) -> tuple[Known, ...]:
        """Every chain, the person's own first; a broken one with what is wrong with it."""
        if self._public:
            return ()
        files: dict[str, Path] = {}
        for folder in (self._home, SHIPPED):
            for file in sorted(folder.glob(f"*{_SUFFIX}"))[:MOST]:
                files.setdefault(file.stem, file)
        found = []
        for name, file in files.items():
            try:
                found.append(Known(name, _read(file)))
            except StudioError as error:
                found.append(Known(name, None, error))
        return tuple(found)

    def chain(self, name: str) -> tuple[Chain, Path]:
        """A chain by its name here, or by the path of its file; and its file.

        Raises:
            StudioError: not_for_public, unknown_chain, and as `read_chain`.
        """
        if self._public:
            raise StudioError("not_for_public")
        given = Path(name).expanduser()
        if given.suffix == _SUFFIX and given.is_file():
            return _read(given), given.resolve()
        return self.named(name.removesuffix(_SUFFIX))

    def named(self, name: str) -> tuple[Chain, Path]:
        """A chain by its name alone. Raises StudioError as `chain`."""
        names: list[str] = []
        for folder in (self._home, SHIPPED):
            for file in folder.glob(f"*{_SUFFIX}"):
                if file.stem == name:
                    return _read(file), file
                names.append(file.stem)
        near = difflib.get_close_matches(name, names, 1, 0.5) or sorted(set(names))[:8]
        raise StudioError("unknown_chain", name=name[:60], known=", ".join(near) or "–")

    def run(
        self, chain: Chain, file: Path, inputs: Sequence[Input], slots: Mapping[str, str], *, again: bool = False
    ) -> Running:
        """A run, which works where its `work` is called. Raises StudioError as studio.chains.run.check."""
        check(chain, inputs, slots)
        mark = hashlib.sha256(str(file).encode()).hexdigest()[:16]
        journal = self._home / "runs" / f"{chain.file.removesuffix(_SUFFIX)[:60]}-{mark}.jsonl"
        return Running(chain, inputs, slots, self._submit, self._library, journal, again)

    def start(
        self, name: str, inputs: Sequence[Input], slots: Mapping[str, str], again: bool = False, language: str = "en"
    ) -> Working:
        """Let a chain work behind the page, one at a time; its outputs become a collection called as it is.

        Raises:
            StudioError: chain_busy, and as `chain` and `run`.
        """
        if self._public:
            raise StudioError("not_for_public")
        chain, file = self.named(name)
        with self._lock:
            if self._working is not None and not self._working.over:
                raise StudioError("chain_busy")
            running = self.run(chain, file, inputs, slots, again=again)
            working = self._working = Working(running, name, chain.title(language))
            self._thread = threading.Thread(target=self._work, args=(working,), name="chain", daemon=True)
            self._thread.start()
        return working

    @property
    def working(self) -> Working | None:
        """The run that works, or the last that did."""
        return self._working

    def stop(self) -> None:
        """Stop what works. What is done stays, and a next run goes on from there."""
        if self._working is not None:
            self._working.running.stop()

    def close(self, timeout: float = 5.0) -> None:
        """Stop, and wait for it."""
        self.stop()
        if self._thread is not None:
            self._thread.join(timeout)

    def _work(self, working: Working) -> None:
        running = working.running
        try:
            for event in running.work():
                working.heard(event)
        except StudioError as error:
            working.failed.append((working.input, working.step, error))
        except Exception as error:
            working.failed.append((working.input, working.step, failures.internal(error)))
        finally:
            working.job = None
            if working.made and self._archive is not None:
                try:
                    self._archive.collect(working.made, (working.collection,))
                except StudioError as error:
                    log.warning("The outputs of a chain are in no collection: %s", error)
            working.over = True


def _read(file: Path) -> Chain:
    try:
        with file.open("rb") as opened:
            data = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise StudioError("chain_unreadable", file=file.name, reason=error.strerror or "–") from None
    return read_chain(data, file.name)


def document(working: Working) -> dict[str, Any]:
    """How a run stands, as JSON can hold it, but for its errors."""
    running = working.running
    return {
        "name": working.name, "done": working.done, "units": running.units, "had": working.had,
        "changed": working.changed, "step": working.step, "input": working.input, "over": working.over,
        "stopped": running.stopped, "made": list(working.made),
        "texts": [{"input": input, "step": step, "text": text} for input, step, text in working.texts],
    }  # fmt: skip
