"""The axes of a grid of pictures, up to three: what was typed, the values it means, and the request of each cell.

    1, 2, 4          those three                 1-4              1, 2, 3, 4
    10-30 (+10)      10, 20, 30: steps of ten    0.5-1.0 [3]      0.5, 0.75, 1: three, evenly spread
    cat, "a, b"      quotes keep a comma      cat, , dog       of words an empty one is a value too
    ink, wash:0.5    adaptations, which stand for one another: none is without them

The forms are those of AUTOMATIC1111's X/Y/Z plot; the commas of Chinese and Japanese part values as well. Whether a
value suits a model is for studio.tasks.limits to say.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from studio.errors import StudioError
from studio.request_parts import Axis, Lora
from studio.requests import ImageRequest
from studio.tasks import seeds
from studio.tasks.bounds import check_many, label
from studio.tasks.image import prompt_template
from studio.tasks.image.limits import CELLS, NUMBERS
from studio.tasks.image.schedulers import OWN
from studio.tasks.image.series import Row

WHOLE = ("seed", "steps", "width", "height", "variation_seed", "clip_skip", "mask_padding", "mask_blur")
BROKEN = ("guidance_scale", "strength", "variation", "hires_scale", "hires_strength", "refiner_at")
TEXTS = ("scheduler", "negative_prompt", "styles", "replace", "model", "vae", "refiner")
LORA = "lora"
"""`lora` is one adaptation or another, or the weight of all; `lora:NAME` is the weight of that one."""
FIELDS = (*WHOLE, *BROKEN, *TEXTS, LORA)
NONE = "none"
"""As a value of `styles`, `lora`, `vae` and `refiner`: without one."""

_ENTRY = re.compile(r'[^\S\n]*(?:"((?:[^"]|"")*)"|“([^”]*)”)?([^,，、；\n]*)([,，、；\n]|\Z)')
_NUMBER = r"-?[0-9]{1,20}(?:\.[0-9]{1,6})?"
_RANGE = re.compile(
    rf"({_NUMBER})\s*-\s*({_NUMBER})\s*(?:\(\s*(?P<step>[+-]?[0-9]{{1,12}}(?:\.[0-9]{{1,6}})?)\s*\)|\[\s*(?P<count>[0-9]{{1,4}})\s*\])?"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How the cells lie on their sheet: block by block, each row by row, `len(rows)` rows of `len(columns)`.

    A label may be empty.

    Attributes:
        axes: what the grid was made of.
        each: a label for each cell, where rows and columns have no meaning; the last row may be shorter then.
        series: whether the rows are those of a series, which say more of a cell than its column.
    """

    columns: tuple[str, ...]
    rows: tuple[str, ...]
    blocks: tuple[str, ...] = ("",)
    axes: tuple[Axis, ...] = dataclasses.field(default=(), compare=False)
    each: tuple[str, ...] = ()
    series: bool = dataclasses.field(default=False, compare=False)

    @property
    def labels(self) -> tuple[str, ...]:
        """What each cell is called, in the order of the cells."""
        if self.each:
            return self.each
        named = itertools.product(self.blocks, self.rows, self.columns)
        told = ((row, column, block) if self.series else (column, row, block) for block, row, column in named)
        return tuple(" · ".join(filter(None, one)) for one in told)


def values(axis: Axis) -> tuple[str, ...]:
    """The values of an axis, ranges written out. A single text is a list with commas; several are taken one by one.

    Raises:
        StudioError: not_a_choice, empty, out_of_range.
    """
    field = axis.field.partition(":")[0] if axis.field.startswith(LORA + ":") else axis.field
    if field not in FIELDS:
        raise StudioError("not_a_choice", field=label("axis"), value=axis.field[:40], choices=", ".join(FIELDS))
    entries = _entries(axis.values[0]) if len(axis.values) == 1 else [value.strip() for value in axis.values]
    found: list[str] = []
    for entry in entries:
        named = field in TEXTS or (axis.field == LORA and entry and not _counts(entry))
        found += [entry] if named else _spread(entry, field in WHOLE)
        _check_many(len(found))
    if not found or (field == "replace" and not found[0]):
        raise StudioError("empty", field=label("axis"))
    return tuple(found)


