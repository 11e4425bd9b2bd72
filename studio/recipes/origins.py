"""Origins of an output, inside its recipe: the recipe of the picture or sound that went in, as deep as it goes.

    {"format": "atelier/1", "task": "upscale", …, "origin": {"format": "atelier/1", "task": "image", …}}
    {…, "origin": {"parameters": "a red house\\nSteps: 20, …"}}

The second form is another program's settings, as the text that web UIs share (studio.recipes.infotext). An enlarged
picture is the painting that it came from, larger: `painting` gives that one's settings, `enlargements` what was done to
it since. A chain that is longer than MAX_DEPTH loses links in its middle, never its beginning. What is read back comes
from strangers: studio.recipes.recipe has given it its shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from studio.recipes import infotext, untrusted
from studio.recipes.untrusted import number

MAX_DEPTH = 8
MAX_CHARACTERS = 200_000
"""Of one origin as JSON; a longer one is left out."""

Made = Mapping[str, Any]


def attached(made: dict[str, Any], origin: Made | None) -> dict[str, Any]:
    """The recipe with what it was made from; itself where that is nothing, or too much to carry."""
    if not origin:
        return made
    links = list(_links(origin))
    if len(links) >= MAX_DEPTH:
        links = [*links[: MAX_DEPTH - 2], links[-1]]
    whole: dict[str, Any] | None = None
    for link in reversed(links):
        whole = {**link, "origin": whole} if whole is not None else dict(link)
    if len(json.dumps(whole, ensure_ascii=False)) > MAX_CHARACTERS:
        return made
    return {**made, "origin": whole}


def chain(made: Made) -> tuple[dict[str, Any], ...]:
    """The recipe itself, what that was made from, and so on; the first of all last."""
    return tuple(_links(made))


def painting(made: Made) -> Made:
    """The recipe with the settings that a person asks for: of an enlarged picture that of the painting it came from.

    Of another program's painting, its settings as a recipe has them, with nothing that it does not tell.
    """
    if made.get("task") != "upscale":
        return made
    for link in chain(made)[1:]:
        if "format" not in link:
            found = infotext.parse(link["parameters"]) or infotext.Found()
            fields, _ = untrusted.image_fields(found.fields)
            return foreign(fields, found.model)
        if link["task"] != "upscale":
            return link
    return made


def enlargements(made: Made) -> tuple[tuple[float, str], ...]:
    """How many times and by what an enlarged picture was enlarged, the first time first."""
    found = []
    for link in chain(made):
        if link.get("task") != "upscale":
            break
        scale = number(link["parameters"].get("scale"))
        found.append((scale or 1.0, str(link["model"]["title"] or link["model"]["id"])))
    return tuple(reversed(found))


def factor(made: Made) -> float:
    """How many times as wide and as high all enlargements together made it; 1 for what was not enlarged."""
    whole = 1.0
    for scale, _ in enlargements(made):
        whole *= scale
    return whole


def text(made: Made) -> str:
    """The `parameters` text of a picture, enlarged or not."""
    if made.get("task") != "upscale":
        return infotext.write(made)
    before = next((link for link in chain(made)[1:] if link.get("task") != "upscale"), None)
    if before is None:
        return infotext.write_enlarged(made, "", factor(made))
    written = infotext.write(_sound(before)) if "format" in before else before["parameters"]
    return infotext.write_enlarged(made, written, factor(made))


def foreign(fields: Mapping[str, Any], model: str) -> dict[str, Any]:
    """Another program's settings in the shape of a recipe: nothing in it that is not told, the seed perhaps None.

    Args:
        fields: of ImageRequest, checked.
    """
    loras = [{"name": one.name, "weight": one.weight} for one in fields.get("loras", ())]
    return {
        "task": "image",
        "model": {"id": "", "title": model},
        "parameters": {**fields, "loras": loras},
        "seed": fields.get("seed"),
        "software": {},
    }


def _sound(made: Made) -> dict[str, Any]:
    """A stranger's recipe, its parameters of the right type."""
    fields, _ = untrusted.image_fields({**made["parameters"], "seed": made["seed"]}, cut=False)
    given = foreign(fields, "")["parameters"]
    return {**made, "parameters": given | {name: made["parameters"].get(name) for name in ("image", "mask")}}


def _links(made: Made) -> Iterator[dict[str, Any]]:
    """Each link without what it was made from."""
    link: Any = made
    while isinstance(link, Mapping):
        yield {name: value for name, value in link.items() if name != "origin"}
        link = link.get("origin")
