"""The words of the five tasks, and the program that they belong to."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import typer

from studio.cli import doctor, models, talk
from studio.cli.console import FAILED, STOPPED, USAGE, Console, language, say
from studio.cli.follow import follow, opened
from studio.cli.out import Target, keep, target
from studio.cli.position import around, read_bytes, read_text
from studio.i18n import text
from studio.limits import MAX_IMAGE_BYTES
from studio.types import (
    Artifact,
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    Message,
    MusicRequest,
    Request,
)

app = typer.Typer(
    help=say("help.app"), no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
app.add_typer(models.app, name="models")
app.command(help=say("help.doctor"))(doctor.doctor)

# What several words share. A gap (None) is filled by the model's own default.
Json = Annotated[bool, typer.Option("--json", help=say("help.json"))]
Out = Annotated[str, typer.Option("--out", "-o", metavar="PATH", help=say("help.out"))]
Model = Annotated[str, typer.Option("--model", "-m", metavar="ID", help=say("help.model"))]
Seed = Annotated[int | None, typer.Option("--seed", help=say("help.seed"))]
MaxTokens = Annotated[int | None, typer.Option("--max-tokens", help=say("help.max_tokens"))]
Temperature = Annotated[float | None, typer.Option("--temperature", help=say("help.temperature"))]
TopP = Annotated[float | None, typer.Option("--top-p", help=say("help.top_p"))]
TopK = Annotated[int | None, typer.Option("--top-k", help=say("help.top_k"))]
Steps = Annotated[int | None, typer.Option("--steps", help=say("help.steps"))]
Guidance = Annotated[float | None, typer.Option("--guidance", help=say("help.guidance"))]
Count = Annotated[int, typer.Option("--count", "-n", help=say("help.count"))]
Negative = Annotated[str, typer.Option("--negative", help=say("help.negative"))]
Prompt = Annotated[str, typer.Argument(metavar="PROMPT", show_default=False, help=say("help.prompt"))]


@app.command(help=say("help.chat"))
def chat(
    prompt: Annotated[str | None, typer.Argument(metavar="[PROMPT]", show_default=False, help=say("help.talk"))] = None,
    system: Annotated[str, typer.Option("--system", "-s", help=say("help.system"))] = "",
    model: Model = "",
    seed: Seed = None,
    temperature: Temperature = None,
    max_tokens: MaxTokens = None,
    top_p: TopP = None,
    top_k: TopK = None,
    min_p: Annotated[float | None, typer.Option("--min-p", help=say("help.min_p"))] = None,
    repetition_penalty: Annotated[
        float | None, typer.Option("--repetition-penalty", help=say("help.repetition_penalty"))
    ] = None,
    stop: Annotated[list[str] | None, typer.Option("--stop", help=say("help.stop"))] = None,
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        alone = prompt is None and not as_json and not out and sys.stdin.isatty()
        messages = () if alone else (Message("user", _text(prompt)),)
        request = ChatRequest(
            messages=messages, model=model, system=system, seed=seed, temperature=temperature, max_tokens=max_tokens,
            top_p=top_p, top_k=top_k, min_p=min_p, repetition_penalty=repetition_penalty, stop=tuple(stop or ()),
        )  # fmt: skip
        if alone:
            talk.talk(console, request)
        else:
            run(console, request, out)


@app.command(help=say("help.image"))
def image(
    prompt: Prompt,
    negative: Negative = "",
    width: Annotated[int | None, typer.Option("--width", help=say("help.width"))] = None,
    height: Annotated[int | None, typer.Option("--height", help=say("help.height"))] = None,
    steps: Steps = None,
    guidance: Guidance = None,
    scheduler: Annotated[str, typer.Option("--scheduler", help=say("help.scheduler"))] = "",
    count: Count = 1,
    seed: Seed = None,
    model: Model = "",
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        request = ImageRequest(
            prompt=_text(prompt), negative_prompt=negative, width=width, height=height, steps=steps,
            guidance_scale=guidance, scheduler=scheduler, count=count, seed=seed, model=model,
        )  # fmt: skip
        run(console, request, out)


@app.command(help=say("help.music"))
def music(
    prompt: Prompt,
    duration: Annotated[float | None, typer.Option("--duration", "-d", help=say("help.duration"))] = None,
    lyrics: Annotated[str, typer.Option("--lyrics", help=say("help.lyrics"))] = "",
    negative: Negative = "",
    steps: Steps = None,
    guidance: Guidance = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    count: Count = 1,
    seed: Seed = None,
    model: Model = "",
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        request = MusicRequest(
            prompt=_text(prompt), negative_prompt=negative, lyrics=lyrics, duration=duration, steps=steps,
            guidance_scale=guidance, temperature=temperature, top_k=top_k, count=count, seed=seed, model=model,
        )  # fmt: skip
        run(console, request, out)


@app.command(help=say("help.code"))
def code(
    place: Annotated[str, typer.Argument(metavar="FILE:LINE:COL", show_default=False, help=say("help.place"))],
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    top_p: TopP = None,
    no_fim: Annotated[bool, typer.Option("--no-fim", help=say("help.no_fim"))] = False,
    seed: Seed = None,
    model: Model = "",
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        prefix, suffix, known = around(place)
        request = CodeRequest(
            prefix=prefix, suffix=suffix, language=known, fill_in_middle=not no_fim, max_tokens=max_tokens,
            temperature=temperature, top_p=top_p, seed=seed, model=model,
        )  # fmt: skip
        run(console, request, out)


@app.command(help=say("help.caption"))
def caption(
    file: Annotated[str, typer.Argument(metavar="FILE", show_default=False, help=say("help.file"))],
    prompt: Annotated[str, typer.Option("--prompt", "-p", help=say("help.question"))] = "",
    length: Annotated[Literal["short", "normal", "long"], typer.Option("--length", help=say("help.length"))] = "normal",
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    seed: Seed = None,
    model: Model = "",
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        request = CaptionRequest(
            image=read_bytes(file, MAX_IMAGE_BYTES), prompt=prompt, length=length, max_tokens=max_tokens,
            temperature=temperature, seed=seed, model=model,
        )  # fmt: skip
        run(console, request, out)


def run(console: Console, request: Request, out: str) -> None:
    """Do one request and print its result. Raises what `follow` raises; exits 130 where it was stopped halfway."""
    place: Target | None = None
    if out:
        try:
            place = target(out, request.task)
        except ValueError as formats:
            console.usage(say("wrong_suffix", formats=formats))
    written = request.task in ("chat", "code", "caption")
    with opened() as studio:
        job = studio.submit(request, session="cli")
        streams = written and place is None and not console.as_json
        title = studio.catalog.get(job.model).title
        update = follow(console, job, title, console.stream if streams else None)
        artifact = update.artifact
        if artifact is None:
            raise AssertionError("a job that is done has an artifact")
        files = keep(artifact, place) if place else artifact.files
    if console.as_json:
        console.document(_document(artifact, files, written))
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


def main(arguments: list[str] | None = None) -> int:
    """Run the command line with `arguments` (by default the program's own) and return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = app(args=given, prog_name="python -m studio", standalone_mode=False)
    except typer.TyperException as error:
        return _wrong_usage(error, given)
    except typer.Abort:
        return STOPPED
    return code if isinstance(code, int) else 0


def _wrong_usage(error: typer.TyperException, given: list[str]) -> int:
    if "--json" in given:
        what = error.format_message()
        Console(True).document({"error": {"code": "usage", "what": what, "next": say("usage_next")}})
    elif (show := getattr(error, "show", None)) is not None:
        show()
    return USAGE if error.exit_code == USAGE else FAILED


def _text(prompt: str | None) -> str:
    """The prompt, or standard input where it is missing or a hyphen."""
    if prompt is not None and prompt != "-":
        return prompt
    return read_text("-", "field.prompt").rstrip("\r\n")


def _document(artifact: Artifact, files: tuple[Any, ...], written: bool) -> dict[str, Any]:
    """What --json prints: text or files first, then how it was made."""
    whole: dict[str, Any] = {"text": artifact.text} if written else {}
    whole["files"] = [str(file) for file in files]
    whole |= {"recipe": artifact.recipe, "stats": artifact.stats, "finish": artifact.finish}
    if len(artifact.recipes) > 1:
        whole["recipes"] = list(artifact.recipes)
    whole["notes"] = [text(f"note.{key}", language(), **params) for key, params in artifact.notes]
    return whole


def _afterwards(console: Console, artifact: Artifact, title: str) -> None:
    """What a person wants to know after the result, on stderr."""
    for key, params in artifact.notes:
        console.note(text(f"note.{key}", language(), **params))
    if artifact.finish == "length" and artifact.task == "chat":
        console.note(say("cut"))
    facts = [title, say("seed", seed=artifact.recipe["seed"])]
    if speed := artifact.stats.get("tokens_per_second"):
        facts.append(say("speed", tokens=int(artifact.stats.get("tokens", 0)), speed=f"{speed:.0f}"))
    console.note(" · ".join(facts))
