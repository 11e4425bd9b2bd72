"""One truth each: what a field may be, the largest seed and the formats are written down once, and all go by that."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.recipes import inspect
from studio.recipes.untrusted import image_fields
from studio.requests import ImageRequest
from studio.tasks import limits
from studio.tasks.table import RULES

ROOT = Path(__file__).resolve().parents[3]
TREES = {
    file.relative_to(ROOT).as_posix(): ast.parse(file.read_text(encoding="utf-8"))
    for folder in ("studio", "tabs")
    for file in sorted((ROOT / folder).rglob("*.py"))
}
ROWS = {"studio/tasks/chat/limits.py", "studio/tasks/image/limits.py", "studio/tasks/music/limits.py"}
ROWS |= {"studio/tasks/code/limits.py", "studio/tasks/caption/limits.py", "studio/tasks/image/upscale.py"}
FIELDS = {field for rules in RULES.values() for field in rules.numbers}
PAINTER = tiny_card(Source("bundled"), 1, tasks=("image",))


def ranges(tree: ast.AST) -> Iterator[str]:
    """Fields of requests for which the code says from where to where they go."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Dict):
            continue
        for key, value in zip(node.keys, node.values, strict=True):
            if not isinstance(key, ast.Constant) or key.value not in FIELDS:
                continue
            pair = isinstance(value, ast.Tuple) and all(isinstance(part, ast.Constant) for part in value.elts)
            if pair or "Bound(" in ast.unparse(value):
                yield key.value


def test_the_check_below_sees() -> None:
    code = '{"width": (64, 4096), "steps": Bound(1, 2, 2, 1), "seed": 5, "other": (1, 2)}'
    assert list(ranges(ast.parse(code))) == ["width", "steps"]


def test_what_a_number_may_be_stands_with_its_task_alone() -> None:
    assert {file for file, tree in TREES.items() if list(ranges(tree))} <= ROWS
    made = {file for file, tree in TREES.items() if "Bound(" in ast.unparse(tree)}
    assert made <= ROWS | {"studio/tasks/bounds.py", "studio/tasks/image/size.py"}


def test_the_largest_seed_is_said_once() -> None:
    said = [
        file
        for file, tree in TREES.items()
        for node in ast.walk(tree)
        if (isinstance(node, ast.BinOp) and ast.unparse(node) in ("2 ** 64 - 1", "(1 << 64) - 1"))
        or (isinstance(node, ast.Constant) and node.value == 2**64 - 1)
    ]
    assert said == ["studio/tasks/bounds.py"]


def test_no_choice_that_a_request_has_is_listed_twice() -> None:
    named, listed = [], defaultdict(list)
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
                values = frozenset(
                    part.value for part in ast.walk(node.slice) if isinstance(part, ast.Constant) and part.value
                )
                if len(values) > 1:
                    listed[values].append(file)
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("Literal["):
                named += [file] if ast.unparse(node.targets[0]) == "PictureFormat" else []
    assert named == ["studio/requests.py"]
    asked = {values: files for values, files in listed.items() if "studio/requests.py" in files}
    assert {values: files for values, files in asked.items() if len(files) > 1} == {}


VALUES = st.integers() | st.floats() | st.integers(-5, 200) | st.floats(-9, 99)


@given(st.sampled_from(sorted(RULES["image"].numbers)), VALUES, st.booleans())
def test_a_number_that_is_read_from_a_picture_can_be_asked_for(field: str, value: float, written: bool) -> None:
    found, _ = image_fields({field: str(value) if written else value})
    limits.check(ImageRequest(prompt="a", **found), PAINTER)


@pytest.mark.parametrize(
    "said",
    [
        {"clip_skip": 8},
        {"clip_skip": 99},
        {"styles": ["ink"] * 20},
        {"styles": ["i" * 200]},
        {"prompts": ["a"] * 20, "count": 20},
        {"prompts": ["a" * 15_000], "count": 1},
        {"loras": [{"name": f"fog{number}", "weight": 9} for number in range(20)]},
        {"loras": [{"name": "f" * 200}]},
        {"negative_prompt": "a" * 20_000},
    ],
)
def test_what_is_read_from_a_picture_can_be_asked_for(said: dict[str, Any]) -> None:
    found, _ = image_fields(said)
    assert found
    limits.check(ImageRequest(prompt="a", **found), PAINTER)


def test_what_does_not_fit_is_cut_and_told() -> None:
    loras = [{"name": f"fog{number}"} for number in range(20)]
    found, wrong = image_fields({"loras": loras, "styles": ["ink"] * 20, "clip_skip": 99})
    assert (len(found["loras"]), len(found["styles"]), found["clip_skip"]) == (8, 16, 12)
    assert set(wrong) == {"loras", "styles", "clip_skip"}
    whole, wrong = image_fields({"loras": loras}, cut=False)
    assert (len(whole["loras"]), wrong) == (20, ())


def test_a_restored_clip_skip_of_8_is_taken() -> None:
    found = inspect.from_text("a cat\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 64x64, Clip skip: 9")
    assert found is not None
    assert (found.fields["clip_skip"], found.wrong) == (8, ())
    limits.check(ImageRequest(**found.fields), PAINTER)


def test_what_pictures_are_written_as_is_what_the_settings_keep() -> None:
    from studio.requests import PICTURE_FORMATS
    from studio.settings import Settings

    for name in PICTURE_FORMATS:
        assert Settings(picture_format=name).picture_format == name
