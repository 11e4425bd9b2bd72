"""`caption`: one picture into words, or a whole folder of them; see studio.cli.captions for the folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from studio.cli import captions
from studio.cli.console import Console, say
from studio.cli.options import Count, Json, MaxTokens, Model, Out, Seed, Temperature
from studio.cli.position import read_bytes
from studio.cli.preset import Named as Preset
from studio.cli.preset import filled
from studio.cli.run import run
from studio.requests import CaptionLength, CaptionRequest, CaptionStyle
from studio.tasks.bounds import MAX_IMAGE_BYTES
from studio.tasks.caption.edits import Edits


def caption(
    line: typer.Context,
    file: Annotated[str, typer.Argument(metavar="[FILE|FOLDER|ZIP]", show_default=False, help=say("help.many"))] = "",
    prompt: Annotated[str, typer.Option("--prompt", "-p", help=say("help.question"))] = "",
    length: Annotated[CaptionLength, typer.Option("--length", help=say("help.length"))] = "normal",
    style: Annotated[CaptionStyle, typer.Option("--style", help=say("help.caption_style"))] = "plain",
    opening: Annotated[str, typer.Option("--opening", metavar="WORDS", help=say("help.opening"))] = "",
    require: Annotated[list[str] | None, typer.Option("--require", metavar="WORD", help=say("help.require"))] = None,
    forbid: Annotated[list[str] | None, typer.Option("--forbid", metavar="WORD", help=say("help.forbid"))] = None,
    count: Count = 1,
    mode: Annotated[
        Literal["skip", "overwrite", "append", "prepend"], typer.Option("--mode", help=say("help.mode"))
    ] = "skip",
    dry_run: Annotated[bool, typer.Option("--dry-run", help=say("help.dry_run"))] = False,
    recursive: Annotated[bool, typer.Option("--recursive", "-r", help=say("help.recursive"))] = False,
    trigger: Annotated[str, typer.Option("--trigger", metavar="WORD", help=say("help.trigger"))] = "",
    replace: Annotated[list[str] | None, typer.Option("--replace", metavar="A=B", help=say("help.replace"))] = None,
    ban: Annotated[list[str] | None, typer.Option("--ban", metavar="WORD", help=say("help.ban"))] = None,
    token_limit: Annotated[int, typer.Option("--token-limit", metavar="N", help=say("help.token_limit"))] = 0,
    resume: Annotated[bool, typer.Option("--resume", help=say("help.resume"))] = False,
    again: Annotated[bool, typer.Option("--again", help=say("help.caption_again"))] = False,
    apply: Annotated[str, typer.Option("--apply", metavar="RUN", help=say("help.apply"))] = "",
    roll_back: Annotated[str, typer.Option("--roll-back", metavar="RUN", help=say("help.roll_back"))] = "",
    runs: Annotated[bool, typer.Option("--runs", help=say("help.runs"))] = False,
    zip_out: Annotated[str, typer.Option("--zip", metavar="PATH", help=say("help.zip"))] = "",
    jsonl: Annotated[str, typer.Option("--jsonl", metavar="PATH", help=say("help.jsonl"))] = "",
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    seed: Seed = None,
    model: Model = "",
    preset: Preset = "",
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        if runs:
            captions.show_runs(console)
            return
        if roll_back:
            captions.roll_back(console, roll_back)
            return
        files = captions.Files(zip_out, jsonl)
        if apply:
            captions.apply(console, apply, files)
            return
        if not file:
            console.usage(say("caption_what"))
        request = CaptionRequest(
            image=b"", prompt=prompt, length=length, style=style, opening=opening, require=tuple(require or ()),
            forbid=tuple(forbid or ()), count=count, max_tokens=max_tokens, temperature=temperature, seed=seed,
            model=model,
        )  # fmt: skip
        path = Path(file)
        many = path.is_dir() or path.suffix.lower() == ".zip"
        request = filled(console, line, preset, request, leave=("count",) if many else ())
        if not many and (resume or dry_run or recursive or zip_out or jsonl or trigger or replace or ban):
            console.usage(say("caption_folder_only"))
        if not many:
            one = {name: getattr(request, name) for name in request.__dataclass_fields__}
            run(console, CaptionRequest(**{**one, "image": read_bytes(file, MAX_IMAGE_BYTES)}), out)
            return
        if count > 1 or out:
            console.usage(say("caption_one_only"))
        if resume:
            captions.resume(console, path, request, files)
            return
        edits = Edits(
            trigger.strip(), tuple(_pair(console, one) for one in replace or ()), tuple(ban or ()), token_limit
        )
        captions.begin(console, path, request, captions.Manner(mode, edits, recursive, dry_run), files, again=again)


def _pair(console: Console, typed: str) -> tuple[str, str]:
    """A=B; an empty B takes A out."""
    find, equals, put = typed.partition("=")
    if not equals or not find:
        console.usage(say("wrong_replace", text=typed))
    return find, put
