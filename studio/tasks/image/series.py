"""Series: prompts from one idea, as a person types or pastes them, each a row with its words filled in.

    a fox in the snow                  lines: a prompt each
    a hare by the sea

    animal,place                       a table whose first line names slots of the prompt, with commas, semicolons or
    fox,"snow, at night"               tabs between its columns, as spreadsheets write and copy it
    hare,sea

    animal = fox, hare                 lists, each of a slot of the prompt: every one with every other
    place = snow; sea

Slots stand in the prompt as `{animal}`. A prompt without any goes round each line as a style does: `{prompt}` marks
where the line stands, else the prompt follows it. What is filled in is not read for slots again.
"""

from __future__ import annotations

import csv
import difflib
import io
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from studio.errors import StudioError
from studio.requests import ImageRequest
from studio.tasks.bounds import check_many, check_text, label
from studio.tasks.image.limits import CELLS, SERIES, TEXTS
from studio.tasks.image.prompt_template import Style, with_style

LINE = "prompt"
"""The slot that stands for a line itself; as a column it is the row's own prompt, which may have slots."""
NEGATIVE = "negative_prompt"
"""The column of words that a row shall not have."""
LONGEST_LABEL = 80
_SLOT = re.compile(r"(?<!\\)\{([^\W\d][\w -]{0,39})\}")
_LIST = re.compile(r"([^\W\d][\w -]{0,39}?)\s*[=＝]\s*(.*)")
_PARTS = re.compile(r"[,，、;；|]")
_DELIMITERS = "\t;,，；"
_MISSPELT = 0.8
"""How near a column's name has to be to a slot's to have been meant as it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a series: what its pictures are asked for with, and what it is called on the sheet."""

    prompt: str
    negative_prompt: str
    label: str


def slots(text: str) -> tuple[str, ...]:
    """The slots in a text, each once, as they are written."""
    return tuple(dict.fromkeys(_SLOT.findall(text)))


def filled(text: str, values: Mapping[str, str], longest: int) -> str:
    """`text` with its slots filled in one pass, so that what is filled in is never read again; unknown ones stay.

    Raises:
        StudioError: too_long, before anything that long is made.
    """
    length = len(text)
    for slot in _SLOT.finditer(text):
        length += len(values[slot[1]]) - len(slot[0]) if slot[1] in values else 0
    if length > longest:
        raise StudioError("too_long", field=label("prompt"), count=length, limit=longest)
    return _SLOT.sub(lambda slot: values.get(slot[1], slot[0]), text)


