"""`info`, `recipe` and `again`: what a file tells of how it was made, and whether that makes it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.catalog import licence
from studio.cli import piece
from studio.cli.console import FAILED, STOPPED, Console, language, say
from studio.cli.follow import follow, opened
from studio.cli.image import Picture
from studio.cli.options import Json, Out
from studio.cli.out import Target, keep
from studio.cli.position import read_bytes
from studio.cli.run import results, wanted_file
from studio.errors import StudioError
from studio.request_parts import Lora
from studio.results import Artifact
from studio.tasks.bounds import MAX_IMAGE_BYTES

if TYPE_CHECKING:
    from studio.recipes.inspect import Restored
    from studio.recipes.reproduce import Comparison


Made = Annotated[str, typer.Argument(metavar="FILE", help=say("help.made_file"))]


def info(file: Picture, as_json: Json = False) -> None:
    from studio.library import scan
    from studio.recipes import inspect

    with Console(as_json) as console:
        found = inspect.read_settings(read_bytes(file, MAX_IMAGE_BYTES))
        if found is None and (made := scan.beside(Path(file))):
            found = inspect.restore_recipe(made)
        if found is None:
            raise StudioError("nothing_to_restore")
        if as_json:
            fields = {name: _json(value) for name, value in found.fields.items()}
            console.document({
                "form": found.form, "model": found.model, "fields": fields, "unknown": list(found.unknown),
                "wrong": list(found.wrong), "broken": found.broken, "unread": found.unread, "recipe": found.recipe,
                **_played(found, file),
            })  # fmt: skip
            return
        for line in _lines(found):
            console.result(line)
        if found.unread:
            console.note(say("info.unread"))
        if found.recipe and found.recipe["task"] == "music":
            console.result(f"{say('info.played')}: {piece.facts(found.recipe, piece.length(Path(file)))}")
        if found.broken:
            console.note(say("info.broken"))


def show_recipe(
    file: Made,
    run: Annotated[bool, typer.Option("--run", help=say("help.recipe_run"))] = False,
    out: Out = "",
    as_json: Json = False,
) -> None:
    from studio.recipes import recipe

    if run:
        again(file, out, as_json)
        return
    with Console(as_json) as console:
        _, made = _made(file)
        if as_json:
            console.document(made)
        else:
            console.result(recipe.to_json(made, indent=2))


def again(file: Made, out: Out = "", as_json: Json = False) -> None:
    from studio.library.file_names import Keep
    from studio.recipes.repeat import compare, request
    from studio.recipes.reproduce import picture_format

    with Console(as_json) as console:
        data, made = _made(file)
        place: Target | None = wanted_file(console, out, made["task"])
        with opened() as studio:
            painted = made["task"] in ("image", "upscale")
            how = Keep(
                studio.settings.file_names, picture_format(data) if painted else "png", origin=made.get("origin")
            )
            job = studio.submit(request(made, studio.source), session="cli", keep=how)
            update = follow(console, job, studio.catalog.get(job.model).title)
            if update.kind == "cancelled" or update.artifact is None:
                raise typer.Exit(STOPPED)
            artifact = update.artifact
            compared = compare(data, made, _as_given(file, artifact), artifact.recipes[0])
            files = keep(artifact, place, sign=studio.library.sign) if place else results(artifact)
        if as_json:
            console.document(_document(compared, artifact, files))
        else:
            for line in _verdict(compared):
                console.note(line)
            console.result(str(files[0]))
        if not compared.same:
            raise typer.Exit(FAILED)


def _made(file: str) -> tuple[bytes, dict[str, Any]]:
    """A file and its recipe, inside it or beside it. Raises StudioError: no_recipe; as `read_bytes`."""
    from studio.library import scan
    from studio.recipes import recipe

    data = read_bytes(file, MAX_IMAGE_BYTES)
    made = recipe.read_recipe(data) or scan.beside(Path(file))
    if made is None:
        raise StudioError("no_recipe")
    return data, made


def _as_given(file: str, artifact: Artifact) -> bytes:
    """What was made now, in the format of the file that it is compared with."""
    from studio.library import music_export

    new, suffix = artifact.files[0], Path(file).suffix.lower()
    if artifact.task == "music" and suffix in music_export.MUSIC and suffix != new.suffix:
        return music_export.music(new, artifact.recipes[0], suffix)
    return new.read_bytes()


def _played(found: Restored, file: str) -> dict[str, Any]:
    """What a piece of music turned out to be; nothing for other files."""
    if not found.recipe or found.recipe["task"] != "music":
        return {}
    return {"played": piece.document(found.recipe, piece.length(Path(file)))}


def _licence(model: dict[str, Any]) -> str:
    """The licence of a model as a recipe tells it; nothing where the picture was made elsewhere."""
    return licence.said(model["licence"], model["commercial"], language()) if "licence" in model else ""


def _lines(found: Restored) -> Iterator[str]:
    from studio.recipes import origins

    made = found.recipe
    yield f"{say('info.form')}: {found.program if found.form != 'other' else say('info.other')}"
    told = origins.painting(made) if made else None
    if made and told:
        model = told["model"]
        named = [model["title"] + (f" ({model['id']})" if model["id"] else ""), _licence(model)]
        if any(named):
            yield f"{say('info.model')}: {', '.join(filter(None, named))}"
        if steps := origins.enlargements(made):
            yield f"{say('info.enlarged')}: {', '.join(f'×{scale:g} {name}' for scale, name in steps)}"
        yield f"{say('info.made')}: {', '.join((made['made'], made['device'], *filter(None, [made.get('hardware')])))}"
        yield f"{say('info.software')}: {', '.join(f'{name} {one}' for name, one in made['software'].items())}"
    elif found.model:
        yield f"{say('info.model')}: {found.model}"
    given = dict(found.fields)
    if told:
        seeded = told["task"] != "upscale" and told["seed"] is not None
        given = {**told["parameters"], **given} | ({"seed": told["seed"]} if seeded else {})
    for name, value in given.items():
        if value is not None and value is not False and value not in ("", (), []) and not _idle(name, given, told):
            yield f"{name}: {_shown(value)}"
    for before in origins.chain(told)[1:] if told and told["task"] != "upscale" else ():
        words = before["parameters"] if "format" not in before else before["parameters"].get("prompt", "")
        yield f"{say('info.start')}: {_one_line(words)}"
    if found.wrong:
        yield f"{say('info.wrong')}: {', '.join(found.wrong)}"
    if found.unknown:
        yield f"{say('info.unknown')}: {', '.join(found.unknown)}"


def _idle(name: str, given: Mapping[str, Any], made: Mapping[str, Any] | None) -> bool:
    """Whether a setting decided nothing, since what it belongs to was off."""
    if name in ("variation", "variation_seed"):
        return not given.get("variation")
    if name in ("hires_scale", "hires_strength"):
        return given.get("hires_scale", 1) == 1
    if name == "strength":
        return made is not None and not given.get("image")
    if name in ("sound_use", "sound_keep"):
        return not given.get("sound")
    return (name, given[name]) in (("clip_skip", 0), ("count", 1), ("tempo", 0), ("bars", 0))


def _verdict(compared: Comparison) -> Iterator[str]:
    if compared.same:
        yield say(f"again.same_{compared.kind}")
    elif compared.kind in ("text", "notes"):
        yield say(f"again.other_{compared.kind}")
    elif compared.kind == "sound":
        yield say("again.sound", share=f"{compared.share:.1%}", largest=f"{compared.largest / 255:.1%}")
    elif compared.sizes[0] != compared.sizes[1]:
        before, now = (f"{width} × {height}" for width, height in compared.sizes)
        yield say("again.sizes", before=before, now=now)
    else:
        yield say("again.different", share=f"{compared.share:.1%}", largest=compared.largest)
    for one in compared.differences:
        yield say("again.difference", what=one.what.replace("_", " "), before=one.before, now=one.now)
    if not compared.same and not compared.differences:
        yield say("again.unknown")


def _document(compared: Comparison, artifact: Artifact, files: tuple[Path, ...]) -> dict[str, Any]:
    return {
        "same": compared.same,
        "share": compared.share,
        "largest": compared.largest,
        "differences": [{"what": one.what, "before": one.before, "now": one.now} for one in compared.differences],
        "files": [str(file) for file in files],
        "recipe": artifact.recipe,
    }


def _one_line(words: object) -> str:
    return " ".join(str(words).split())[:200]


def _json(value: object) -> object:
    if isinstance(value, tuple):
        return [_json(one) for one in value]
    return {"name": value.name, "weight": value.weight} if isinstance(value, Lora) else value


def _shown(value: object) -> str:
    if isinstance(value, tuple | list):
        return "; ".join(_shown(one) for one in value)
    if isinstance(value, dict) and "sha256" in value:
        return f"{str(value['sha256'])[:12]}… ({value.get('bytes')} bytes)"
    return f"{value.name} {value.weight:g}" if isinstance(value, Lora) else str(value)
