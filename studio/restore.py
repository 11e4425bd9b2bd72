"""What a picture tells of how it was made, whoever made it: our recipe, or another program's settings.

Reads containers and texts only: no pixel is decoded, nothing raises, and what is found is data of a stranger's.
The fields are checked by type and cut to what can be painted; a request made of them passes studio.limits like
any other. Where a text is damaged, what could be read of it is given and `broken` says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

from studio import checked, dialects, embedded, exif, infotext, recipe
from studio.infotext import Found

Form = Literal["atelier", "a1111", "swarmui", "textgen", "unsloth"]

MAX_UNKNOWN = 40
_KEYS: tuple[tuple[str, dialects.Dialect], ...] = (("unsloth", "unsloth"), ("image_gen_settings", "textgen"))


@dataclass(frozen=True, slots=True)
class Restored:
    """What a picture or a text carries.

    Attributes:
        form: whose form it has.
        fields: fields of ImageRequest, only those found; pictures that it started from are named in the recipe only.
        model: the model as it is named there: an id of ours in our own recipe, anything elsewhere.
        unknown: settings that we do not have, as "Name: value".
        recipe: ours, in full; None in the other forms.
        broken: something that looked like settings could not be read, or held values that cannot be.
    """

    form: Form
    fields: dict[str, Any] = field(default_factory=dict)
    model: str = ""
    unknown: tuple[str, ...] = ()
    recipe: dict[str, Any] | None = None
    broken: bool = False


def read(data: bytes) -> Restored | None:
    """What the bytes of a PNG, JPEG, WebP or GIF file (or of one of our other outputs) carry; None where nothing.

    Our own recipe comes first, then what the other programs write. Never raises.
    """
    if made := recipe.read(data):
        return of(made)
    texts = embedded.texts(data)
    broken = "recipe" in texts and texts["recipe"].lstrip()[:1] in ("", "{")
    for key, dialect in _KEYS:
        if key in texts:
            if understood := dialects.parse(dialects.loads(texts[key]), dialect):
                return _theirs(*understood, broken)
            broken = True
    if "parameters" in texts:
        text = texts["parameters"]
        if restored := from_text(text):
            return replace(restored, broken=restored.broken or broken)
        if text and not _like_json(text) and len(text) <= infotext.MAX_TEXT:  # a prompt alone
            return _theirs("a1111", Found({"prompt": text.strip()}), broken)
        broken = True
    for text in (exif.user_comment(embedded.exif_block(data)), texts.get("comment", "")):
        if restored := from_text(text):
            return replace(restored, broken=restored.broken or broken)
        broken = broken or '"sui_image_params"' in text[:2000] or '"atelier/' in text[:2000]
    return Restored("atelier" if "recipe" in texts else "a1111", broken=True) if broken else None


def from_text(text: str) -> Restored | None:
    """What a pasted text says, in any of the forms; None where it is only words. Never raises."""
    if not isinstance(text, str) or not text.strip():
        return None
    if _like_json(text):
        if made := recipe.from_json(text):
            return of(made)
        understood = dialects.parse(dialects.loads(text))
        return _theirs(*understood) if understood else None
    found = infotext.parse(text)
    return _theirs("a1111", found) if found else None


def of(made: dict[str, Any]) -> Restored:
    """What one of our own recipes says, wherever it lay."""
    given = {**made["parameters"], "seed": made["seed"]} if made["task"] == "image" else {}
    fields, wrong = checked.image_fields(given)
    return Restored("atelier", fields, made["model"]["id"], (), made, bool(wrong))


def _theirs(form: Form, found: Found, broken: bool = False) -> Restored:
    fields, wrong = checked.image_fields(found.fields)
    unknown = tuple(checked.clean(one, 200).replace("\n", " ") for one in found.unknown[:MAX_UNKNOWN])
    return Restored(form, fields, checked.clean(found.model, 300).strip(), unknown, None, broken or bool(wrong))


def _like_json(text: str) -> bool:
    return text.lstrip("\ufeff \t\r\n").startswith("{")
