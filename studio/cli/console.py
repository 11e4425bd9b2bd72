"""The terminal: results on stdout, everything else on stderr, one JSON document where --json asks for it.

On a terminal progress is one line that rewrites itself; in a log it is a line now and then.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import unicodedata
from types import TracebackType
from typing import Any, NoReturn, Self

import typer

from studio.errors import StudioError
from studio.i18n import best, from_environment, table, text
from studio.paths import gigabytes
from studio.results import Offer, Update

WORKED, FAILED, USAGE, STOPPED = 0, 1, 2, 130
LOG_PAUSE = 1.0


def language() -> str:
    """The language of the terminal, or the one that STUDIO_LANGUAGE names."""
    return best(os.environ["STUDIO_LANGUAGE"]) if os.environ.get("STUDIO_LANGUAGE") else from_environment()


def say(key: str, **params: object) -> str:
    """The text below `cli.` for `key`, in the terminal's language."""
    return text(f"cli.{key}", language(), **params)


def next_step(error: StudioError) -> str:
    """What to do about an error, in words that fit a terminal where the page's own do not."""
    return (
        say(f"next.{error.code}", **error.params) if f"cli.next.{error.code}" in table("en") else error.next(language())
    )


def flags(offer: Offer) -> list[str]:
    """An offer as what to add to a command."""
    found: list[str] = []
    for name, value in offer.changes.items():
        if value is True:
            found.append(f"--{name.replace('_', '-')}")
        elif value is not None:
            found += [f"--{name.replace('_', '-')}", value if isinstance(value, str) else f"{value:g}"]
    return found


def error_document(error: StudioError) -> dict[str, Any]:
    """An error as --json prints it."""
    return {"error": {"code": error.code, "what": error.what(language()), "next": next_step(error)}}


class Console:
    """Output of one word, as a context: an error inside becomes a message and an exit code.

    Args:
        as_json: stdout gets one JSON document and nothing else.
    """

    def __init__(self, as_json: bool = False) -> None:
        self.as_json = as_json
        self._line = ""
        self._mark: tuple[str, int] = ("", -1)
        self._told = 0.0
        self.besides: tuple[str, ...] = ()  # options that an offer needs on top of its own
        self.offers: tuple[Offer, ...] = ()  # what may help against the failure of the last job

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.clear()
        if isinstance(error, StudioError):
            self.fail(error)
            raise typer.Exit(FAILED) from None
        if isinstance(error, KeyboardInterrupt):
            if self.as_json:
                self.document({"error": {"code": "stopped", "what": say("stopped"), "next": ""}})
            else:
                self.note(say("stopped"))
            raise typer.Exit(STOPPED) from None
        if isinstance(error, BrokenPipeError):
            leave_pipe()
            raise typer.Exit(WORKED) from None

    def fail(self, error: StudioError) -> None:
        """Tell an error: what happened and what to do next."""
        if self.as_json:
            offers = [{"what": one.said(language()), "flags": [*flags(one), *self.besides]} for one in self.offers]
            self.document({**error_document(error), **({"offers": offers} if offers else {})})
            return
        self.note(f"{error.what(language())} {next_step(error)}".strip())
        for offer in self.offers:
            self.note(say("offer", what=offer.said(language()), flags=" ".join([*flags(offer), *self.besides])))

    def usage(self, message: str) -> NoReturn:
        """Refuse the way in which the word was used."""
        raise typer.BadParameter(message)

    def document(self, value: Any) -> None:
        """The one JSON document of stdout."""
        self.result(json.dumps(value, ensure_ascii=False, indent=2, default=str))

    def result(self, line: str) -> None:
        """A line of the result."""
        self.stream(line + "\n")

    def stream(self, delta: str) -> None:
        """A piece of the result, seen at once."""
        self.clear()
        sys.stdout.write(printable(delta) if sys.stdout.isatty() else delta)
        sys.stdout.flush()

    def note(self, line: str) -> None:
        """A line on stderr."""
        self.clear()
        print(printable(line), file=sys.stderr, flush=True)

    def progress(self, update: Update, title: str = "", step: str = "step") -> None:
        """Show where a job is. A log hears of stages and quarters, once a second at most. `step`: see `describe`."""
        line, share = describe(update, title, step)
        if not line:
            return
        if sys.stderr.isatty():
            self._rewrite(line)
        elif (mark := (update.kind, share)) != self._mark and update.elapsed >= self._told + LOG_PAUSE:
            self._mark, self._told = mark, update.elapsed
            self.note(line)

    def clear(self) -> None:
        """Take the progress line away."""
        if self._line:
            sys.stderr.write("\r" + " " * columns(self._line) + "\r")
            sys.stderr.flush()
            self._line = ""

    def _rewrite(self, line: str) -> None:
        room = shutil.get_terminal_size().columns - 1
        while columns(line) > room:
            line = line[:-1]
        if line != self._line:
            sys.stderr.write("\r" + line + " " * max(columns(self._line) - columns(line), 0))
            sys.stderr.flush()
            self._line = line


def describe(update: Update, title: str = "", step: str = "step") -> tuple[str, int]:
    """A job's state in one line, and a number that changes when a log should hear of it again.

    Args:
        step: what the job's steps are called, a key below `cli.progress.`.
    """
    left = say("progress.left", time=duration(update.seconds_left)) if update.seconds_left else ""
    if update.stopping:
        return say("progress.stopping"), 0
    if update.kind == "queued":
        return (say("progress.queued", count=update.position), update.position) if update.position else ("", 0)
    if update.kind == "downloading":
        done, rate = gigabytes(update.bytes_done), gigabytes(update.bytes_per_second)
        note = say(f"progress.{update.noted}") if update.noted else ""
        if update.wait >= 1:
            return say("progress.server_waits", title=title, seconds=f"{update.wait:.0f}") + note, 0
        if not update.bytes_total:
            return say("progress.downloading", title=title, done=done) + note, 0
        parts = say("progress.downloading_of", title=title, done=done, total=gigabytes(update.bytes_total))
        speed = say("progress.rate", rate=rate) if update.bytes_per_second else ""
        return parts + speed + left + note, 10 * update.bytes_done // update.bytes_total
    if update.kind == "loading":
        share = f" {update.fraction:.0%}" if update.fraction else ""
        return say("progress.loading", title=title) + share, 0
    if update.kind == "running" and update.steps:
        return say(f"progress.{step}", step=update.step, steps=update.steps) + left, 4 * update.step // update.steps
    if update.kind == "running":
        return say("progress.running"), 0
    return "", 0


def duration(seconds: float) -> str:
    """Seconds as people say them: ``"8 s"``, ``"2 min 5 s"``."""
    whole = math.ceil(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def columns(line: str) -> int:
    """Columns that a terminal gives to `line`; signs of Chinese take two."""
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in line)


def printable(line: str) -> str:
    """`line` without the control characters with which a model's answer could drive the terminal."""
    return "".join(sign for sign in line if sign in "\n\t" or unicodedata.category(sign) != "Cc")


def leave_pipe() -> None:
    """The reader of our stdout went away: write nothing more, or Python complains at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
