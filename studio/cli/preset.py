"""Presets of the page on the command line: `--preset NAME` fills what no option names."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, TypeVar

import typer

from studio.cli.console import Console, say
from studio.cli.follow import opened
from studio.errors import StudioError
from studio.requests import CaptionRequest, CodeRequest, ImageRequest, MusicRequest

R = TypeVar("R", ImageRequest, MusicRequest, CodeRequest, CaptionRequest)
Named = Annotated[str, typer.Option("--preset", metavar="NAME", help=say("help.preset"))]
_FIELDS = {
    "negative": "negative_prompt", "style": "styles", "guidance": "guidance_scale", "lora": "loras",
    "hires": "hires_scale", "detail": "details", "candidates": "count", "no_fim": "fill_in_middle",
}  # fmt: skip
"""Options that are not called as the request's field is."""


def filled(console: Console, line: typer.Context, name: str, request: R, *, leave: tuple[str, ...] = ()) -> R:
    """A request with the settings of a preset, but for those that an option of the line names.

    Args:
        leave: fields that the preset has no say in.

    Raises:
        StudioError: preset_unknown; bad_file.
    """
    if not name:
        return request
    from studio.library import preset_values

    said = _said(line, request)
    with opened() as studio:
        kept = studio.presets.get(request.task)
        found = kept.find(name) if kept is not None else None
        if found is None:
            raise StudioError("preset_unknown", name=name[:100])
        values = preset_values.settings(request.task, found.values)
        if (model := values.get("model")) and not studio.models.here(request.task, model):
            del values["model"]
            if "model" not in said:
                console.note(say("preset_model", model=model[:100]))
    return replace(request, **{field: value for field, value in values.items() if field not in (*said, *leave)})


def _said(line: typer.Context, request: R) -> set[str]:
    """The fields of the request that an option of the command line names."""
    given = {
        option
        for option in line.params
        if (source := line.get_parameter_source(option)) is not None and source.name == "COMMANDLINE"
    }
    return {option if hasattr(request, option) else _FIELDS.get(option, option) for option in given}
