"""`run`: a chain of steps over files or lines of text; what was done before is not done again."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.console import FAILED, STOPPED, Console, error_document, language, say
from studio.cli.follow import follow, opened
from studio.cli.options import Json
from studio.cli.position import read_text
from studio.errors import StudioError

if TYPE_CHECKING:
    from studio.chains.run import Event, Input, Running
    from studio.service import Studio

_TEXTS = (".txt", ".text", ".md", ".csv")
"""Files whose lines are the inputs, as standard input's are."""
_NAMED = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".wav", ".flac", ".mp3", ".ogg")
"""Endings that say that somebody meant a file."""


def run(
    chain: Annotated[str, typer.Argument(metavar="[CHAIN]", show_default=False, help=say("help.chain"))] = "",
    inputs: Annotated[
        list[str] | None, typer.Argument(metavar="[INPUT…]", show_default=False, help=say("help.chain_inputs"))
    ] = None,
    put: Annotated[list[str] | None, typer.Option("--set", metavar="SLOT=TEXT", help=say("help.chain_set"))] = None,
    out: Annotated[str, typer.Option("--out", "-o", metavar="FOLDER", help=say("help.chain_out"))] = "",
    again: Annotated[bool, typer.Option("--again", help=say("help.chain_again"))] = False,
    check: Annotated[bool, typer.Option("--check", help=say("help.chain_check"))] = False,
    as_json: Json = False,
) -> None:
    with Console(as_json) as console, opened() as studio:
        if not chain:
            _list(console, studio)
            return
        found, file = studio.chains.chain(chain)
        if check and not inputs:
            _checked(console, found.file, found.takes or "text")
            return
        slots = dict(_slot(console, one) for one in put or ())
        given = [one for name in inputs or () for one in _inputs(name)]
        running = studio.chains.run(found, file, given, slots, again=again)
        if check:
            _checked(console, found.file, found.takes or "text")
            return
        _work(console, studio, running, Path(out).expanduser() if out else None)


def _work(console: Console, studio: Studio, running: Running, out: Path | None) -> None:
    told: list[dict[str, Any]] = []
    had = changed = done = 0
    copies = _Copies(running, out) if out is not None else None
    stopped = False
    for event in running.work():
        if event.state == "begun":
            assert event.job is not None
            console.note(say("chain_begun", step=event.step.name, input=event.input.name, done=done, all=running.units))
            try:
                update = follow(console, event.job, studio.catalog.get(event.job.model).title)
                stopped = update.kind == "cancelled"
            except KeyboardInterrupt:
                stopped = True
            except StudioError:
                continue  # the next event tells of it
            if stopped:
                running.stop()
            continue
        done += 1
        had, changed = had + (event.state == "had"), changed + event.changed
        told.append(_tell(console, studio, event, copies))
    _afterwards(console, running, told, had, changed)
    if running.stopped or stopped:
        raise typer.Exit(STOPPED)
    if running.failed:
        raise typer.Exit(FAILED)


def _tell(console: Console, studio: Studio, event: Event, copies: _Copies | None) -> dict[str, Any]:
    """What came of a step: its files, or its text, on stdout."""
    row: dict[str, Any] = {"input": event.input.name, "step": event.step.name, "state": event.state}
    if event.error is not None:
        if not console.as_json:
            error = event.error
            words = f"{error.what(language())} {error.next(language())}".strip()
            console.note(f"{event.input.name}, {event.step.name}: {words}")
        return row | error_document(event.error)
    artifact = studio.library.named(event.ids)
    files = list(artifact.files) if artifact is not None else []
    if copies is not None:
        files = copies.put(event, files)
    if not console.as_json:
        for line in [" ".join(event.text.split())] if event.text and copies is None else map(str, files):
            console.result(line)
    return row | {"files": [str(file) for file in files], **({"text": event.text} if event.text else {})}


def _afterwards(console: Console, running: Running, told: list[dict[str, Any]], had: int, changed: int) -> None:
    if console.as_json:
        finish = "cancelled" if running.stopped else "stop"
        console.document({"chain": running.chain.file, "finish": finish, "had": had, "changed": changed, "steps": told})
        return
    if had:
        console.note(say("chain_had", count=had))
    if changed:
        console.note(say("chain_changed", count=changed))
    if running.stopped:
        console.note(say("chain_stopped", count=running.units - len(told)))


class _Copies:
    """--out: a copy of every result, called after its input and its step."""

    def __init__(self, running: Running, folder: Path) -> None:
        self._names: dict[int, str] = {}
        used: set[str] = set()
        for number, one in enumerate(running.inputs, 1):
            name = _plain(one.name) or str(number)
            name = name if name not in used else f"{name}-{number}"
            used.add(name)
            self._names[id(one)] = name
        self._folder = folder

    def put(self, event: Event, files: list[Path]) -> list[Path]:
        """Write them; what is there already is not written again."""
        from studio.paths import put_file

        stem = f"{self._names[id(event.input)]}-{event.step.name}"
        found: list[Path] = []
        written = [(file.suffix, file.read_bytes()) for file in files] or [(".txt", event.text.encode())]
        for number, (suffix, data) in enumerate(written, 1):
            target = self._folder / f"{stem}{f'-{number}' if number > 1 else ''}{suffix}"
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_file() or target.read_bytes() != data:
                put_file(target.resolve(), data)
            found.append(target)
        return found


def _plain(name: str) -> str:
    """A name that every file system takes."""
    kept = "".join(sign if sign.isalnum() or sign in "-_" else "-" for sign in name)
    return "-".join(filter(None, kept.split("-")))[:60]


def _inputs(name: str) -> list[Input]:
    """What one word of the command line means: a file, the lines of one, the pictures of a folder, or itself."""
    from studio.chains.run import of_file, of_text
    from studio.tasks.caption import folder

    path = Path(name).expanduser()
    if name == "-":
        return [of_text(line) for line in sys.stdin.read().splitlines() if line.strip()]
    if path.is_dir():
        found = folder.find_pictures(path.resolve())
        return [of_file(path.resolve() / key, str(path.resolve() / key)) for key in found.keys]
    if path.is_file():
        if path.suffix.lower() in _TEXTS:
            return [of_text(line) for line in read_text(str(path)).splitlines() if line.strip()]
        return [of_file(path.resolve())]
    if path.suffix.lower() in _NAMED:
        raise StudioError("file_not_found", path=name)
    return [of_text(name)] if name.strip() else []


def _slot(console: Console, typed: str) -> tuple[str, str]:
    name, equals, value = typed.partition("=")
    if not equals or not name.strip():
        console.usage(say("wrong_set", text=typed))
    return name.strip(), value


def _list(console: Console, studio: Studio) -> None:
    """Every chain with what it does; a broken one with what is wrong."""
    known = studio.chains.all()
    if console.as_json:
        told = [
            {"name": one.name, "title": one.chain.title(language()), "about": one.chain.about(language()),
             "takes": one.chain.takes, "slots": dict(one.chain.slots), "steps": [step.name for step in one.chain.steps]}
            if one.chain else {"name": one.name, **(error_document(one.error) if one.error else {})}
            for one in known
        ]  # fmt: skip
        console.document({"chains": told})
        return
    for one in known:
        said = one.chain.about(language()) if one.chain else one.error.what(language()) if one.error else ""
        console.result(f"{one.name}: {said}")


def _checked(console: Console, file: str, takes: str) -> None:
    if console.as_json:
        console.document({"chain": file, "takes": takes})
    else:
        console.result(say("chain_sound", file=file))
