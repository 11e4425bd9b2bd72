"""Inspection of a picture for how it was made, whoever made it: our recipe, or another program's settings.

Reads containers and texts; pixels only where nothing else was found and settings may hide in them
(studio.media.stealth). Nothing raises, and what is found is data of a stranger's. The fields are checked by type and
cut to what can be painted; a request made of them passes studio.tasks.limits like any other. Three ends are told apart:
settings were read (`fields`), perhaps with some that could not be (`broken`); the program is known but not how it
writes (`unread`); nothing is there (None). Damage is what cannot be decoded at all.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from studio.media import embedded, exif, stealth
from studio.recipes import comfyui, infotext, more_uis, origins, other_uis, recipe, untrusted
from studio.recipes.infotext import Found

Form = Literal[
    "atelier", "a1111", "swarmui", "textgen", "unsloth", "fooocus", "comfyui", "invokeai", "novelai", "easydiffusion",
    "drawthings", "tensorart", "midjourney", "mochi", "other",
]  # fmt: skip
PROGRAMS: Mapping[Form, str] = {
    "atelier": "Atelier", "a1111": "AUTOMATIC1111", "swarmui": "SwarmUI", "textgen": "text-generation-webui",
    "unsloth": "Unsloth Studio", "fooocus": "Fooocus", "comfyui": "ComfyUI", "invokeai": "InvokeAI",
    "novelai": "NovelAI", "easydiffusion": "Easy Diffusion", "drawthings": "Draw Things", "tensorart": "Tensor.Art",
    "midjourney": "Midjourney", "mochi": "Mochi Diffusion", "other": "?",
}  # fmt: skip
"""Form -> what people call the program that writes it."""

MAX_UNKNOWN = 40
_KEYS: tuple[tuple[str, other_uis.Dialect], ...] = (("unsloth", "unsloth"), ("image_gen_settings", "textgen"))
_JSON_KEYS = ("invokeai_metadata", "sd-metadata", "generation_data")
_FREE = ("exif:UserComment", "comment", "Comment", "xmp:UserComment", "exif:ImageDescription", "exif:XPComment",
         "Description", "xmp:description", "UserComment")  # fmt: skip
_GRAPHS = ("exif:Model", "exif:Make", "exif:ImageDescription", "exif:UserComment", "exif:Software")
_SIGNS: tuple[tuple[Form, str, str], ...] = (
    ("invokeai", "invokeai_graph", ""), ("invokeai", "invokeai_workflow", ""), ("invokeai", "Dream", ""),
    ("invokeai", "invokeai", ""), ("novelai", "Software", "NovelAI"), ("drawthings", "xmp:CreatorTool", "Draw Things"),
    ("easydiffusion", "Software", "Easy Diffusion"), ("midjourney", "Description", "Job ID:"),
    ("midjourney", "xmp:description", "Job ID:"), ("mochi", "exif:ImageDescription", "Generator: Mochi Diffusion"),
    ("comfyui", "workflow", "{"), ("comfyui", "prompt", "{"),
)  # fmt: skip
"""Signs by which a program is known that left nothing to be read: form, key, and what stands there."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What a picture or a text carries.

    Attributes:
        form: whose form it has.
        fields: fields of ImageRequest, only those found; pictures that it started from are named in the recipe only.
        model: the model as it is named there: an id of ours in our own recipe, anything elsewhere.
        unknown: settings that we do not have, as "Name: value".
        recipe: ours, in full; None in the other forms.
        wrong: values that cannot be, as "name: value": left out, or cut to what can be painted.
        broken: something that looked like settings could not be read.
        unread: the program is known by its signs; nothing that it wrote was understood.
        text: the `parameters` text that it was read from; empty in the other forms.
        model_hash: the first digits of the SHA-256 of the model's file; empty where none is named.
    """

    form: Form
    fields: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    unknown: tuple[str, ...] = ()
    recipe: dict[str, Any] | None = None
    broken: bool = False
    unread: bool = False
    text: str = ""
    wrong: tuple[str, ...] = ()
    model_hash: str = ""

    @property
    def program(self) -> str:
        """What people call the program."""
        return PROGRAMS[self.form]


def read_settings(data: bytes) -> Restored | None:
    """What the bytes of a picture file of any kind (or of one of our other outputs) carry; None where nothing.

    Our own recipe comes first, then what the other programs write. Never raises.
    """
    if made := recipe.read_recipe(data):
        return restore_recipe(made)
    texts = _texts(data)
    found = _settings(texts)
    if (found is None or not found.fields) and (hidden := stealth.text(data)):
        return _hidden(hidden) or found
    return found


def from_text(text: str) -> Restored | None:
    """What a pasted text says, in any of the forms; None where it is only words. Never raises."""
    if not isinstance(text, str) or not text.strip():
        return None
    if _like_json(text):
        if made := recipe.from_json(text):
            return restore_recipe(made)
        return _from_json(other_uis.loads(text))
    found = infotext.parse(text)
    return _theirs("a1111", found, text=text) if found else None


def restore_recipe(made: dict[str, Any]) -> Restored:
    """What one of our own recipes says, wherever it lay: of an enlarged picture, of the painting that it was."""
    told = origins.painting(made)
    given = {**told["parameters"], "seed": told["seed"]} if told["task"] == "image" else {}
    given = {name: value for name, value in given.items() if value is not None}
    fields, wrong = untrusted.image_fields(given)
    return Restored(
        "atelier", fields, told["model"]["id"] or told["model"]["title"], (), made, wrong=_told(wrong, given),
        model_hash=told["model"].get("hash", ""),
    )  # fmt: skip


def origin(data: bytes) -> dict[str, Any] | None:
    """What a file says of how it was made, as the recipe of something made from it can hold it."""
    if not data:
        return None
    if made := recipe.read_recipe(data):
        return made
    found = read_settings(data)
    if found is None or not found.fields:
        return None
    if found.text and len(found.text) <= origins.MAX_CHARACTERS:
        return {"parameters": found.text}
    return {"parameters": infotext.write(origins.foreign(found.fields, found.model), found.program)}


def _texts(data: bytes) -> dict[str, str]:
    """Every text of a picture, those of EXIF and XMP under names of their own."""
    found = embedded.texts(data)
    found |= {f"exif:{name}": text for name, text in exif.texts(embedded.exif_block(data)).items()}
    return found | {f"xmp:{name}": text for name, text in embedded.xmp(data).items()}


def _settings(texts: Mapping[str, str]) -> Restored | None:
    """What the texts say: the first that can be read; else what is damaged, or whose signs they bear."""
    broken = "recipe" in texts and texts["recipe"].lstrip()[:1] in ("", "{")
    for key, dialect in _KEYS:
        if key in texts:
            if understood := other_uis.parse(other_uis.loads(texts[key]), dialect):
                return _theirs(*understood, broken)
            broken = True
    for found in _readings(texts):
        if found is not None and found.fields:
            return replace(found, broken=found.broken or broken)
        broken = broken or (found is not None and found.broken)
    if broken:
        return Restored("atelier" if "recipe" in texts else "a1111", broken=True)
    for form, key, sign in _SIGNS:
        if key in texts and sign in texts[key][:20_000]:
            return Restored(form, unread=True)
    return Restored("other", unread=True) if "parameters" in texts else None


def _readings(texts: Mapping[str, str]) -> Iterator[Restored | None]:
    """What each text that may hold settings says, the surest first."""
    for key in _JSON_KEYS:
        if key in texts:
            yield _decoded(texts[key])
    if texts.get("Software", "").startswith("NovelAI"):
        yield _novelai(texts)
    if "parameters" in texts:
        text = texts["parameters"]
        yield _decoded(text) if _like_json(text) else from_text(text)
        alone = not _like_json(text) and not infotext.only_enlarged(text)
        if text.strip() and alone and len(text) <= infotext.MAX_TEXT:  # a prompt alone
            yield _theirs("a1111", Found({"prompt": text.strip()}))
        if not text.strip() or len(text) > infotext.MAX_TEXT:
            yield Restored("a1111", broken=True)
    yield from _graphs(texts)
    if found := more_uis.easy_diffusion(texts):
        yield _theirs("easydiffusion", found)
    for key in _FREE:
        if text := texts.get(key):
            found = from_text(text)
            damaged = '"sui_image_params"' in text[:2000] or '"atelier/' in text[:2000]
            yield found or (Restored("a1111", broken=True) if damaged else None)


def _graphs(texts: Mapping[str, str]) -> Iterator[Restored | None]:
    """ComfyUI's graphs: the one that was queued before the editor's; in EXIF their names stand in front of them."""
    for name in ("prompt", "workflow"):
        places = [texts.get(name, ""), *(texts.get(key, "") for key in _GRAPHS)]
        for text in places:
            head, colon, rest = text.partition(":") if not _like_json(text) else (name, ":", text)
            if colon and head.strip().casefold() == name and _like_json(rest):
                said = other_uis.loads(rest, comfyui.MAX_JSON)
                yield Restored("comfyui", broken=True) if said is None else _from_json(said)


def _decoded(text: str) -> Restored | None:
    """What a text says that has to be JSON: damaged where it is none."""
    said = other_uis.loads(text)
    if said is None:
        return Restored("a1111", broken=True)
    return _from_json(said)


def _from_json(said: Any) -> Restored | None:
    """What decoded JSON says, in any of the forms that are known by their names."""
    if not isinstance(said, dict):
        return None
    if understood := other_uis.parse(said):
        return _theirs(*understood)
    for form, reader in _READERS:
        if found := reader(said):
            return _theirs(form, found)
    if (nodes := comfyui.graph(said)) and (found := comfyui.read_graph(nodes)):
        return _theirs("comfyui", found)
    return None


_READERS: tuple[tuple[Form, Any], ...] = (
    ("fooocus", more_uis.fooocus), ("invokeai", more_uis.invokeai), ("drawthings", more_uis.draw_things),
    ("tensorart", more_uis.tensor_art), ("easydiffusion", more_uis.easy_diffusion),
    ("novelai", lambda said: more_uis.novelai({}, said) if {"prompt", "uc"} <= said.keys() else None),
)  # fmt: skip


def _novelai(texts: Mapping[str, Any]) -> Restored | None:
    comment = texts.get("Comment")
    said = other_uis.loads(comment) if isinstance(comment, str) else comment
    found = more_uis.novelai(texts, said if isinstance(said, dict) else {})
    damaged = isinstance(comment, str) and said is None
    return _theirs("novelai", found, damaged) if found and (found.fields.get("prompt") or damaged) else None


def _hidden(text: str) -> Restored | None:
    """What was hidden in pixels: NovelAI's texts as one JSON, or a text as everywhere."""
    said = other_uis.loads(text) if _like_json(text) else None
    if isinstance(said, dict) and "Comment" in said:
        return _novelai(said)
    return from_text(text)


def _theirs(form: Form, found: Found, broken: bool = False, text: str = "") -> Restored:
    fields, wrong = untrusted.image_fields(found.fields)
    unknown = tuple(untrusted.clean(one, 200).replace("\n", " ") for one in found.unknown[:MAX_UNKNOWN])
    model = untrusted.clean(found.model, 300).strip()
    return Restored(
        form, fields, model, unknown, None, broken, text=text, wrong=_told(wrong, found.fields),
        model_hash=found.model_hash,
    )  # fmt: skip


def _told(wrong: tuple[str, ...], given: Mapping[str, Any]) -> tuple[str, ...]:
    """The values that were wrong, by their names and short."""
    shown = (f"{name}: {_short(given.get(name))}" for name in dict.fromkeys(wrong))
    return tuple(untrusted.clean(one, 100).replace("\n", " ") for one in shown)


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) >= 10**60:
        return (
            f"{'-' if value < 0 else ''}1e{math.floor(math.log10(abs(value)))}"  # python refuses to print longer ones
        )
    return str(value)[:40] if isinstance(value, str | int | float) else "…"


def _like_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("{")