def settled(axis: Axis, seed: Callable[[], int]) -> Axis:
    """The axis with a seed by `seed()` for each that is left to the studio (-1), so that its cells share it.

    Raises:
        StudioError: as `values`.
    """
    if axis.field not in seeds.SEEDS:
        return axis
    found = tuple(str(seed()) if value == str(seeds.ANY) else value for value in values(axis))
    return replace(axis, values=found)


def cells(
    base: ImageRequest,
    x: Axis | None,
    y: Axis | None,
    z: Axis | None = None,
    *,
    rows: Sequence[Row] = (),
    public: bool = False,
) -> tuple[list[ImageRequest], Layout]:
    """One request a cell, block by block and row by row, and how they lie. They are neither checked nor resolved.

    Args:
        base: with its seeds, so that all cells share them.
        rows: of a series: its pictures lie below each other then, and `y` and `z` are blocks.

    Raises:
        StudioError: an axis cannot be understood, or there are too many cells.
    """
    alone = replace(base, count=1, prompts=())
    axes = tuple(axis for axis in (x, y, z) if axis)
    if rows:
        return _of_rows(alone, rows, axes, public)
    columns, down, blocks = values(axes[0]), values(y) if y else ("",), values(z) if z else ("",)
    _check_many(len(columns) * len(down) * len(blocks), public)
    found = []
    for block in blocks:
        upper = _with(alone, z, block, blocks) if z else alone
        for row in down:
            request = _with(upper, y, row, down) if y else upper
            found += [_with(request, axes[0], column, columns) for column in columns]
    below, apart = _labels(y, down) if y else ("",), _labels(z, blocks) if z else ("",)
    return found, Layout(_labels(axes[0], columns), below, apart, axes)


def _of_rows(
    alone: ImageRequest, rows: Sequence[Row], axes: tuple[Axis, ...], public: bool
) -> tuple[list[ImageRequest], Layout]:
    """The cells of a series: its rows below each other, the first axis across, and a block for each value that the
    others meet in. Without axes they follow each other, each with its own label."""
    written = [values(axis) for axis in axes]
    _check_many(len(rows) * math.prod(map(len, written)), public)
    blocks = list(itertools.product(*written[1:]))
    found = []
    for block in blocks:
        for row in rows:
            request = replace(alone, prompt=row.prompt, negative_prompt=row.negative_prompt)
            for axis, value, all_of_it in zip(axes[1:], block, written[1:], strict=True):
                request = _with(request, axis, value, all_of_it)
            found += [_with(request, axes[0], value, written[0]) for value in written[0]] if axes else [request]
    labels = tuple(row.label for row in rows)
    if not axes:
        across = min(len(rows), max(2, math.ceil(math.sqrt(len(rows)))))
        return found, Layout(("",) * across, ("",) * math.ceil(len(rows) / across), each=labels)
    named = [_labels(axis, value) for axis, value in zip(axes, written, strict=True)]
    apart = tuple(" · ".join(one) for one in itertools.product(*named[1:]))
    return found, Layout(named[0], labels, apart, axes, series=True)


def _with(request: ImageRequest, axis: Axis, value: str, found: tuple[str, ...]) -> ImageRequest:
    """The request with one of the values of an axis."""
    field, first = axis.field, found[0]
    if field == "replace":
        if first not in request.prompt and first not in request.negative_prompt:
            raise StudioError("not_in_prompt", text=first[:80])
        prompt, negative = request.prompt.replace(first, value), request.negative_prompt.replace(first, value)
        return replace(request, prompt=prompt, negative_prompt=negative)
    if field == "styles":
        return replace(request, styles=() if value.casefold() in ("", NONE) else (value,))
    if field in ("vae", "refiner"):
        return replace(request, **{field: "" if value.casefold() in ("", NONE, "automatic") else value})
    if field in TEXTS:
        return replace(request, **{field: value})
    if field == LORA and not _counts(value):
        return _adapted(request, value, [_adaptation(one)[0] for one in found if not _counts(one)])
    number = _number(field, value)
    if field == LORA or field.startswith(LORA + ":"):
        return _weighted(request, field.partition(":")[2], number)
    return replace(request, **{field: number})


