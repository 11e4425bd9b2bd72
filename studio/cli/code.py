"""The word `code`: a completion at a place in a file, printed or put into the file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.cli import position
from studio.cli.console import Console, say
from studio.cli.options import Json, MaxTokens, Model, Out, Seed, Temperature, TopP
from studio.cli.preset import Named as Preset
from studio.cli.preset import filled
from studio.cli.run import run
from studio.request_parts import CodeFile
from studio.requests import CodeRequest
from studio.tasks.limits import TEXTS


def code(
    line: typer.Context,
    place: Annotated[str, typer.Argument(metavar="FILE:LINE:COL", show_default=False, help=say("help.place"))],
    in_place: Annotated[bool, typer.Option("--in-place", help=say("help.in_place"))] = False,
    candidates: Annotated[int, typer.Option("--candidates", help=say("help.candidates"))] = 1,
    context: Annotated[list[str] | None, typer.Option("--context", metavar="FILE", help=say("help.context"))] = None,
    show_prompt: Annotated[bool, typer.Option("--show-prompt", help=say("help.show_prompt"))] = False,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    no_fim: Annotated[bool, typer.Option("--no-fim", help=say("help.no_fim"))] = False,
    seed: Seed = None,
    model: Model = "",
    preset: Preset = "",
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        prefix, suffix, known = position.around(place)
        name = position.file_of(place)
        if in_place and (name == "-" or show_prompt):
            console.usage(say("not_in_place"))
        request = CodeRequest(
            prefix=prefix, suffix=suffix, language=known, path=_called(name), files=_others(context or ()),
            fill_in_middle=not no_fim, count=candidates, only_prompt=show_prompt, max_tokens=max_tokens,
            temperature=temperature, top_p=top_p, seed=seed, model=model,
        )  # fmt: skip
        artifact = run(console, filled(console, line, preset, request), out, quiet=in_place)
        if in_place and artifact.text:
            position.put_in(place, prefix, suffix, artifact.text)
            if not as_json:
                console.result(name)


def _called(name: str) -> str:
    """What a model and a recipe are told of a file's place: its folder and name, nothing of where that lies."""
    return "" if name == "-" else "/".join(part for part in Path(name).parts[-2:] if part not in ("/", "\\", ".", ".."))


def _others(names: list[str] | tuple[str, ...]) -> tuple[CodeFile, ...]:
    """Other files to read. Raises StudioError as `position.read_text`."""
    longest = TEXTS["code"]["prefix"].high  # far more than any model reads; what is left out is told by the engine
    return tuple(CodeFile(_called(name), position.read_text(name)[:longest]) for name in names)
