"""A run: one folder of pictures, one way to caption them, and what became of each.

    home/captions/<id>/run.json        what was asked for, and the pictures in their order
    home/captions/<id>/journal.jsonl   what happened (studio.tasks.caption.journal)
    home/captions/<id>/pictures/       the pictures themselves, where they were sent and lie in no folder of one's own

For each picture the journal is told first: what the caption file holds now and what it will hold. Then the file is
replaced. So after a crash a file holds either what was there, and the journal knows what belongs into it, or what was
to be written; nothing is lost and nothing is written twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio import paths
from studio.errors import StudioError
from studio.media.encodings import decoded
from studio.tasks.caption import edits, folder, lock, metadata_jsonl, tokens
from studio.tasks.caption.journal import FINISHED, ROLLED_BACK, Journal, Line, Story, read_journal
from studio.tasks.caption.plan import Plan, read_plan, write_plan


@dataclass(frozen=True, slots=True)
class RolledBack:
    """How many caption files are what they were, and which were left since somebody changed them after the run."""

    restored: int
    kept: tuple[str, ...]


class Run:
    """One run on disk. Reading is always possible; writing only inside `working`. Safe to read from other threads.

    Raises:
        StudioError: unknown_caption_run where its files are not what they should be.
    """

    def __init__(self, place: Path) -> None:
        self.place, self.id = place, place.name
        self.plan = read_plan(place)
        self.root = Path(self.plan.root) if self.plan.root else place / "pictures"
        self._journal: Journal | None = None
        self._lock = threading.Lock()
        self._listed: dict[str, str] | None = None
        self._story = read_journal(place / "journal.jsonl")

    @classmethod
    def create(cls, place: Path, plan: Plan) -> Run:
        """Write a new run to disk. Raises StudioError where the disk is full or refuses."""
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_plan(place, plan)
        return cls(place)

    # ---- reading

    @property
    def finished(self) -> bool:
        interrupted = not self.plan.dry and any(line.state == "planned" for line in self._story.lines.values())
        return self.rolled_back or (FINISHED in self._story.events and not interrupted)

    @property
    def rolled_back(self) -> bool:
        return ROLLED_BACK in self._story.events

    def lines(self) -> list[Line | None]:
        """What became of each picture, in order; None for those that wait."""
        with self._lock:
            return [self._story.lines.get(key) for key in self.plan.keys]

    def counts(self) -> dict[str, int]:
        """How many pictures are in each state; `waiting` for those that have none yet."""
        found: dict[str, int] = {}
        for line in self.lines():
            state = line.state if line else "waiting"
            found[state] = found.get(state, 0) + 1
        return found

    def waiting(self) -> tuple[str, ...]:
        """Pictures that have no caption yet: not come to, or failed."""
        with self._lock:
            return tuple(
                key for key in self.plan.keys
                if (line := self._story.lines.get(key)) is None or line.state == "failed"
            )  # fmt: skip

    def caption(self, key: str) -> str:
        """The caption of a picture now: as its file says, of a dry run as it would say; empty where there is none."""
        with self._lock:
            line = self._story.lines.get(key)
        if line is not None and line.state == "planned":
            return line.after.strip()
        try:
            data = folder.read_caption(self.root, key)
        except StudioError:
            return ""
        return ((decoded(data) if data else "") or "").strip() or self.listed(key)

    def listed(self, key: str) -> str:
        """What a metadata.jsonl said of a picture when this was first asked; empty where nothing does."""
        if self._listed is None:
            self._listed = metadata_jsonl.captions(self.root, self.plan.keys)
        return self._listed.get(key, "")

    # ---- working

    @contextmanager
    def working(self) -> Iterator[None]:
        """The right to write. Reads the journal anew, for another process may have gone on with it.

        Raises:
            StudioError: caption_run_busy where somebody else works on it.
        """
        with lock.held(self.place / "lock"), Journal(self.place / "journal.jsonl") as journal:
            self._journal, self._story = journal, read_journal(self.place / "journal.jsonl")
            try:
                yield
                self._list()
            finally:
                self._journal = None

    def settle(self, settings: dict[str, Any]) -> None:
        """Keep what a caption request holds once every gap in it is filled, so that a resumed run asks the same."""
        self.plan = replace(self.plan, settings=settings)
        write_plan(self.place, self.plan)

    def begin(self) -> None:
        """Finish what a crash interrupted, and pass over what has a caption where those are skipped.

        Raises:
            StudioError: caption_rolled_back.
        """
        if self.rolled_back:
            raise StudioError("caption_rolled_back")
        for line in list(self._story.lines.values()):
            if line.state == "written" and self._holds(line.key, line.before):
                paths.sweep(folder.place(self.root, folder.caption_key(self.root, line.key)))
                self._replace(line.key, line.after)
        if not self.plan.dry:
            self.apply()
        if self.plan.mode == "skip":
            self._add(*[Line(key, "skipped") for key in self.waiting() if self._has_caption(key)])

    def record(self, key: str, caption: str, unsure: int = 0) -> Line:
        """Take a picture's caption: edit it, join it with what is there, journal it and, unless dry, write it.

        Raises:
            StudioError: what is there cannot be read, or the caption is empty; or the disk is full or refuses.
        """
        before = folder.read_caption(self.root, key)
        mode, old = self.plan.mode, decoded(before or b"")
        listed = "" if old is None or old.strip() else self.listed(key)
        if mode == "skip" and ((before and before.strip()) or listed):
            return self._add(Line(key, "skipped"))
        if old is None and mode in ("append", "prepend"):
            raise StudioError("caption_not_text", path=folder.caption_key(self.root, key))
        new = edits.edited(caption, self.plan.edits)
        if not new:
            raise StudioError("caption_empty")
        tags = {"tags": True, "alt": False}.get(str(self.plan.settings.get("style")))
        made = edits.written(listed or old or "", new, mode, self.plan.edits, tags)
        if not made.text.strip():
            raise StudioError("caption_empty")
        if made.text == (listed or old) if mode in ("append", "prepend") else made.text.encode() == before:
            return self._add(Line(key, "same", before, made.text, made.tokens, made.cut, listed, unsure))
        line = Line(
            key, "planned" if self.plan.dry else "written", before, made.text, made.tokens, made.cut, listed, unsure
        )
        self._add(line)
        if not self.plan.dry:
            self._replace(key, made.text)
        return line

    def fail(self, key: str, error: StudioError) -> Line:
        """Note why a picture has no caption. It is tried again when the run is resumed."""
        return self._add(Line(key, "failed", error=error.code, params=dict(error.params)))

    def finish(self) -> None:
        """All pictures were come to."""
        self._tell(FINISHED)

    def apply(self) -> list[Line]:
        """Write what a dry run showed, exactly. Files that changed since are left alone and fail.

        Raises:
            StudioError: caption_rolled_back; or the disk is full or refuses.
        """
        if self.rolled_back:
            raise StudioError("caption_rolled_back")
        if self.plan.dry:
            self.plan = replace(self.plan, dry=False)
            write_plan(self.place, self.plan)
        done: list[Line] = []
        for line in [line for line in self.lines() if line is not None and line.state == "planned"]:
            if self._holds(line.key, line.before):
                done.append(self._add(replace(line, state="written")))
                self._replace(line.key, line.after)
            else:
                name = folder.caption_key(self.root, line.key)
                done.append(self.fail(line.key, StudioError("caption_changed", path=name)))
        return done

    def type(self, key: str, text: str) -> Line:
        """Write a person's own words as a picture's caption, as typed; empty takes the file away.

        Of a dry run only what would be written changes.

        Raises:
            StudioError: unknown_picture, caption_rolled_back; or the disk refuses.
        """
        if key not in self.plan.keys:
            raise StudioError("unknown_picture")
        if self.rolled_back:
            raise StudioError("caption_rolled_back")
        with self._lock:
            earlier = self._story.lines.get(key)
        now = folder.read_caption(self.root, key)
        if self.plan.dry and earlier is not None and earlier.state == "planned":
            count = tokens.count(text) + tokens.FRAME
            return self._add(replace(earlier, after=text, tokens=count, cut=""))
        first = earlier.before if earlier is not None and earlier.state in ("written", "typed") else now
        line = self._add(Line(key, "typed", first, text, tokens.count(text) + tokens.FRAME))
        self._replace(key, text)
        return line

    def roll_back(self) -> RolledBack:
        """Put every caption file back to the bytes that were there. Those that somebody changed since are left.

        Doing it again does nothing more. Raises StudioError where the disk is full or refuses.
        """
        restored, kept = 0, list[str]()
        for line in reversed([line for line in self.lines() if line is not None]):
            if line.state == "typed":
                kept.append(line.key)
                continue
            if line.state not in ("written", "kept"):
                continue
            if self._holds(line.key, line.after.encode()):
                self._restore(line.key, line.before)
            elif not self._holds(line.key, line.before):
                kept.append(line.key)
                self._add(replace(line, state="kept"))
                continue
            self._add(replace(line, state="undone"))
            restored += 1
        self._tell(ROLLED_BACK)
        return RolledBack(restored, tuple(reversed(kept)))

    # ---- the files

    def _has_caption(self, key: str) -> bool:
        try:
            return bool((folder.read_caption(self.root, key) or b"").strip()) or bool(self.listed(key))
        except StudioError:
            return True  # something is there, and nobody asked to write over it

    def _holds(self, key: str, data: bytes | None) -> bool:
        """Whether a caption file is exactly this; None for no file."""
        try:
            return folder.read_caption(self.root, key) == data
        except StudioError:
            return False

    def _replace(self, key: str, text: str) -> None:
        self._restore(key, text.encode() if text else None)

    def _restore(self, key: str, data: bytes | None) -> None:
        path = folder.place(self.root, folder.caption_key(self.root, key))
        if data is None:
            path.unlink(missing_ok=True)
        else:
            paths.put_file(path, data)

    def _list(self) -> None:
        """Say in a metadata.jsonl what the caption files say."""
        if not self.plan.dry:
            lines = [line for line in self.lines() if line is not None]
            texts = {line.key: line.after for line in lines if line.state in ("written", "typed") and line.after}
            metadata_jsonl.write(self.root, self.place, texts, [line.key for line in lines if line.state == "undone"])

    def _add(self, *lines: Line) -> Line:
        assert self._journal is not None
        self._journal.add(lines)
        with self._lock:
            self._story.lines.update({line.key: line for line in lines})
        return lines[-1] if lines else Line("", "same")

    def _tell(self, event: str) -> None:
        assert self._journal is not None
        if event not in self._story.events:
            self._journal.tell(event)
            self._story = Story(self._story.lines, (*self._story.events, event))
