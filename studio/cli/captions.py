"""A folder or a zip of pictures on the command line: dry runs, real ones, resuming, rolling back, exports.

Results on stdout: a line a picture as it is written, or what would change. With --json one document at the end.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from studio.cli.console import FAILED, STOPPED, Console, language, say
from studio.cli.follow import follow, opened
from studio.errors import StudioError
from studio.i18n import text
from studio.requests import CaptionRequest
from studio.results import Update
from studio.tasks.caption.runs import Manner

if TYPE_CHECKING:
    from studio.service import Studio
    from studio.tasks.caption.journal import Line
    from studio.tasks.caption.run import Run

__all__ = ["Files", "Manner", "apply", "begin", "resume", "roll_back", "show_runs"]


@dataclass(frozen=True, slots=True)
class Files:
    """Where exports go; empty for none."""

    zip: str = ""
    jsonl: str = ""


def begin(
    console: Console, path: Path, request: CaptionRequest, manner: Manner, files: Files, *, again: bool = False
) -> None:
    """A new run over a folder, or over what is in a zip."""
    sent = not path.is_dir()
    if sent and not files.zip and not manner.dry:
        console.usage(say("caption_zip_out"))
    with opened() as studio:
        if sent:
            _exists(path)
        run = studio.captions.of_files([path], manner) if sent else studio.captions.of_folder(path, manner, again)
        _work(console, studio, run, request, files)


def resume(console: Console, path: Path, request: CaptionRequest, files: Files) -> None:
    """The newest run over a folder that was not finished, from where it stopped."""
    with opened() as studio:
        if (run := studio.captions.unfinished(path)) is None:
            raise StudioError("nothing_to_resume", path=str(path))
        _work(console, studio, run, request, files)


def apply(console: Console, id: str, files: Files) -> None:
    """Write what a dry run showed."""
    with opened() as studio:
        run = studio.captions.open(id)
        with run.working():
            lines = run.apply()
        _export(run, files)
        failed = [line for line in lines if line.state == "failed"]
        if console.as_json:
            console.document(_document(run, False))
        else:
            for line in lines:
                _tell(console, line)
            console.note(say("caption_written", count=len(lines) - len(failed), run=run.id))
        if failed:
            raise typer.Exit(FAILED)


def roll_back(console: Console, id: str) -> None:
    """Put the caption files of a run back to what they were."""
    with opened() as studio:
        run = studio.captions.open(id)
        with run.working():
            found = run.roll_back()
    if console.as_json:
        console.document({"run": run.id, "restored": found.restored, "kept": list(found.kept)})
    else:
        for key in found.kept:
            console.note(say("caption_kept", picture=key))
        console.result(say("caption_restored", count=found.restored, run=run.id))
    if found.kept:
        raise typer.Exit(FAILED)


def show_runs(console: Console) -> None:
    """The newest runs and how they stand."""
    with opened() as studio:
        runs = studio.captions.runs()
    if console.as_json:
        console.document({"runs": [_summary(run) for run in runs]})
        return
    for run in runs:
        counts = ", ".join(f"{say('caption_state.' + state)} {count}" for state, count in run.counts().items())
        state = "rolled_back" if run.rolled_back else "finished" if run.finished else "open"
        where = run.plan.root or say("caption_sent")
        console.result(f"{run.id}  {say('caption_run.' + state)}  {run.plan.mode}  {where}  ({counts})")


def _work(console: Console, studio: Studio, run: Run, request: CaptionRequest, files: Files) -> None:
    for one in run.plan.passed:
        console.note(f"{one.key}: {one.error.what(language())}")
    for old, new in run.plan.renamed:
        console.note(say("caption_renamed", old=old, new=new))
    job = studio.caption_all(run, request, session="cli")
    if run.plan.root and not run.plan.dry:
        console.besides = ("--resume",)
    title = studio.catalog.get(job.model).title
    on_text = None if console.as_json else _printer(console, run)
    try:
        update = follow(console, job, title, on_text, lines=True, step="picture")
    except KeyboardInterrupt:  # before the first picture: nothing to keep, but the run is there to go on with
        update = None
    stopped = update is None or update.kind == "cancelled"
    if update is not None:
        _export(run, files)
    if console.as_json:
        console.document(_document(run, stopped))
    else:
        _afterwards(console, run, update, title)
    if stopped:
        raise typer.Exit(STOPPED)
    if run.counts().get("failed"):
        raise typer.Exit(FAILED)


def _printer(console: Console, run: Run) -> Callable[[str], None]:
    """Prints the line of each picture that the job tells of."""
    by_key = dict(zip(run.plan.keys, range(len(run.plan.keys)), strict=True))

    def show(new: str) -> None:
        lines = run.lines()
        for told in new.splitlines():
            line = lines[by_key[told.partition("\t")[0]]]
            if line is not None:
                _tell(console, line)

    return show


def _tell(console: Console, line: Line) -> None:
    """One picture: what was written, or before and after where nothing was yet."""
    if line.state == "failed":
        console.note(f"{line.key}: {StudioError(line.error, **line.params).what(language())}")
    elif line.state == "planned":
        console.result(line.key)
        for old in line.old.splitlines():
            console.result(f"  - {old}")
        for new in line.after.splitlines():
            console.result(f"  + {new}")
    elif line.state != "skipped":
        console.result(f"{line.key}: {' '.join(line.after.split())}")
    if line.unsure and line.state != "failed":
        console.note(say("caption_unsure", picture=line.key, percent=line.unsure))
    if line.cut:
        console.note(say("caption_cut", picture=line.key, cut=line.cut, count=line.tokens))


def _afterwards(console: Console, run: Run, update: Update | None, title: str) -> None:
    """What is told at the end; without an `update`, that it was stopped before it began."""
    for key, params in update.artifact.notes if update and update.artifact else ():
        console.note(text(f"note.{key}", language(), **params))
    counts = run.counts()
    if skipped := counts.get("skipped"):
        console.note(say("caption_skipped", count=skipped))
    if update is None or update.kind == "cancelled":
        console.note(say("caption_stopped", count=counts.get("waiting", 0)))
        if run.plan.root and not run.plan.dry:  # the others are quickly begun again, and are not found by a folder
            console.note(say("caption_go_on", folder=shlex.quote(run.plan.root)))
    elif run.plan.dry:
        console.note(say("caption_dry", count=counts.get("planned", 0), run=run.id))
    else:
        console.note(say("caption_written", count=counts.get("written", 0), run=run.id))
    console.note(title)


def _export(run: Run, files: Files) -> None:
    from studio.paths import put_file
    from studio.tasks.caption import export

    if files.zip:
        export.as_zip(run, Path(files.zip).expanduser().resolve())
    if files.jsonl:
        put_file(Path(files.jsonl).expanduser().resolve(), export.as_jsonl(run).encode())


def _document(run: Run, stopped: bool) -> dict[str, Any]:
    lines = dict(zip(run.plan.keys, run.lines(), strict=True))
    return {
        **_summary(run),
        "finish": "cancelled" if stopped else "stop",
        "settings": run.plan.settings,
        "passed": [{"picture": one.key, "why": one.why, "what": one.error.what(language())} for one in run.plan.passed],
        "renamed": [{"in_zip": old, "picture": new} for old, new in run.plan.renamed],
        "pictures": [{"picture": key, **_row(line)} for key, line in lines.items()],
    }


def _summary(run: Run) -> dict[str, Any]:
    return {
        "run": run.id, "folder": run.plan.root, "mode": run.plan.mode, "dry_run": run.plan.dry,
        "finished": run.finished, "rolled_back": run.rolled_back, "counts": run.counts(),
    }  # fmt: skip


def _row(line: Line | None) -> dict[str, Any]:
    if line is None:
        return {"state": "waiting"}
    row: dict[str, Any] = {"state": line.state}
    if line.state == "failed":
        error = StudioError(line.error, **line.params)
        return row | {"error": {"code": error.code, "what": error.what(language()), "next": error.next(language())}}
    if line.state != "skipped":
        row |= {"before": None if line.before is None else line.old, "after": line.after, "tokens": line.tokens}
    row |= {"confidence": line.unsure / 100, "unsure": True} if line.unsure else {}
    return row | ({"cut": line.cut} if line.cut else {})


def _exists(path: Path) -> None:
    if not path.is_file():
        raise StudioError("file_not_found", path=str(path))
