"""`keys`: keys of the API, made, listed and revoked."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from studio.cli.console import Console, say
from studio.cli.options import Json
from studio.keys import Keys
from studio.paths import Home

app = typer.Typer(help=say("help.keys"), no_args_is_help=True, rich_markup_mode=None)

Name = Annotated[str, typer.Argument(metavar="NAME", show_default=False, help=say("help.key_name"))]


@app.command(help=say("help.key_add"))
def add(
    name: Name,
    jobs: Annotated[int, typer.Option("--jobs", min=0, max=1000, metavar="N", help=say("help.key_jobs"))] = 0,
    as_json: Json = False,
) -> None:
    with Console(as_json) as console:
        key = _keys().add(name, jobs)
        if as_json:
            console.document({"name": name, "key": key, "jobs": jobs})
        else:
            console.result(key)
            console.note(say("key_once"))


@app.command("list", help=say("help.key_list"))
def list_(as_json: Json = False) -> None:
    with Console(as_json) as console:
        found = _keys().list()
        if as_json:
            console.document({"keys": [{"name": one.name, "jobs": one.jobs, "created": one.created} for one in found]})
            return
        for one in found:
            console.result(f"{one.name}  {datetime.fromtimestamp(one.created):%Y-%m-%d %H:%M}")


@app.command(help=say("help.key_revoke"))
def revoke(name: Name, as_json: Json = False) -> None:
    with Console(as_json) as console:
        _keys().revoke(name)
        if as_json:
            console.document({"revoked": name})
        else:
            console.note(say("key_revoked", name=name))


def _keys() -> Keys:
    """Those of the home, without a studio: one that runs sees the change at its next request."""
    from studio import settings

    return Keys(Home.at(settings.load().home).keys)
