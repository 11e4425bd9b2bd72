"""`convert-audiocraft`: files as audiocraft publishes them, into a folder for models.toml."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from studio.cli.console import Console, say
from studio.cli.options import Json


def convert_audiocraft(
    source: Annotated[Path, typer.Argument(metavar="IN", show_default=False, help=say("help.convert_in"))],
    target: Annotated[Path, typer.Argument(metavar="OUT", show_default=False, help=say("help.convert_out"))],
    text_encoder: Annotated[Path, typer.Option("--text-encoder", metavar="FOLDER", help=say("help.convert_text"))],
    codec: Annotated[Path | None, typer.Option("--codec", metavar="FOLDER", help=say("help.convert_codec"))] = None,
    as_json: Json = False,
) -> None:
    from studio.engines.music.audiocraft_convert import convert

    with Console(as_json) as console:
        convert(source, target, text_encoder, codec)
        folder = str(target.resolve())
        if as_json:
            console.document({"folder": folder})
        else:
            console.result(folder)
