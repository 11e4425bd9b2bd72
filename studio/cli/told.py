"""`info` and `again`: what a picture tells of how it was made, and whether that makes it again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from studio import licence
from studio.cli.console import FAILED, STOPPED, Console, language, say
from studio.cli.follow import follow, opened
from studio.cli.image import Picture
from studio.cli.options import Json, Out
from studio.cli.out import Target, keep
from studio.cli.position import read_bytes
from studio.cli.run import results, wanted
from studio.errors import StudioError
from studio.limits import MAX_IMAGE_BYTES
from studio.requests import Lora
from studio.types import Artifact

if TYPE_CHECKING:
    from studio.again import Comparison
    from studio.restore import Restored

FORMS = {"atelier": "Atelier", "a1111": "AUTOMATIC1111", "swarmui": "SwarmUI", "textgen": "textgen",
         "unsloth": "Unsloth Studio"}  # fmt: skip


def info(file: Picture, as_json: Json = False) -> None:
    from studio import restore

    with Console(as_json) as console:
        found = restore.read(read_bytes(file, MAX_IMAGE_BYTES))
        if found is None and (made := _beside(file)):
            found = restore.of(made)
        if found is None:
            raise StudioError("nothing_to_restore")
        if as_json:
            fields = {name: _json(value) for name, value in found.fields.items()}
            console.document({
                "form": found.form, "model": found.model, "fields": fields, "unknown": list(found.unknown),
                "broken": found.broken, "recipe": found.recipe,
            })  # fmt: skip
            return
        for line in _lines(found):
            console.result(line)
        if found.broken:
            console.note(say("info.broken"))


def again(file: Picture, out: Out = "", as_json: Json = False) -> None:
    from studio import recipe
    from studio.again import compare, picture_format, request
    from studio.naming import Keep

    with Console(as_json) as console:
        place: Target | None = wanted(console, out, "image")
        data = read_bytes(file, MAX_IMAGE_BYTES)
        made = recipe.read(data) or _beside(file)
        if made is None:
            raise StudioError("no_recipe")
        with opened() as studio:
            how = Keep(studio.settings.file_names, picture_format(data))
            job = studio.submit(request(made, studio.source), session="cli", keep=how)
            update = follow(console, job, studio.catalog.get(job.model).title)
            if update.kind == "cancelled" or update.artifact is None:
                raise typer.Exit(STOPPED)
            artifact = update.artifact
            compared = compare(data, made, artifact.files[0].read_bytes(), artifact.recipes[0])
            files = keep(artifact, place) if place else results(artifact)
        if as_json:
            console.document(_document(compared, artifact, files))
        else:
            for line in _verdict(compared):
                console.note(line)
            console.result(str(files[0]))
        if not compared.same:
            raise typer.Exit(FAILED)


def _beside(file: str) -> dict[str, Any] | None:
    """The recipe of a picture that was kept without metadata lies beside it."""
    from studio import recipe
    from studio.shelf import sidecar

    try:
        return recipe.read(sidecar(Path(file)).read_bytes())
    except (OSError, ValueError):
        return None


def _licence(model: dict[str, Any]) -> str:
    return licence.said(model["licence"], model["commercial"], language())


def _lines(found: Restored) -> Iterator[str]:
    made = found.recipe
    yield f"{say('info.form')}: {FORMS[found.form]}"
    if made:
        yield f"{say('info.model')}: {made['model']['title']} ({made['model']['id']}), {_licence(made['model'])}"
        yield f"{say('info.made')}: {', '.join((made['made'], made['device'], *filter(None, [made.get('hardware')])))}"
        yield f"{say('info.software')}: {', '.join(f'{name} {one}' for name, one in made['software'].items())}"
    elif found.model:
        yield f"{say('info.model')}: {found.model}"
    given = dict(found.fields)
    if made:
        given = {**made["parameters"], **given} | ({} if made["task"] == "upscale" else {"seed": made["seed"]})
    for name, value in given.items():
        if value is not None and value is not False and value not in ("", (), []) and not _idle(name, given, made):
            yield f"{name}: {_shown(value)}"
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
    return (name, given[name]) in (("clip_skip", 0), ("count", 1))


def _verdict(compared: Comparison) -> Iterator[str]:
    if compared.same:
        yield say("again.same")
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