def rows(base: ImageRequest, typed: str, *, public: bool = False) -> tuple[Row, ...]:
    """The rows of a series, none where nothing is typed.

    Args:
        base: its prompt is what the rows are filled into.

    Raises:
        StudioError: too_long, too_many, series_slot (a column or a list that the prompt has no slot for),
            series_missing (a slot without a value), series_cells (a line with more values than columns).
    """
    check_text("series", typed, SERIES, public)
    lines = typed.lstrip("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    if not any(line.strip() for line in lines):
        return ()
    named = slots(base.prompt)
    values = _lists([line for line in lines if line.strip()], named)
    if values is None:
        values = _table("\n".join(lines), named)
    if values is None:
        values = [{LINE: line.strip()} for line in lines if line.strip()]
        check_many("cells", len(values), CELLS, public)
        return tuple(_of_line(base, one[LINE], named, public) for one in values)
    check_many("cells", len(values), CELLS, public)
    return tuple(_of_values(base, number, one, public) for number, one in enumerate(values, 1))


def _of_line(base: ImageRequest, line: str, named: Sequence[str], public: bool) -> Row:
    """A line as a row: in the place of the prompt's one slot, or with the prompt round it as a style is."""
    wanted = [name for name in named if name != LINE]
    if len(wanted) > 1 or (wanted and LINE in named):
        raise StudioError("series_missing", row=1, slot=next(name for name in wanted))
    longest = TEXTS["prompt"].public if public else TEXTS["prompt"].high
    if wanted:
        prompt = filled(base.prompt, {wanted[0]: line}, longest)
    else:
        if len(line) * max(base.prompt.count("{prompt}"), 1) + len(base.prompt) > longest:
            raise StudioError("too_long", field=label("prompt"), count=len(line) + len(base.prompt), limit=longest)
        prompt = with_style(line, Style(base.prompt))
    return Row(prompt, base.negative_prompt, _short(line))


def _of_values(base: ImageRequest, number: int, values: Mapping[str, str], public: bool) -> Row:
    """The values of one line of a table as a row."""
    longest = TEXTS["prompt"].public if public else TEXTS["prompt"].high
    template = values.get(LINE) or base.prompt
    if values.get(LINE) and LINE in slots(base.prompt):
        template = filled(base.prompt, {LINE: values[LINE]}, longest)
    for slot in slots(template):
        if slot not in values:
            raise StudioError("series_missing", row=number, slot=slot)
    negative = values.get(NEGATIVE, "") or base.negative_prompt
    words = {name: value for name, value in values.items() if name not in (LINE, NEGATIVE)}
    called = " · ".join(filter(None, words.values())) or values.get(LINE, "")
    return Row(
        filled(template, words, longest), filled(negative, words, TEXTS["negative_prompt"].high), _short(called),
    )  # fmt: skip


def _lists(lines: Sequence[str], named: Sequence[str]) -> list[dict[str, str]] | None:
    """Every value of each list with every one of the others; None where the lines are no lists."""
    found: dict[str, list[str]] = {}
    for line in lines:
        part = _LIST.fullmatch(line.strip())
        if part is None:
            return None
        found.setdefault(part[1].strip(), []).extend(filter(None, (one.strip() for one in _PARTS.split(part[2]))))
    for name, values in found.items():
        _require_slot(name, (*named, NEGATIVE))
        if not values:
            raise StudioError("series_missing", row=1, slot=name)
    count = 1
    for values in found.values():
        count *= len(values)
        check_many("cells", count, CELLS)
    return [dict(zip(found, one, strict=True)) for one in itertools.product(*found.values())]


def _table(typed: str, named: Sequence[str]) -> list[dict[str, str]] | None:
    """The lines below a first one that names columns; None where the first line names none."""
    known = (*named, LINE, NEGATIVE)
    text = typed.lstrip("\n")
    first = text.partition("\n")[0]
    mark = max(_DELIMITERS, key=first.count)
    heads = _records(text, mark)[0] if mark in first else [first.strip().strip('"')]
    heads = [head.strip() for head in heads]
    meant = sum(bool(difflib.get_close_matches(head, known, 1, _MISSPELT)) for head in heads)
    if 2 * meant < len(heads) or "\n" not in text.strip():
        return None
    for head in heads:
        _require_slot(head, known)
    found: list[dict[str, str]] = []
    for number, written in enumerate(_records(text, mark)[1:], 1):
        cells = [" ".join(cell.split()) for cell in written]
        if not any(cells):
            continue
        if any(cells[len(heads) :]):
            raise StudioError("series_cells", row=number, count=len(cells), columns=len(heads))
        found.append(dict(zip(heads, cells, strict=False)))
        check_many("cells", len(found), CELLS)
    return found or None


def _records(text: str, mark: str) -> list[list[str]]:
    """The cells of each line; quotes hold a delimiter, a line break, and a quote written twice."""
    plain = {"，": ",", "；": ";"}
    if mark in plain and plain[mark] not in text.partition("\n")[0]:
        text, mark = text.replace(mark, plain[mark]), plain[mark]
    try:
        return list(csv.reader(io.StringIO(text), delimiter=mark, skipinitialspace=True)) or [[]]
    except csv.Error:  # a NUL, or a quote that is never closed
        raise StudioError("not_text", field=label("series")) from None


def _require_slot(name: str, known: Sequence[str]) -> None:
    if name not in known:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        listed = near or [one for one in known if one not in (LINE, NEGATIVE)]
        raise StudioError("series_slot", name=name[:60], known=", ".join(f"{{{one}}}" for one in listed) or "–")


def _short(words: str) -> str:
    flat = " ".join(words.split())
    return flat if len(flat) <= LONGEST_LABEL else flat[: LONGEST_LABEL - 1].rstrip() + "…"