def _weighted(request: ImageRequest, name: str, weight: float) -> ImageRequest:
    """The request with another weight for the adaptation `name`, or for all; added where it has none such."""
    prompt = prompt_template.with_weight(request.prompt, name, weight)
    loras = tuple(Lora(lora.name, weight) if name in ("", lora.name) else lora for lora in request.loras)
    if name and prompt == request.prompt and all(lora.name != name for lora in loras):
        loras = (*loras, Lora(name, weight))
    return replace(request, prompt=prompt, loras=loras)


def _adapted(request: ImageRequest, value: str, others: list[str]) -> ImageRequest:
    """The request with one adaptation in the place of all that the axis names; others stay."""
    name, weight = _adaptation(value)
    prompt, tagged = prompt_template.without_loras(request.prompt, lambda own: any(_same(own, one) for one in others))
    given = (*tagged, *(lora for lora in request.loras if any(_same(lora.name, one) for one in others)))
    loras = tuple(lora for lora in request.loras if lora not in given)
    if name.casefold() != NONE:
        usual = next((lora.weight for lora in given if _same(lora.name, name)), 1.0)
        loras = (*loras, Lora(name, usual if weight is None else weight))
    return replace(request, prompt=prompt, loras=loras)


def _adaptation(value: str) -> tuple[str, float | None]:
    """The name of an adaptation, and its weight where one is written behind it."""
    name, colon, weight = value.rpartition(":")
    return (name.strip(), float(weight)) if colon and re.fullmatch(_NUMBER, weight.strip()) else (value, None)


def _same(one: str, other: str) -> bool:
    """Whether two names may mean the same adaptation: either may be without its folder."""
    return one == other or one.endswith("/" + other) or other.endswith("/" + one)


def _counts(entry: str) -> bool:
    """Whether an entry is a number or a range of them."""
    plain = unicodedata.normalize("NFKC", entry).strip()
    return re.fullmatch(_NUMBER, plain) is not None or _RANGE.fullmatch(plain) is not None


def _number(field: str, value: str) -> int | float:
    try:
        number = int(value) if re.fullmatch(r"-?[0-9]{1,40}", value) else float(value)
    except ValueError:
        raise StudioError("not_a_number", field=label(field if field in NUMBERS else "lora_weight")) from None
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _labels(axis: Axis, found: tuple[str, ...]) -> tuple[str, ...]:
    if axis.field == "replace":
        return found
    name = axis.field.partition(":")[2] or axis.field.replace("_", " ").capitalize()
    name = {LORA: "LoRA", "vae": "VAE"}.get(axis.field, name)
    empty = {"scheduler": OWN, "styles": NONE, "vae": "Automatic", "refiner": NONE}.get(axis.field, "–")
    return tuple(f"{name}: {value or empty}" for value in found)


def _check_many(count: int, public: bool = False) -> None:
    check_many("cells", count, CELLS, public)


def _entries(typed: str) -> list[str]:
    """The parts between commas and line breaks; a quoted one keeps its commas, and a blank line is none."""
    found, at, fresh = [], 0, True
    while True:
        part = _ENTRY.match(typed, at)
        assert part is not None  # it may be empty
        quoted = part[1] if part[1] is not None else part[2]
        entry = ((quoted or "").replace('""', '"') + part[3]).strip()
        if entry or quoted is not None or not fresh or part[4] not in ("\n", ""):
            found.append(entry)
        if part.end() == len(typed) and part[4] in ("\n", ""):
            return found
        at, fresh = part.end(), part[4] == "\n"


def _spread(entry: str, whole: bool) -> list[str]:
    """A number, or a range written out; nothing for nothing, and what is neither as it is."""
    entry = unicodedata.normalize("NFKC", entry).strip()
    if (found := _RANGE.fullmatch(entry)) is None:
        return [entry] if entry else []
    low, high = Decimal(found[1]), Decimal(found[2])  # a seed has more digits than a float
    if found["count"] is not None:
        count = max(int(found["count"]), 1)
        _check_many(count)
        spread = [low + (high - low) * i / max(count - 1, 1) for i in range(count)]
        return [_shown(Decimal(int(value)) if whole else value) for value in spread]
    step = abs(Decimal(found["step"])) if found["step"] else Decimal(1)
    if step == 0:
        return [entry]
    count = int(abs(high - low) / step) + 1
    _check_many(count)
    return [_shown(low + (step if high >= low else -step) * i) for i in range(count)]


def _shown(value: Decimal) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")
