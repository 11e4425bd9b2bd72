"""Regions of a picture: the drawing of the page as masks and back, and their fields as a request has them.

The page sends which region each of SIDE x SIDE cells belongs to, as runs: "96;0*40,1*16,…" row by row, 0 for none
(assets/page/regions.js). Values by name, as the page holds them. Knows nothing of widgets.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.errors import StudioError
from studio.media import masks
from studio.request_parts import Region
from tabs.shared.widgets import read_number, typed_number

if TYPE_CHECKING:
    import numpy as np

SLOTS = 4
SIDE = 96
"""Cells of the drawing, each way: it is pulled to the picture's shape."""
MAX_LETTERS = 64_000
"""More than a drawing of cells that all differ from their neighbours."""
_RUN = re.compile(r"([0-4])\*([0-9]{1,5})")


def name_of(slot: int, part: str) -> str:
    """What a slot's field is called among those of the tab; slots count from 1."""
    return f"region_{slot}_{part}"


EMPTY: Mapping[str, Any] = {
    "region_map": "", **{name_of(slot, part): "" for slot in range(1, SLOTS + 1) for part in ("prompt", "weight")}
}  # fmt: skip


def asked(sent: Mapping[str, Any]) -> bool:
    """Whether the page's own values, by the names that fields have there, have regions."""
    return bool(sent.get("image-region-map"))


def wanted(values: Mapping[str, Any]) -> tuple[Region, ...]:
    """The regions that are drawn and have a prompt.

    Raises:
        StudioError: bad_regions, region_unnamed, region_undrawn, not_a_number.
    """
    drawn = read(values.get("region_map") or "")
    found = []
    for slot in range(1, SLOTS + 1):
        prompt = (values.get(name_of(slot, "prompt")) or "").strip()
        if not prompt and slot not in drawn:
            continue
        if not prompt or slot not in drawn:
            raise StudioError("region_undrawn" if prompt else "region_unnamed", number=slot)
        weight = read_number("field.region_weight", values.get(name_of(slot, "weight")))
        found.append(Region(prompt, drawn[slot], 1.0 if weight is None else weight))
    return tuple(found)


def fields(regions: Sequence[Region], files: Sequence[bytes | None]) -> dict[str, Any]:
    """The fields' values for regions.

    Args:
        files: the mask of each, None where it is not here any more.
    """
    out = dict(EMPTY)
    for slot, one in enumerate(regions[:SLOTS], 1):
        out[name_of(slot, "prompt")] = one.prompt
        out[name_of(slot, "weight")] = "" if one.weight == 1 else typed_number(one.weight)
    out["region_map"] = written(files[:SLOTS])
    return out


def read(drawing: str) -> dict[int, bytes]:
    """The mask of each region that has a cell, as the bytes of a PNG file. Raises StudioError: bad_regions."""
    import numpy as np
    from PIL import Image

    if not drawing:
        return {}
    head, _, runs = drawing.partition(";")
    parts = runs.split(",") if len(drawing) <= MAX_LETTERS and head == str(SIDE) else []
    matches = [_RUN.fullmatch(part) for part in parts]
    counts = [(int(match[1]), int(match[2])) for match in matches if match]
    if len(counts) < len(matches) or sum(count for _, count in counts) != SIDE * SIDE:
        raise StudioError("bad_regions")
    cells = np.repeat([region for region, _ in counts], [count for _, count in counts]).reshape(SIDE, SIDE)
    numbers = [number for number in range(1, SLOTS + 1) if (cells == number).any()]
    return {number: masks.png(Image.fromarray(((cells == number) * 255).astype("uint8"))) for number in numbers}


def written(files: Sequence[bytes | None]) -> str:
    """The drawing of masks; of two that overlap the later one has the place. Raises StudioError: bad_image."""
    return _runs(_cells(enumerate(files, 1)))


def put(files: Sequence[bytes | None], slot: int, mask: bytes) -> str:
    """The drawing of masks with that of one slot as given, which has the place where it overlaps others.

    Raises:
        StudioError: bad_image, image_too_large; mask_empty.
    """
    others = [(number, data) for number, data in enumerate(files, 1) if number != slot]
    return _runs(_cells([*others, (slot, mask)]))


def _cells(files: Iterable[tuple[int, bytes | None]]) -> np.ndarray:
    import numpy as np
    from PIL import Image

    cells = np.zeros((SIDE, SIDE), np.uint8)
    for number, data in files:
        if data:
            small = masks.read_mask(data).resize((SIDE, SIDE), Image.Resampling.BOX)
            cells[np.asarray(small) >= masks.HALF] = number
    return cells


def _runs(cells: np.ndarray) -> str:
    import numpy as np

    if not cells.any():
        return ""
    flat = cells.ravel()
    starts = np.flatnonzero(np.r_[True, flat[1:] != flat[:-1]])
    out = io.StringIO()
    for start, end in zip(starts, [*starts[1:], len(flat)], strict=True):
        out.write(f",{flat[start]}*{end - start}")
    return f"{SIDE};{out.getvalue()[1:]}"
