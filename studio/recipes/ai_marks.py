"""Marks of a file that a machine made it: IPTC's source type, and the label of China's GB 45438-2025.

    {"Label":"1","ContentProducer":"Atelier","ProduceID":"…","ReservedCode1":"","ContentPropagator":"","PropagateID":"",
     "ReservedCode2":""}

The label stands once in a file: in XMP in pictures, in a chunk `AIGC` of a WAV, a TXXX frame of an MP3, a comment of a
FLAC, the front matter of Markdown. Its values are of the characters 0x21 to 0x7E. Neither the standard nor an official
reader of it was at hand: fields and places are those that two public checkers ask for (docs/decisions/066-marks.md).
IPTC: cv.iptc.org/newscodes/digitalsourcetype.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from studio.media import embedded
from studio.recipes import recipe

PRODUCER = "Atelier"
MADE, COMPOSED, ENHANCED = (
    "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicallyEnhanced",
)  # fmt: skip
"""All of it comes out of a model; a model changed a picture that somebody else made; it only made that larger."""
SOURCES = (MADE, COMPOSED, ENHANCED)

_SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
_FIELDS = (
    "Label", "ContentProducer", "ProduceID", "ReservedCode1", "ContentPropagator", "PropagateID", "ReservedCode2",
)  # fmt: skip
_GENERATED = "1"
_LETTERS = re.compile(r"[\x21-\x7e]*")
_FRONT = re.compile(r"\A---\n(?:.*\n)*?AIGC:\n((?:  .*\n)+)(?:.*\n)*?---\n")
_LINE = re.compile(r'^  (\w+): "?([^"\n]*)"?$', re.M)
_IN_XMP = re.compile(r"<TC260:AIGC>([^<]*)</TC260:AIGC>|TC260:AIGC=\"([^\"]*)\"")
_PLACES = ("AIGC", "aigc", "TXXX:AIGC")
_LONGEST = 100_000
_NO_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Marks:
    """What a file says of who made it; nothing of it is proven.

    Attributes:
        source: the last part of IPTC's source type, such as MADE; "" where it names none.
        label: the fields of the label, empty where they cannot be read; None where there is no label.
        labels: how many labels the file holds: one is right.
    """

    source: str = ""
    label: Mapping[str, str] | None = None
    labels: int = 0


def label(made: Mapping[str, Any]) -> dict[str, str]:
    """The label of what a recipe describes. Two runs of one recipe differ by their time, so each has its own number."""
    number = hashlib.sha256(json.dumps(made, sort_keys=True, default=str).encode("utf-8", "replace")).hexdigest()
    values = (_GENERATED, str(made.get("producer") or PRODUCER), number[:32], "", "", "", "")
    return dict(zip(_FIELDS, values, strict=True))


def source_type(made: Mapping[str, Any]) -> str:
    """IPTC's source type of what a recipe describes, whole."""
    return _SOURCE_TYPES + _source(made)


def label_json(made: Mapping[str, Any]) -> str:
    """The label as the text that sound files and XMP carry, ASCII only."""
    return json.dumps(label(made), separators=(",", ":"))


def xmp(made: Mapping[str, Any], told: bool = True) -> str:
    """An XMP packet with both marks; where it is `told` also which model it was."""
    model = made["model"]
    parts = {
        "Iptc4xmpExt:DigitalSourceType": source_type(made),
        "Iptc4xmpExt:AISystemUsed": model["title"] if told else "",
        "Iptc4xmpExt:AISystemVersionUsed": model["revision"] if told else "",
        "TC260:AIGC": label_json(made),
    }
    inside = "".join(f"<{name}>{escape(_NO_XML.sub('', text))}</{name}>" for name, text in parts.items() if text)
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'xmlns:TC260="http://www.tc260.org.cn/ns/AIGC/1.0/">{inside}</rdf:Description></rdf:RDF></x:xmpmeta>'
    )


def front_matter(made: Mapping[str, Any]) -> str:
    """The label at the head of a Markdown file, with an empty line behind it."""
    lines = "".join(f'  {name}: "{value}"\n' for name, value in label(made).items())
    return f"---\nAIGC:\n{lines}---\n\n"


def read_marks(data: bytes) -> Marks:
    """The marks in a picture, sound or Markdown file. Never raises, and decodes neither pixels nor samples."""
    drawn = data[:400].lstrip().startswith((b"<svg", b"<?xml"))
    text = (data[:_LONGEST] if drawn else embedded.packet(data)).decode("utf-8", "replace")
    labels = [html.unescape(one or other) for one, other in _IN_XMP.findall(text)]
    texts = embedded.texts(data)
    labels += [texts[place] for place in _PLACES if place in texts]
    found = [_from_json(one) for one in labels]
    if data.startswith(b"---\n") and (front := _FRONT.match(data[:_LONGEST].decode("utf-8", "replace"))):
        found.append(dict(_LINE.findall(front[1])))
    source = re.search(re.escape(_SOURCE_TYPES) + r"(\w{1,60})", text)
    return Marks(source[1] if source else "", found[0] if found else None, len(found))


def flaws(marks: Marks) -> tuple[str, ...]:
    """What the label says otherwise than it should: `many`, `fields`, `letters`, `empty`."""
    if marks.label is None:
        return ()
    found = ["many"] if marks.labels > 1 else []
    if set(marks.label) - set(_FIELDS) or any(name not in marks.label for name in _FIELDS):
        found.append("fields")
    if any(not _LETTERS.fullmatch(value) for value in marks.label.values()):
        found.append("letters")
    if any(not marks.label.get(name) for name in _FIELDS[:3]):
        found.append("empty")
    return tuple(found)


def _source(made: Mapping[str, Any]) -> str:
    """The source type of what a recipe describes, through all that it was made from."""
    if not {"image", "pictures.0"} & set(recipe.sources(made)):
        return MADE
    before = made.get("origin") or {}
    if "task" in before:
        return _source(before)
    if "parameters" in before:  # another program's settings
        return MADE
    return ENHANCED if made["task"] == "upscale" else COMPOSED


def _from_json(text: str) -> dict[str, str]:
    try:
        found = json.loads(text[:_LONGEST])
    except (ValueError, RecursionError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}
