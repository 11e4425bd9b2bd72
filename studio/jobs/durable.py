"""Durable jobs: those that wait or run are files, so that they are known after a restart, whatever ended the studio.

    home/queue/<instance>/<job>.waiting     it waits, whole with its pictures and sounds
    home/queue/<instance>/<job>.running     it was let go
    home/queue/<instance>/<job>.over        it has ended; kept as long as the studio remembers the job, to be repeated
    home/queue/<instance>/pictures/<job>/   what a group has painted so far (studio.library.salvage)
    home/queue/<instance>/<job>.painted     which outputs are those of a group that a dead studio had begun
    home/queue/<instance>/order             their order as it was chosen by hand, and which are on hold

A file is written whole or not at all, and changes its state by its name. It begins with a line of JSON, followed by the
bytes of its pictures and sounds. Every studio has its own folder (studio.instance); what dead ones left is taken over,
file by file, by renaming, so that of two that start at once only one has it. Fields that are not known are done
without, and those that are missing have their defaults: what another version wrote stops no start.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal

from studio import request_parts, requests
from studio.errors import StudioError
from studio.jobs.asked import HOWS, Asked, How
from studio.jobs.job import Job
from studio.library.file_names import Keep
from studio.library.outputs import Library
from studio.library.salvage import Salvage
from studio.paths import require_space, write
from studio.request_parts import Axis

log = logging.getLogger("studio")

VERSION = 1
State = Literal["waiting", "running", "over"]
_PICTURES = "pictures"
_PAINTED = "painted"
STATES: tuple[State, ...] = ("waiting", "running", "over")
_INSTEAD: ContextVar[str] = ContextVar("instead", default="")
MOST_BYTES = 1 << 30
"""A file that is larger was not written by this."""
_CLASSES: Mapping[str, type] = {
    kind.__name__: kind
    for kind in (
        *(requests.ChatRequest, requests.ImageRequest, requests.MusicRequest, requests.CodeRequest),
        *(requests.CaptionRequest, requests.UpscaleRequest, request_parts.Message, request_parts.Attachment),
        *(request_parts.Lora, request_parts.Control, request_parts.Reference, request_parts.Region),
        *(request_parts.Detail, request_parts.CodeFile, request_parts.CodeEdit, Axis),
    )
}


@dataclass(frozen=True, slots=True)
class Earlier:
    """A job of a studio that is no more.

    Attributes:
        ran: it was at work when that studio ended, and did not only wait.
        held: it was on hold.
        created: when it was asked for, in seconds since 1970.
    """

    id: str
    ran: bool
    task: str
    title: str
    model: str
    session: str
    created: float
    held: bool = False


class Durable:
    """The files of one studio. Safe to use from several threads: each file is one job's.

    Args:
        root: home/queue. id: of this studio (studio.instance).
        library: where pictures go that a group had when it failed or was killed.
        keep_free: bytes that writing leaves free on the disk.
    """

    def __init__(self, root: Path, id: str, library: Library, keep_free: int = 0) -> None:
        self._root, self._own, self._keep_free = root, root / id, keep_free
        self.salvage = Salvage(self._own / _PICTURES, library)
        self._keeping = False

    # ---- a job's way

    def begun(self, job: Job) -> None:
        """Keep a job, once `take_over` was called. Where the disk refuses, it runs all the same, and a restart will not
        know it."""
        if job.asked is None or job.asked.how not in HOWS or not self._keeping:
            return
        if job.asked.keep is not None and job.asked.keep.fleeting:
            return
        try:
            data = _packed(job, job.asked)
            self._own.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_space(self._own, len(data), self._keep_free)
            write(self._file(job.id, "waiting"), data)
        except StudioError as error:
            log.warning("a job could not be kept for after a restart: %s", error)
            return

    @contextmanager
    def going_on(self, id: str) -> Iterator[None]:
        """What is begun meanwhile, in this thread, is in the place of one from before, of which nothing is left then.

        Where the studio ends in the middle, one of the two is there afterwards, and not both.
        """
        token = _INSTEAD.set(id)
        try:
            yield
        finally:
            _INSTEAD.reset(token)
        self.forget(id)

    def state(self, id: str, state: State) -> None:
        """A job waits again, was let go, or is over."""
        for other in STATES:
            if other != state:
                with suppress(OSError):  # it was never kept, or stands there already
                    self._file(id, other).rename(self._file(id, state))

    def over(self, id: str, *, failed: bool) -> None:
        """A job has ended; the pictures that a failed one has go into the library."""
        self.salvage.over(id, failed=failed)
        self.state(id, "over")

    def forget(self, id: str) -> None:
        for state in (*STATES, _PAINTED):
            with suppress(OSError):
                self._file(id, state).unlink(missing_ok=True)

    def ordered(self, ids: Iterable[str], held: Iterable[str]) -> None:
        """Remember the order of those that wait."""
        if self._own.is_dir():
            try:
                write(self._own / "order", json.dumps({"order": list(ids), "held": list(held)}))
            except StudioError as error:  # they are there all the same
                log.warning("the order of the jobs could not be kept: %s", error)

    def asked(self, id: str) -> Asked:
        """What a job asked for.

        Raises:
            StudioError: queue_unreadable, where it is not here or nobody understands it.
        """
        for state in STATES:
            if (file := self._file(id, state)).is_file():
                try:
                    asked = _unpacked(*_parted(file))
                    return replace(asked, painted=(*asked.painted, *_painted(self._file(id, _PAINTED))))
                except Exception as error:  # whatever stands there
                    log.warning("%s cannot be understood: %s", file, error)
        raise StudioError("queue_unreadable")

    # ---- after a restart

    def take_over(self, living: Collection[str]) -> tuple[Earlier, ...]:
        """Those that dead studios left, in the order in which they waited; the ones that ran are the first. From now on
        the jobs of this one are kept: a command that is typed once has no queue to come back to.

        Args:
            living: ids of the studios that are at the same home.
        """
        self._keeping = True
        found = list[Earlier]()
        for folder in sorted(self._root.iterdir()) if self._root.is_dir() else []:
            if folder.name not in living and folder != self._own:
                found += self._taken(folder)
                self._note(self.salvage.rescue(folder / _PICTURES))
                if not any((folder / _PICTURES).glob("*")):
                    shutil.rmtree(folder, ignore_errors=True)
        found.sort(key=lambda one: not one.ran)
        self.ordered([one.id for one in found], [one.id for one in found if one.held])
        return tuple(found)

    def close(self) -> None:
        """Leave what waits or ran, and take away the rest."""
        if not self._own.is_dir():
            return
        for file in list(self._own.glob("*.over")):
            file.unlink(missing_ok=True)
        if not any(self._own.glob("*.waiting")) and not any(self._own.glob("*.running")):
            shutil.rmtree(self._own, ignore_errors=True)

    def _note(self, kept: Mapping[str, tuple[str, ...]]) -> None:
        """Remember what of those that were taken over is painted."""
        for id, outputs in kept.items():
            file = self._file(id, _PAINTED)
            if outputs and any(self._file(id, state).is_file() for state in STATES):
                try:
                    write(file, json.dumps([*_painted(file), *outputs]))
                except StudioError as error:  # all of it is painted once more
                    log.warning("what a group has could not be noted: %s", error)

    def _taken(self, folder: Path) -> list[Earlier]:
        order, held = _order(folder / "order")
        heads: dict[Path, dict[str, Any]] = {}
        for file in (one for state in STATES for one in sorted(folder.glob(f"[!.]*.{state}"))):
            try:
                heads[file], _ = _parted(file, head_only=True)
            except Exception as error:
                log.warning("%s cannot be taken over: %s", file, error)
        replaced = {head.get("instead") for head in heads.values()}
        found = list[tuple[tuple[int, float], Earlier]]()
        for file, head in heads.items():
            if file.suffix == ".over" or file.stem in replaced:
                continue
            one = _earlier(file.stem, file.suffix == ".running", head, file.stem in held)
            try:
                self._own.mkdir(mode=0o700, parents=True, exist_ok=True)
                file.rename(self._own / file.name)  # only one of two has it
            except OSError as error:
                log.warning("%s cannot be taken over: %s", file, error)
                continue
            with suppress(OSError):
                file.with_suffix(f".{_PAINTED}").rename(self._file(one.id, _PAINTED))
            place = order.index(one.id) if one.id in order else len(order)
            found.append(((place, one.created), one))
        return [one for _, one in sorted(found, key=lambda each: each[0])]

    def _file(self, id: str, state: str) -> Path:
        return self._own / f"{id}.{state}"


# ---- the file


def _packed(job: Job, asked: Asked) -> bytes:
    blobs: list[bytes] = []
    head = {
        "atelier_job": VERSION, "task": job.task, "title": job.title, "model": job.model, "session": job.session,
        "created": job.created, "how": asked.how, "tag": asked.tag, "previews": asked.previews, "series": asked.series,
        "keep": asdict(asked.keep) if asked.keep is not None else None,
        "painted": list(asked.painted), "instead": _INSTEAD.get(), "axes": [_plain(axis, blobs) for axis in asked.axes],
        "request": _plain(asked.request, blobs),
    }  # fmt: skip
    line = json.dumps({**head, "blobs": [len(blob) for blob in blobs]}, ensure_ascii=True)
    return b"".join([line.encode(), b"\n", *blobs])


def _parted(file: Path, head_only: bool = False) -> tuple[dict[str, Any], list[bytes]]:
    """The head of a file and its bytes. Raises ValueError, OSError."""
    with file.open("rb") as stream:
        head = json.loads(stream.readline(MOST_BYTES))
        if not isinstance(head, dict) or not isinstance(head.get("atelier_job"), int):
            raise ValueError("no job")
        if head_only:
            return head, []
        sizes = [int(size) for size in head["blobs"]]
        if min(sizes, default=0) < 0 or sum(sizes) > MOST_BYTES:
            raise ValueError("sizes that nobody wrote")
        blobs = [stream.read(size) for size in sizes]
    if [len(blob) for blob in blobs] != sizes:
        raise ValueError("it ends too early")
    return head, blobs


def _unpacked(head: dict[str, Any], blobs: list[bytes]) -> Asked:
    """Raises whatever its fields make of what stands there."""
    request = _made(head["request"], blobs)
    if not hasattr(request, "task"):
        raise ValueError("no request")
    how: How = next(one for one in HOWS if one == head.get("how", "request"))
    keep = head.get("keep")
    known = {part.name for part in fields(Keep)}
    return Asked(
        request, how, tuple(_made(axis, blobs) for axis in head.get("axes", ())),
        Keep(**{name: value for name, value in keep.items() if name in known}) if isinstance(keep, dict) else None,
        str(head.get("tag", "")), bool(head.get("previews")), series=str(head.get("series", "")),
        painted=tuple(map(str, head.get("painted", ()))),
    )  # fmt: skip


def _plain(value: Any, blobs: list[bytes]) -> Any:
    """A value as JSON knows it; a dataclass by its name and fields, bytes by their place behind the head."""
    if is_dataclass(value) and not isinstance(value, type):
        values = {part.name: _plain(getattr(value, part.name), blobs) for part in fields(value)}
        return {"is": type(value).__name__, "fields": values}
    if isinstance(value, bytes):
        blobs.append(value)
        return {"is": "bytes", "at": len(blobs) - 1}
    if isinstance(value, tuple | list):
        return [_plain(item, blobs) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {type(value).__name__} is no part of a request")


def _made(tree: Any, blobs: list[bytes]) -> Any:
    """The value that `_plain` made into `tree`, as far as it is known."""
    if isinstance(tree, list):
        return tuple(_made(item, blobs) for item in tree)
    if not isinstance(tree, dict):
        return tree
    if tree["is"] == "bytes":
        return blobs[int(tree["at"])]
    kind = _CLASSES[tree["is"]]
    known = {part.name: part for part in fields(kind)}
    values = {name: _made(value, blobs) for name, value in tree["fields"].items() if name in known}
    for name, part in known.items():
        if name not in values and part.default is MISSING and part.default_factory is MISSING:
            raise ValueError(f"no {name}")
    return kind(**values)


def _earlier(id: str, ran: bool, head: dict[str, Any], held: bool) -> Earlier:
    created = head.get("created")
    task, title, model, session = (str(head.get(name, ""))[:200] for name in ("task", "title", "model", "session"))
    return Earlier(
        id, ran, task, title, model, session, float(created) if isinstance(created, int | float) else 0.0, held
    )


def _painted(file: Path) -> list[str]:
    try:
        return [str(id) for id in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError, RecursionError):
        return []


def _order(file: Path) -> tuple[list[str], set[str]]:
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
        return [str(id) for id in told["order"]], {str(id) for id in told["held"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return [], set()
