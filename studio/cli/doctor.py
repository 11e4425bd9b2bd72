"""`doctor`: whether this machine can run the studio, and what to do where it cannot. --prepare fetches the starters."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from studio import __version__
from studio.cli.console import FAILED, Console, error_document, say
from studio.cli.follow import follow, opened
from studio.errors import StudioError
from studio.paths import gigabytes
from studio.requests import TASKS

if TYPE_CHECKING:
    from studio.service import Studio

PACKAGES = (
    "torch", "transformers", "diffusers", "xllamacpp", "huggingface-hub", "gradio", "numpy", "pillow", "soundfile",
)  # fmt: skip
LOW_DISK = 2_000_000_000
_PATIENCE = 4.0


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. "bad" keeps the studio from working; "note" is worth knowing."""

    name: str
    value: str
    level: Literal["ok", "note", "bad"] = "ok"


def doctor(
    prepare: Annotated[bool, typer.Option("--prepare", help=say("help.prepare"))] = False,
    as_json: Annotated[bool, typer.Option("--json", help=say("help.json"))] = False,
) -> None:
    with Console(as_json) as console:
        if prepare:
            _prepare(console)
            return
        found: list[Check] = []
        error: StudioError | None = None
        for check in _examine():
            if isinstance(check, StudioError):
                error = check
                continue
            found.append(check)
            if not as_json:
                mark = {"ok": " ", "note": "-", "bad": "!"}[check.level]
                console.result(f"{mark} {say('doctor.' + check.name)}: {check.value}")
        if as_json:
            document = {"checks": [{"name": one.name, "level": one.level, "value": one.value} for one in found]}
            console.document({"ok": not error and _fine(found), **document, **(error_document(error) if error else {})})
        elif error:
            console.fail(error)
        if error or not _fine(found):
            raise typer.Exit(FAILED)


def _fine(found: list[Check]) -> bool:
    return all(check.level != "bad" for check in found)


def _examine() -> Iterator[Check | StudioError]:
    """Findings as they are made; at the end the error that keeps the studio from opening, if there is one."""
    yield Check("studio", __version__)
    yield Check("python", f"{platform.python_version()} ({sys.executable})")
    yield Check("system", platform.platform())
    yield _packages()
    try:
        with opened() as studio:
            yield from _machine(studio)
            yield from _models(studio)
            yield _network(studio)
    except StudioError as error:
        yield error


def _packages() -> Check:
    versions: list[str] = []
    missing: list[str] = []
    for name in PACKAGES:
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("packages", say("doctor.missing", names=", ".join(missing)), "bad")
    return Check("packages", ", ".join(versions))


def _machine(studio: Studio) -> Iterator[Check]:
    for device in studio.status().devices:
        free, total = gigabytes(device.free), gigabytes(device.total)
        yield Check("device", f"{device.device} ({device.device.name})")
        yield Check("memory", say("doctor.free", free=free, total=total, budget=gigabytes(device.budget)))
    root = studio.home.root
    yield Check("home", str(root))
    free = shutil.disk_usage(root).free
    yield Check("disk", say("doctor.disk_free", free=gigabytes(free)), "ok" if free > LOW_DISK else "note")


def _models(studio: Studio) -> Iterator[Check]:
    infos = studio.models.list()
    for task in TASKS:
        ready = [info.card.title for info in infos if task in info.card.tasks and info.usable]
        if ready:
            yield Check(task, ", ".join(ready))
        elif any(task in info.card.tasks and info.card.starter for info in infos):
            yield Check(task, say("doctor.starter_absent"), "note")
        else:
            yield Check(task, say("doctor.none_here"), "note")
    for problem in studio.catalog.problems:
        yield Check("catalog", str(problem), "bad")


def _network(studio: Studio) -> Check:
    """Whether the model hub answers. Any answer counts; nothing about this machine is sent."""
    if studio.settings.offline:
        return Check("network", say("doctor.offline_setting"), "note")
    import httpx

    from studio.store import origin

    if origin.offline():
        return Check("network", say("doctor.offline_hub"), "note")
    where = origin.chosen(studio.home)
    try:
        httpx.head(origin.MODELSCOPE_HOST if where == origin.MODELSCOPE else where, timeout=_PATIENCE)
    except (httpx.HTTPError, httpx.InvalidURL):
        return Check("network", say("doctor.unreachable"), "note")
    return Check("network", say("doctor.reachable"))


def _prepare(console: Console) -> None:
    """Fetch every starter that is not here yet; the others go on where one fails."""
    fetched: list[str] = []
    errors: list[StudioError] = []
    with opened() as studio:
        starters = [info for info in studio.models.list() if info.card.starter]
        for info in starters:
            if info.state == "ready":
                continue
            try:
                follow(console, studio.models.download(info.card.id, session="cli"), info.card.title)
            except StudioError as error:
                errors.append(error)
            else:
                fetched.append(info.card.id)
                if not console.as_json:
                    size = gigabytes(studio.store.bytes_on_disk(info.card))
                    console.result(say("downloaded", title=info.card.title, size=size))
    if console.as_json:
        failed = error_document(errors[0]) if errors else {}
        console.document({"ready": [i.card.id for i in starters if i.state == "ready"], "fetched": fetched, **failed})
    elif errors:
        for error in errors:
            console.fail(error)
    elif not fetched:
        console.result(say("prepared"))
    if errors:
        raise typer.Exit(FAILED)
