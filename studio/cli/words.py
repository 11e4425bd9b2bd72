"""The words of the tasks, and the program that they belong to."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from studio.cli import caption, chain, code, convert, doctor, image, keys, library, models, talk, told, verify, worker
from studio.cli.console import FAILED, STOPPED, USAGE, Console, say
from studio.cli.options import (
    Count,
    Guidance,
    Json,
    MaxTokens,
    Model,
    Negative,
    Out,
    Prompt,
    Seed,
    Steps,
    Temperature,
    TopK,
    TopP,
)
from studio.cli.position import read_bytes, read_text
from studio.cli.preset import Named as Preset
from studio.cli.preset import filled
from studio.cli.run import attached, prompt_text, run
from studio.request_parts import Message
from studio.requests import ChatRequest, MusicRequest, SoundUse
from studio.tasks.music.limits import MAX_SOUND_BYTES

app = typer.Typer(
    help=say("help.app"), no_args_is_help=True, add_completion=False, rich_markup_mode=None,
    pretty_exceptions_enable=False, context_settings={"help_option_names": ["-h", "--help"]},
)  # fmt: skip
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(library.app, name="library")
app.command(help=say("help.code"))(code.code)
app.command(help=say("help.doctor"))(doctor.doctor)
app.command(help=say("help.image"))(image.image)
app.command(help=say("help.upscale"))(image.upscale)
app.command(help=say("help.caption"))(caption.caption)
app.command(help=say("help.info"))(told.info)
app.command("recipe", help=say("help.recipe"))(told.show_recipe)
app.command(help=say("help.again"))(told.again)
app.command(help=say("help.verify"))(verify.verify)
app.command(help=say("help.run"))(chain.run)
app.command(help=say("help.worker"))(worker.worker)
app.command("convert-audiocraft", help=say("help.convert"))(convert.convert_audiocraft)


@app.command(help=say("help.chat"))
def chat(
    prompt: Annotated[str | None, typer.Argument(metavar="[PROMPT]", show_default=False, help=say("help.talk"))] = None,
    system: Annotated[str, typer.Option("--system", "-s", help=say("help.system"))] = "",
    opening: Annotated[str, typer.Option("--opening", help=say("help.answer_opening"))] = "",
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
    file: Annotated[list[str] | None, typer.Option("--file", "-f", metavar="FILE", help=say("help.attached"))] = None,
    schema: Annotated[str, typer.Option("--schema", metavar="FILE", help=say("help.schema"))] = "",
    thinking_budget: Annotated[
        int | None, typer.Option("--thinking-budget", metavar="TOKENS", help=say("help.thinking_budget"))
    ] = None,
    summarise: Annotated[bool, typer.Option("--summarise", help=say("help.summarise"))] = False,
    show_prompt: Annotated[bool, typer.Option("--show-prompt", help=say("help.show_prompt"))] = False,
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        alone = not (show_prompt or file) and prompt is None and not as_json and not out and sys.stdin.isatty()
        messages = () if alone else (Message("user", prompt_text(prompt), attached(console, file or ())),)
        request = ChatRequest(
            messages=messages, model=model, system=system, opening=opening, seed=seed, temperature=temperature,
            max_tokens=max_tokens, top_p=top_p, top_k=top_k, min_p=min_p, repetition_penalty=repetition_penalty,
            stop=tuple(stop or ()), only_prompt=show_prompt,
            schema=read_text(schema).strip() if schema else "", thinking_budget=thinking_budget, summarise=summarise,
        )  # fmt: skip
        if alone:
            talk.talk(console, request)
        else:
            run(console, request, out)


@app.command(help=say("help.music"))
def music(
    line: typer.Context,
    prompt: Prompt,
    duration: Annotated[float | None, typer.Option("--duration", "-d", help=say("help.duration"))] = None,
    tempo: Annotated[float, typer.Option("--tempo", metavar="BPM", help=say("help.tempo"))] = 0.0,
    key: Annotated[str, typer.Option("--key", help=say("help.key"))] = "",
    metre: Annotated[str, typer.Option("--metre", help=say("help.metre"))] = "",
    bars: Annotated[int, typer.Option("--bars", help=say("help.bars"))] = 0,
    players: Annotated[str, typer.Option("--players", help=say("help.players"))] = "",
    melody: Annotated[str, typer.Option("--melody", metavar="WORDS", help=say("help.melody"))] = "",
    loop: Annotated[bool, typer.Option("--loop", help=say("help.loop"))] = False,
    sound: Annotated[str, typer.Option("--sound", metavar="FILE", help=say("help.sound"))] = "",
    sound_use: Annotated[SoundUse, typer.Option("--sound-use", help=say("help.sound_use"))] = "continue",
    sound_keep: Annotated[float, typer.Option("--sound-keep", metavar="SECONDS", help=say("help.sound_keep"))] = 0.0,
    lyrics: Annotated[str, typer.Option("--lyrics", help=say("help.lyrics"))] = "",
    negative: Negative = "",
    steps: Steps = None,
    guidance: Guidance = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    count: Count = 1,
    seed: Seed = None,
    model: Model = "",
    preset: Preset = "",
    out: Out = "",
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        request = MusicRequest(
            prompt=prompt_text(prompt), negative_prompt=negative, lyrics=lyrics, duration=duration, tempo=tempo,
            key=key, metre=metre, bars=bars, players=players, melody=melody, loop=loop, steps=steps,
            sound=read_bytes(sound, MAX_SOUND_BYTES) if sound else b"", sound_use=sound_use, sound_keep=sound_keep,
            guidance_scale=guidance, temperature=temperature, top_k=top_k, count=count, seed=seed, model=model,
        )  # fmt: skip
        run(console, filled(console, line, preset, request), out)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line with `arguments` (by default the program's own) and return the exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        left = app(args=given, prog_name="python -m studio", standalone_mode=False)
    except typer.TyperException as error:
        return _wrong_usage(error, given)
    except typer.Abort:
        return STOPPED
    return left if isinstance(left, int) else 0


def _wrong_usage(error: typer.TyperException, given: list[str]) -> int:
    if "--json" in given:
        what = error.format_message()
        Console(True).document({"error": {"code": "usage", "what": what, "next": say("usage_next")}})
    elif (show := getattr(error, "show", None)) is not None:
        show()
    return USAGE if error.exit_code == USAGE else FAILED
