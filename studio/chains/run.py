"""Run of a chain over its inputs: step by step, so that each model is loaded once, every step an ordinary job.

What a journal knows as done is taken from there, as long as its outputs are in the library. A step that fails ends its
own input alone.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, Protocol

from studio.chains.chain import INPUT, NAME, NUMBER, Chain, Step
from studio.chains.fields import GIVES, Kind, request_of
from studio.chains.journal import Journal, Line
from studio.chains.values import MOST_TEXT, Value, filled
from studio.errors import Cancelled, StudioError
from studio.jobs.job import Job
from studio.library.file_names import Keep
from studio.library.outputs import Library
from studio.media import formats
from studio.requests import Request
from studio.results import Artifact
from studio.tasks.caption import lock

MAX_INPUTS = 1_000
_HEAD = 64
_SOUNDS = (b"RIFF", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
SESSION = "chain"
"""Who asks for the jobs of a chain."""

State = Literal["begun", "done", "had", "failed"]


class Submit(Protocol):
    """What starts a job (studio.service.Studio.submit)."""

    def __call__(self, request: Request, session: str = "", tag: str = "", *, keep: Keep | None = None) -> Job: ...


@dataclass(frozen=True, slots=True)
class Input:
    """What a chain is run on: a line of text, or a file.

    Attributes:
        key: by which the journal knows it. name: `{name}`.
    """

    key: str
    name: str
    value: Value


@dataclass(frozen=True, slots=True)
class Event:
    """What happens to one step over one input.

    Attributes:
        state: begun: its job was started. had: it was done by an earlier run.
        changed: it was done before, of something else: the chain or the input is another now.
        ids, text: what came of it.
    """

    state: State
    input: Input
    step: Step
    job: Job | None = None
    ids: tuple[str, ...] = ()
    text: str = ""
    error: StudioError | None = None
    changed: bool = False


@dataclass(slots=True)
class Running:
    """One run while it works.

    Attributes:
        again: whatever was done before is done anew.
    """

    chain: Chain
    inputs: Sequence[Input]
    slots: Mapping[str, str]
    submit: Submit
    library: Library
    journal: Path
    again: bool = False
    failed: dict[str, StudioError] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _job: Job | None = None

    @property
    def units(self) -> int:
        """Steps over inputs, all together."""
        return len(self.chain.steps) * len(self.inputs)

    @property
    def stopped(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        """Do no more; the job that runs is stopped, and what is done stays."""
        self._stop.set()
        if (job := self._job) is not None:
            job.cancel()

    def work(self) -> Iterator[Event]:
        """Do what is missing, telling of each step when it begins and when it is over.

        Raises:
            StudioError: chain_busy where another worker has this chain; the disk is full or refuses.
        """
        with _held(self.journal), Journal(self.journal) as journal:
            found = [self._begun(number, one) for number, one in enumerate(self.inputs, 1)]
            for step in self.chain.steps:
                seen: dict[str, int] = {}
                for number, one in enumerate(self.inputs):
                    if self.stopped:
                        return
                    if str(number) not in self.failed:
                        yield from self._step(journal, step, number, one, found[number], seen)

    def _step(
        self, journal: Journal, step: Step, number: int, one: Input, values: dict[str, Value], seen: dict[str, int]
    ) -> Iterator[Event]:
        try:
            whole = filled(step, values)
            turn = seen[whole.mark] = seen.get(whole.mark, -1) + 1
            whole = filled(step, values, turn) if turn else whole
            line = None if self.again else journal.done(whole.mark)
            had = self._had(step, line) if line is not None else None
            if line is not None and had is not None:
                values[step.name] = had
                yield Event("had", one, step, ids=line.ids, text=line.text)
                return
            changed = not self.again and line is None and journal.knows(one.key, step.name)
            keep = replace(self.library.keep, origin=whole.parent) if whole.parent else None
            self._job = job = self.submit(request_of(step.task, whole.fields), SESSION, self.chain.file, keep=keep)
            if self.stopped:  # between the look and the start
                job.cancel()
            yield Event("begun", one, step, job, changed=changed)
            artifact = job.result()
        except Cancelled:
            self._stop.set()
            return
        except StudioError as error:
            self.failed[str(number)] = error
            yield Event("failed", one, step, error=error)
            return
        finally:
            self._job = None
        if artifact.finish == "cancelled":  # a part of what was asked for: it stays in the library
            self._stop.set()
            return
        ids = tuple(self.library.id(file) for file in artifact.files)
        journal.add(Line(whole.mark, one.key, step.name, ids, artifact.text))
        values[step.name] = _result(step, artifact)
        yield Event("done", one, step, job, ids, artifact.text, changed=changed)

    def _begun(self, number: int, one: Input) -> dict[str, Value]:
        slots = {name: Value("text", self.slots.get(name, usual)) for name, usual in self.chain.slots.items()}
        return {**slots, INPUT: one.value, NAME: Value("text", one.name), NUMBER: Value("text", str(number))}

    def _had(self, step: Step, line: Line) -> Value | None:
        """The result that a line tells of; None where a file of it is gone."""
        if not line.ids:
            return Value("text", line.text) if GIVES[step.task] == "text" else None
        found = self.library.named(line.ids)
        return _result(step, replace(found, text=line.text)) if found and len(found.files) == len(line.ids) else None


def check(chain: Chain, inputs: Sequence[Input], slots: Mapping[str, str]) -> None:
    """Refuse inputs that the chain does not take, and slots that it does not have.

    Raises:
        StudioError: chain_no_input, too_many, chain_input, chain_set, chain_unset, too_long.
    """
    if not inputs:
        raise StudioError("chain_no_input", file=chain.file)
    if len(inputs) > MAX_INPUTS:
        raise StudioError("too_many", field="field.inputs", count=len(inputs), limit=MAX_INPUTS)
    for one in inputs:
        notes = chain.takes == "text" and one.value.kind == "text"
        if chain.takes is not None and one.value.kind != chain.takes and not notes:
            raise StudioError("chain_input", file=chain.file, input=one.name[:80], wanted=f"chain.wanted.{chain.takes}")
        if len(one.value.text) > MOST_TEXT:
            raise StudioError("too_long", field="field.inputs", count=len(one.value.text), limit=MOST_TEXT)
    for name, value in slots.items():
        if name not in chain.slots:
            raise StudioError("chain_set", file=chain.file, slot=name[:40], known=", ".join(chain.slots) or "–")
        if len(value) > MOST_TEXT:
            raise StudioError("too_long", field="field.inputs", count=len(value), limit=MOST_TEXT)
    for name, usual in chain.slots.items():
        if not (slots.get(name, usual)).strip():
            raise StudioError("chain_unset", file=chain.file, slot=name)


def of_text(text: str) -> Input:
    """A line or a longer text as an input, called by its first words."""
    words = " ".join(text.split())
    return Input(words[:500], words[:60].strip(), Value("text", text.strip()))


def of_file(path: Path, key: str = "") -> Input:
    """A picture or a sound as an input.

    Raises:
        StudioError: file_not_found, chain_file where it is neither.
    """
    try:
        with path.open("rb") as opened:
            head = opened.read(_HEAD)
    except OSError:
        raise StudioError("file_not_found", path=str(path)) from None
    kind: Kind | None = "picture" if formats.kind(head) else "sound" if head.startswith(_SOUNDS) else None
    if kind is None:
        raise StudioError("chain_file", path=path.name)
    return Input(key or str(path), path.stem, Value(kind, file=path))


def _result(step: Step, artifact: Artifact) -> Value:
    kind, made = GIVES[step.task], artifact.recipes[0] if artifact.recipes else artifact.recipe
    if kind == "text":
        return Value("text", artifact.text.strip(), made=made)
    file = artifact.files[0]
    return Value(kind, file=file, made=made)


@contextmanager
def _held(journal: Path) -> Iterator[None]:
    journal.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with lock.held(journal.with_suffix(".lock")):
            yield
    except StudioError as error:
        if error.code == "caption_run_busy":
            raise StudioError("chain_busy") from None
        raise
