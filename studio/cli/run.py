"""One request done, and its result printed: the same for every word that makes something."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from studio.cli import piece
from studio.cli.console import STOPPED, Console, language, say
from studio.cli.follow import follow, opened
from studio.cli.out import Target, keep, target
from studio.cli.position import read_bytes, read_text
from studio.i18n import text
from studio.request_parts import Attachment
from studio.requests import MusicRequest, Request, Task
from studio.results import Artifact, Note

if TYPE_CHECKING:
    from studio.jobs.job import Job
    from studio.library.file_names import Keep
    from studio.service import Studio
    from studio.settings import Settings


@dataclass(frozen=True, slots=True)
class Wish:
    """How pictures are kept that the command line asked for.

    Attributes:
        pattern: of their names; empty for the usual ones.
        clean: without anything in the file about how it was made.
        origin: how the file that they are made from was made, where it does not say so itself.
    """

    pattern: str = ""
    clean: bool = False
    origin: dict[str, Any] | None = None

    def keep(self, settings: Settings, place: Target | None) -> Keep:
        """The same with what the settings say. A file in another format than theirs is made from a lossless one."""
        from studio.library.file_names import Keep

        suffix = place.path.suffix.lower() if place is not None and not place.folder else ""
        form = settings.picture_format
        if suffix and {".jpg": "jpeg"}.get(suffix, suffix[1:]) != form:
            form = "png"
        return Keep(self.pattern or settings.file_names, form, not self.clean, self.origin)


Start = Callable[["Studio", "Keep"], "Job"]


def run(
    console: Console, request: Request, out: str, wish: Wish | None = None, start: Start | None = None, *,
    quiet: bool = False,
) -> Artifact:  # fmt: skip
    """Do one request and print its result. Raises what `follow` raises; exits 130 where it was stopped halfway.

    Args:
        start: how the job begins, where it is more than this request.
        quiet: print no text on stdout, because it is put elsewhere.
    """
    place, written = wanted_file(console, out, request.task), request.task in ("chat", "code", "caption")
    wish = wish or Wish()
    with opened() as studio:
        kept = wish.keep(studio.settings, place)
        read = _read(studio, request)
        if read and not console.as_json:
            console.note(read)
        job = start(studio, kept) if start else studio.submit(request, session="cli", keep=kept)
        streams = written and place is None and not console.as_json
        live = streams and not quiet and _as_it_comes(request)
        title = studio.catalog.get(job.model).title
        update = follow(console, job, title, console.stream if live else None)
        artifact = update.artifact
        if artifact is None:
            raise AssertionError("a job that is done has an artifact")
        files = keep(artifact, place, wish.clean, studio.library.sign) if place else results(artifact)
    if console.as_json:
        console.document({**_document(artifact, files, written), **({"read": read} if read else {})})
    elif artifact.prompt:
        console.result(artifact.prompt)
    elif quiet:
        pass
    elif artifact.task == "code" and streams and not live:
        candidates(console, artifact)
    elif streams and not live:
        for line in artifact.texts or (artifact.text,):
            console.result(line)
    elif streams:
        if request.task != "code" or sys.stdout.isatty():
            console.stream("" if artifact.text.endswith("\n") else "\n")
    else:
        for file in files:
            console.result(str(file))
    if not console.as_json:
        _afterwards(console, artifact, title)
    if update.kind == "cancelled":
        raise typer.Exit(STOPPED)
    return artifact


def _as_it_comes(request: Request) -> bool:
    """Whether what a model writes is the result already while it comes."""
    several = getattr(request, "count", 1) > 1 or getattr(request, "style", "plain") != "plain"
    return not several and not getattr(request, "only_prompt", False)


def candidates(console: Console, artifact: Artifact) -> None:
    """Completions on stdout, the best first, an empty line between two; what is known of each on stderr."""
    for number, one in enumerate(artifact.candidates, 1):
        known = {True: say("candidate.parses"), False: say("candidate.broken"), None: ""}[one.parses]
        score = say("candidate.score", score=f"{one.score:.2f}") if one.score is not None else ""
        times = say("candidate.times", count=one.times) if one.times > 1 else ""
        console.note(" · ".join(filter(None, (str(number), score, known, times))))
        console.result(one.text + ("\n" if number < len(artifact.candidates) else ""))


def _read(studio: Studio, request: Request) -> str:
    """How a model of music understands the request, in a line; nothing where it does not say."""
    if not isinstance(request, MusicRequest):
        return ""
    from studio.tasks.music import reading_text

    found = studio.reading(request)
    return "" if found is None else reading_text.lines(found, language())[0]


def wanted_file(console: Console, out: str, task: Task) -> Target | None:
    """What --out means, or None without it. A wrong suffix is wrong usage."""
    try:
        return target(out, task) if out else None
    except ValueError as formats:
        console.usage(say("wrong_suffix", formats=formats))


def results(artifact: Artifact) -> tuple[Path, ...]:
    """The files of an artifact, the sheet of a grid last."""
    return (*artifact.files, artifact.sheet) if artifact.sheet else artifact.files


def prompt_text(prompt: str | None) -> str:
    """The prompt, or standard input where it is missing or a hyphen."""
    if prompt is not None and prompt != "-":
        return prompt
    return read_text("-", "field.prompt").rstrip("\r\n")


def attached(console: Console, names: Sequence[str]) -> tuple[Attachment, ...]:
    """Files that come with a message. Raises StudioError as `read_bytes`, or where one is neither picture nor text."""
    from studio.tasks.bounds import MAX_IMAGE_BYTES
    from studio.tasks.chat.attachments import read_attachment

    def told(note: Note) -> None:
        console.note(text(f"note.{note[0]}", language(), **note[1]))

    return tuple(read_attachment(name, read_bytes(name, MAX_IMAGE_BYTES), told=told) for name in names)


def _document(artifact: Artifact, files: tuple[Path, ...], written: bool) -> dict[str, Any]:
    """What --json prints: text or files first, then how it was made."""
    whole: dict[str, Any] = {"text": artifact.text} if written else {}
    if artifact.texts:
        whole["texts"] = list(artifact.texts)
    if artifact.candidates:
        whole["candidates"] = [asdict(one) for one in artifact.candidates]
    if artifact.prompt:
        whole["prompt"] = artifact.prompt
    whole["files"] = [str(file) for file in (files[:-1] if artifact.sheet else files)]
    if artifact.sheet:
        whole["sheet"] = str(files[-1])
    whole |= {"recipe": artifact.recipe, "stats": artifact.stats, "finish": artifact.finish}
    if artifact.task == "music":
        made = zip(artifact.recipes, artifact.files, strict=True)
        whole["played"] = [piece.document(one, piece.length(file)) for one, file in made]
    if len(artifact.recipes) > 1:
        whole["recipes"] = list(artifact.recipes)
    whole["notes"] = _notes(artifact)
    return whole


def _notes(artifact: Artifact) -> list[str]:
    if artifact.task != "music":
        return [text(f"note.{key}", language(), **params) for key, params in artifact.notes]
    from studio.tasks.music import reading_text

    return [reading_text.note(key, params, language()) for key, params in artifact.notes]


def _afterwards(console: Console, artifact: Artifact, title: str) -> None:
    """What a person wants to know after the result, on stderr."""
    if artifact.task == "music":
        for made, file in zip(artifact.recipes, artifact.files, strict=True):
            console.note(piece.facts(made, piece.length(file)))
    for note in _notes(artifact):
        console.note(note)
    if artifact.finish == "length" and artifact.task == "chat":
        console.note(say("cut"))
    facts = [title, *([say("seed", seed=artifact.recipe["seed"])] if artifact.task != "upscale" else [])]
    if artifact.prompt:
        facts.append(say("prompt_tokens", count=int(artifact.stats.get("prompt_tokens", 0))))
    if speed := artifact.stats.get("tokens_per_second"):
        facts.append(say("speed", tokens=int(artifact.stats.get("tokens", 0)), speed=f"{speed:.0f}"))
    console.note(" · ".join(facts))
