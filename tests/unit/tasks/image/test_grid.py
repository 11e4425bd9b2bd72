"""Grids of pictures: what is typed into an axis, what each cell asks for, and the sheet that shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from studio.engines.demo.fake import FakeModel
from studio.errors import StudioError
from studio.jobs.plans.grid import Grid
from studio.recipes import recipe
from studio.request_parts import Axis, Lora
from studio.requests import ImageRequest
from studio.results import Output, Update
from studio.service import Studio
from studio.tasks.image import contact_sheet, grid_axes
from studio.tasks.image.grid_axes import Layout

HILLS = ImageRequest(prompt="hills", seed=5, steps=1, width=64, height=64)


def refusal(act: Callable[[], object]) -> StudioError:
    with pytest.raises(StudioError) as caught:
        act()
    return caught.value


# What is typed


@pytest.mark.parametrize(
    ("field", "typed", "expected"),
    [
        ("steps", "1, 2,4", ["1", "2", "4"]),
        ("steps", "1-5", ["1", "2", "3", "4", "5"]),
        ("steps", "5-1", ["5", "4", "3", "2", "1"]),
        ("steps", "1-10 (+3)", ["1", "4", "7", "10"]),
        ("steps", "10-1 (-3)", ["10", "7", "4", "1"]),
        ("steps", "1-2, 8", ["1", "2", "8"]),
        ("guidance_scale", "0.5-1.0 [3]", ["0.5", "0.75", "1"]),
        ("guidance_scale", "1-2 (+0.5)", ["1", "1.5", "2"]),
        ("strength", "0.1-0.3 (+0.1)", ["0.1", "0.2", "0.3"]),
        ("lora:ink", "-1-1 (+1)", ["-1", "0", "1"]),
        ("replace", 'cat, "big, wild cat", "say ""hi"""', ["cat", "big, wild cat", 'say "hi"']),
        ("replace", "1-5", ["1-5"]),
        ("scheduler", "Euler a\nDDIM", ["Euler a", "DDIM"]),
        ("replace", 'cat, "", dog', ["cat", "", "dog"]),
        ("replace", "cat,, dog", ["cat", "", "dog"]),
        ("replace", "cat,", ["cat", ""]),
        ("replace", '"[ girl : dragon : 0.1 , 0.5 ]"," "', ["[ girl : dragon : 0.1 , 0.5 ]", ""]),
        ("replace", "cat，dog、bird；“cow， or ox”", ["cat", "dog", "bird", "cow， or ox"]),
        ("replace", "cat\n\ndog\n", ["cat", "dog"]),
        ("replace", '"two\nlines", "say ""no"" here"', ["two\nlines", 'say "no" here']),
        ("replace", '"never closed, dog', ['"never closed', "dog"]),
        ("negative_prompt", "blur，, noise", ["blur", "", "noise"]),
        ("steps", "1,, 2,", ["1", "2"]),
        ("steps", "２０，３０", ["20", "30"]),
        ("steps", "1-10 [5]", ["1", "3", "5", "7", "10"]),
        ("steps", "１－３", ["1", "2", "3"]),
        ("seed", "-1, 12345678901234567890", ["-1", "12345678901234567890"]),
    ],
)
def test_an_axis_is_read_as_other_web_uis_read_it(field: str, typed: str, expected: list[str]) -> None:
    assert list(grid_axes.values(Axis(field, (typed,)))) == expected


def test_values_that_were_taken_apart_already_keep_their_commas() -> None:
    assert grid_axes.values(Axis("replace", ("cat", "big, wild cat"))) == ("cat", "big, wild cat")
    assert grid_axes.values(Axis("steps", ("1-3", "9"))) == ("1", "2", "3", "9")


@pytest.mark.parametrize(
    ("axis", "code", "field"),
    [
        (Axis("count", ("1-2",)), "not_a_choice", "axis"),
        (Axis("image", ("x",)), "not_a_choice", "axis"),
        (Axis("steps", ("",)), "empty", "axis"),
        (Axis("steps", (",",)), "empty", "axis"),
        (Axis("replace", (" \n",)), "empty", "axis"),
        (Axis("replace", (", cat",)), "empty", "axis"),
        (Axis("steps", ()), "empty", "axis"),
        (Axis("steps", ("1-1000",)), "too_many", "cells"),
        (Axis("steps", ("1-2 [9999]",)), "too_many", "cells"),
        (Axis("steps", ("1-999999999999 (+0.000001)",)), "too_many", "cells"),
        (Axis("steps", ("many",)), "not_a_number", "steps"),
        (Axis("steps", ("1.5",)), "not_a_number", "steps"),
        (Axis("steps", ("nan",)), "not_a_number", "steps"),
        (Axis("seed", ("inf",)), "out_of_range", "seed"),
        (Axis("replace", ("", "cat")), "empty", "axis"),
        (Axis("lora:ink", ("much",)), "not_a_number", "lora_weight"),
        (Axis("steps", ("4, 999",)), "out_of_range", "steps"),
        (Axis("width", ("64, 100",)), "not_multiple", "width"),
        (Axis("scheduler", ("Euler a, Nobody",)), "not_a_choice", "scheduler"),
    ],
)
def test_an_axis_that_makes_no_sense_is_refused_before_anything_runs(
    studio: Studio, axis: Axis, code: str, field: str
) -> None:
    error = refusal(lambda: studio.submit_grid(HILLS, axis, None))
    assert (error.code, error.params["field"]) == (code, f"field.{field}")
    assert studio.jobs() == ()


@given(st.sampled_from(grid_axes.FIELDS), st.text(alphabet="0123456789-+.,()[] \"'\nae", max_size=40))
def test_whatever_is_typed_is_a_list_or_an_error_in_words(field: str, typed: str) -> None:
    try:
        found = grid_axes.values(Axis(field, (typed,)))
    except StudioError as error:
        found = (error.code,)
    assert 1 <= len(found) <= 64


# What each cell asks for


def test_a_seed_of_minus_one_is_a_new_one_that_its_cells_share_and_its_label_names(studio: Studio) -> None:
    order = studio._intake.grid(HILLS, Axis("seed", ("-1, 5, -1",)), Axis("steps", ("1, 2",)))
    assert isinstance(order.plan, Grid)
    upper, lower = [[cell.seed for cell in order.plan.cells[start : start + 3]] for start in (0, 3)]
    assert upper == lower
    assert upper[1] == 5
    assert upper[0] != upper[2]
    assert None not in upper
    assert -1 not in upper
    assert order.plan.layout is not None
    assert order.plan.layout.columns == tuple(f"Seed: {seed}" for seed in upper)


def test_empty_values_leave_out_words_and_leave_the_rest_to_the_model() -> None:
    base = replace(HILLS, prompt="a cat, sitting", styles=("ink",), scheduler="DDIM")
    assert [cell.prompt for cell in cells(base, Axis("replace", ("cat, ",)))] == ["a cat, sitting", "a , sitting"]
    found, layout = grid_axes.cells(base, Axis("scheduler", (", Euler",)), Axis("styles", (",ink",)))
    assert [(cell.scheduler, cell.styles) for cell in found[:2]] == [("", ()), ("Euler", ())]
    assert layout == Layout(("Scheduler: Default", "Scheduler: Euler"), ("Styles: none", "Styles: ink"))


def cells(base: ImageRequest, x: Axis, y: Axis | None = None) -> list[ImageRequest]:
    return grid_axes.cells(base, x, y)[0]


def test_cells_lie_row_by_row() -> None:
    found, layout = grid_axes.cells(HILLS, Axis("steps", ("1-3",)), Axis("guidance_scale", ("2, 4.5",)))
    assert [(cell.steps, cell.guidance_scale) for cell in found] == [(s, g) for g in (2, 4.5) for s in (1, 2, 3)]
    assert layout == Layout(("Steps: 1", "Steps: 2", "Steps: 3"), ("Guidance scale: 2", "Guidance scale: 4.5"))


def test_words_take_the_place_of_the_first_ones() -> None:
    base = replace(HILLS, prompt="a cat by a cat", negative_prompt="no cat")
    found, layout = grid_axes.cells(base, Axis("replace", ("cat, dog",)), None)
    assert [(cell.prompt, cell.negative_prompt) for cell in found] == [
        ("a cat by a cat", "no cat"),
        ("a dog by a dog", "no dog"),
    ]
    assert layout.columns == ("cat", "dog")
    error = refusal(lambda: grid_axes.cells(HILLS, Axis("replace", ("cat, dog",)), None))
    assert (error.code, error.params["text"]) == ("not_in_prompt", "cat")


def test_two_axes_of_words_work_together() -> None:
    base = replace(HILLS, prompt="a red cat")
    found = cells(base, Axis("replace", ("red, blue",)), Axis("replace", ("cat, dog",)))
    assert [cell.prompt for cell in found] == ["a red cat", "a blue cat", "a red dog", "a blue dog"]


def test_styles_can_be_compared_with_none() -> None:
    found = cells(replace(HILLS, styles=("ink",)), Axis("styles", ("none, watercolour",)))
    assert [cell.styles for cell in found] == [(), ("watercolour",)]


def test_the_weight_of_an_adaptation_is_an_axis() -> None:
    base = replace(HILLS, prompt="hills <lora:ink:1>", loras=(Lora("wash", 1.0),))
    assert [cell.prompt for cell in cells(base, Axis("lora:ink", ("0.5",)))] == ["hills <lora:ink:0.5>"]
    assert [cell.loras for cell in cells(base, Axis("lora:wash", ("0.5",)))] == [(Lora("wash", 0.5),)]
    assert [cell.loras for cell in cells(base, Axis("lora:new", ("2",)))] == [(Lora("wash", 1.0), Lora("new", 2))]
    every = cells(base, Axis("lora", ("0",)))[0]
    assert (every.prompt, every.loras) == ("hills <lora:ink:0>", (Lora("wash", 0),))


def test_a_cell_is_one_picture() -> None:
    found = cells(replace(HILLS, count=4, prompts=("a", "b", "c", "d")), Axis("steps", ("1",)))
    assert [(cell.count, cell.prompts) for cell in found] == [(1, ())]


# What is made


def test_every_cell_is_an_ordinary_picture_with_its_own_recipe(studio: Studio) -> None:
    base = replace(HILLS, prompt="a {red|blue} __animal__", seed=None)
    artifact = studio.submit_grid(base, Axis("steps", ("1-3",)), Axis("guidance_scale", ("1, 2",))).result()
    assert len(artifact.files) == 6
    assert len({made["seed"] for made in artifact.recipes}) == 1
    for number, (file, made) in enumerate(zip(artifact.files, artifact.recipes, strict=True)):
        assert (made["parameters"]["steps"], made["parameters"]["guidance_scale"]) == (number % 3 + 1, number // 3 + 1)
        own = recipe.read_recipe(file.read_bytes())
        assert own == made
        request = recipe.to_request(made)
        assert request is not None
        again = studio.submit(request).result()
        assert Image.open(again.files[0]).tobytes() == Image.open(file).tobytes()


def test_the_sheet_lies_beside_the_pictures(studio: Studio) -> None:
    artifact = studio.submit_grid(HILLS, Axis("seed", ("1-3",)), None).result()
    assert artifact.sheet is not None
    assert artifact.sheet.stem == artifact.files[0].stem + "-grid"
    assert artifact.sheet not in artifact.files
    assert Image.open(artifact.sheet).width > 3 * 64


def test_progress_counts_the_steps_of_all_cells(slow: Callable[..., Studio]) -> None:
    job = slow(step_seconds=0.01).submit_grid(HILLS, Axis("steps", ("1, 3, 6",)), None)
    updates = [update for update in job.events() if update.steps]
    assert {update.steps for update in updates} == {10}
    steps = [update.step for update in updates]
    assert steps == sorted(steps)
    assert steps[-1] == 10


def test_stop_keeps_the_cells_that_are_done_and_the_sheet_shows_the_others_empty(slow: Callable[..., Studio]) -> None:
    job = slow(step_seconds=0.01).submit_grid(replace(HILLS, steps=4), Axis("seed", ("1-9",)), None)
    next(update for update in job.events() if update.step > 8)
    job.cancel()
    last = ended(job.events(heartbeat=5))
    assert last.kind == "cancelled"
    assert last.artifact is not None
    assert 1 <= len(last.artifact.files) < 9
    assert [made["seed"] for made in last.artifact.recipes] == list(range(1, len(last.artifact.files) + 1))
    assert last.artifact.sheet is not None
    assert Image.open(last.artifact.sheet).width > 9 * 64


def test_a_skipped_cell_is_missing_and_the_others_come(slow: Callable[..., Studio]) -> None:
    job = slow(step_seconds=0.01).submit_grid(replace(HILLS, steps=4), Axis("seed", ("1-4",)), None)
    next(update for update in job.events() if update.step > 5)
    job.skip()
    last = ended(job.events(heartbeat=5))
    assert last.kind == "done"
    assert last.artifact is not None
    seeds = [made["seed"] for made in last.artifact.recipes]
    assert len(seeds) == 3
    assert seeds == sorted(set(seeds))


@pytest.mark.parametrize("error", [StudioError("bad_output", model="m", reason="black"), MemoryError()])
def test_a_cell_that_fails_takes_no_other_with_it(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    run = FakeModel.run

    def fail_at_3(self: FakeModel, request: ImageRequest, context: Any) -> Output:
        if request.seed == 3:
            raise error
        return run(self, request, context)

    monkeypatch.setattr(FakeModel, "run", fail_at_3)
    artifact = studio.submit_grid(HILLS, Axis("seed", ("1-3",)), None).result()
    assert [made["seed"] for made in artifact.recipes] == [1, 2]
    assert ("cells_failed", {"count": 1}) in artifact.notes
    assert artifact.sheet is not None


def test_where_every_cell_fails_the_first_reason_is_told(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: FakeModel, request: ImageRequest, __: object) -> Output:
        raise StudioError("bad_output", model="m", reason=str(request.seed))

    monkeypatch.setattr(FakeModel, "run", fail)
    error = refusal(lambda: studio.submit_grid(HILLS, Axis("seed", ("1-3",)), None).result())
    assert (error.code, error.params["reason"]) == ("bad_output", "1")


def ended(updates: object) -> Update:
    *_, last = updates  # type: ignore[misc]
    return last


def test_all_cells_are_checked_before_the_first_is_painted(studio: Studio) -> None:
    error = refusal(lambda: studio.submit_grid(HILLS, Axis("replace", ("hills, __nothing__",)), None))
    assert error.code == "no_wildcard"
    assert studio.jobs() == ()


def test_there_is_an_end_to_the_number_of_cells(studio: Studio) -> None:
    error = refusal(lambda: studio.submit_grid(HILLS, Axis("seed", ("1-9",)), Axis("steps", ("1-8",))))
    assert (error.code, error.params["limit"]) == ("too_many", 64)
    grid_axes.cells(HILLS, Axis("seed", ("1-9",)), None, public=True)
    error = refusal(lambda: grid_axes.cells(HILLS, Axis("seed", ("1-10",)), None, public=True))
    assert error.params["limit"] == 9


# The sheet


def colours(count: int, size: tuple[int, int] = (40, 30)) -> list[Image.Image]:
    return [Image.new("RGB", size, (10 + number * 20, 0, 0)) for number in range(count)]


def test_each_picture_lies_in_its_row_and_column() -> None:
    whole = contact_sheet.sheet(Layout(("a", "b", "c"), ("d", "e")), colours(6))
    seen = {}
    for y in range(whole.height):
        for x in range(whole.width):
            red, green, blue = whole.getpixel((x, y))  # type: ignore[misc]
            if green == blue == 0:
                seen.setdefault(red, []).append((x, y))
    corners = {red: min(places) for red, places in seen.items()}
    assert {red: len(places) for red, places in seen.items()} == {10 + n * 20: 40 * 30 for n in range(6)}
    assert corners[10][1] == corners[30][1] == corners[50][1] < corners[70][1]
    assert corners[10][0] == corners[70][0] < corners[30][0] < corners[50][0]


def test_labels_are_drawn_and_take_room_only_where_there_are_some() -> None:
    bare = contact_sheet.sheet(Layout(("",), ("",)), colours(1))
    named = contact_sheet.sheet(Layout(("Steps: 4",), ("Guidance scale: 2",)), colours(1))
    assert named.width > bare.width
    assert named.height > bare.height
    assert any(pixel < 120 for pixel in set(named.crop((0, 0, named.width, 14)).convert("L").getdata()))


@pytest.mark.parametrize("label", ["猫 und Ärger", "x" * 5000, "word " * 900, "\n\t ", "🙂"])
def test_any_label_can_be_drawn(label: str) -> None:
    whole = contact_sheet.sheet(Layout((label, "b"), (label, label)), colours(4))
    assert whole.width < 40 * 30
    assert whole.height < 400


def test_a_large_grid_is_shown_smaller() -> None:
    whole = contact_sheet.sheet(Layout(tuple("abcdefgh"), tuple("abcdefgh")), colours(1, (4096, 1600)) * 64)
    assert whole.width * whole.height < contact_sheet.MAX_PIXELS * 1.5


def test_a_cell_that_is_missing_is_told_from_the_others() -> None:
    asked = [replace(HILLS, seed=seed) for seed in (1, 1, 2)]
    first, last = colours(2)
    output = Output(images=(first, last), seeds=(1, 2), requests=(asked[0], asked[2]))
    assert contact_sheet.placed(asked, output) == [first, None, last]


def test_a_sheet_without_a_single_picture_is_still_a_sheet(tmp_path: Path) -> None:
    contact_sheet.sheet(Layout(("a",), ("",)), [None]).save(tmp_path / "sheet.png")


def test_chinese_labels_are_written_and_not_drawn_as_boxes() -> None:
    """Two signs differ on the sheet; boxes would be alike."""
    one, other = (contact_sheet.sheet(Layout(rows=("",), columns=(label,)), [None]) for label in ("猫", "狗"))
    assert one.tobytes() != other.tobytes(), "no font here has Chinese signs; on Debian: fonts-noto-cjk"


# Adaptations and models


def test_adaptations_stand_for_one_another_and_others_stay() -> None:
    base = replace(HILLS, prompt="hills <lora:ink:0.4>, sea", loras=(Lora("quick", 0.9), Lora("style/wash", 0.3)))
    found = cells(base, Axis("lora", ("none, ink, wash:0.5, people/mara",)))
    assert [cell.loras for cell in found] == [
        (Lora("quick", 0.9),), (Lora("quick", 0.9), Lora("ink", 0.4)), (Lora("quick", 0.9), Lora("wash", 0.5)),
        (Lora("quick", 0.9), Lora("people/mara")),
    ]  # fmt: skip
    assert {cell.prompt for cell in found} == {"hills, sea"}


def test_names_and_weights_of_adaptations_are_told_apart() -> None:
    assert grid_axes.values(Axis("lora", ("0.5-1.0 [2], ink, 2, １:1, v1-5:0.5",))) == (
        "0.5", "1", "ink", "2", "１:1", "v1-5:0.5",
    )  # fmt: skip
    one = cells(HILLS, Axis("lora", ("1:1",)))[0]
    assert one.loras == (Lora("1", 1.0),), "an adaptation that is called like a number has its weight behind it"
    _, layout = grid_axes.cells(HILLS, Axis("lora", ("ink:0.5, none",)), None)
    assert layout.columns == ("LoRA: ink:0.5", "LoRA: none")


def test_two_axes_of_adaptations_go_together() -> None:
    found = cells(HILLS, Axis("lora", ("ink, none",)), Axis("lora", ("mara, none",)))
    assert [tuple(lora.name for lora in cell.loras) for cell in found] == [("mara", "ink"), ("mara",), ("ink",), ()]


def test_a_model_is_a_value() -> None:
    found = cells(HILLS, Axis("model", ("one, two",)), Axis("steps", ("1, 2",)))
    assert [(cell.model, cell.steps) for cell in found] == [("one", 1), ("two", 1), ("one", 2), ("two", 2)]


def test_a_third_axis_is_in_blocks_of_the_other_two() -> None:
    base = replace(HILLS, seed=5)
    axes = Axis("steps", ("1, 2",)), Axis("guidance_scale", ("3, 4",)), Axis("seed", ("7-9",))
    found, layout = grid_axes.cells(base, *axes)
    assert [(one.seed, one.guidance_scale, one.steps) for one in found] == [
        (seed, guidance, steps) for seed in (7, 8, 9) for guidance in (3, 4) for steps in (1, 2)
    ]
    assert layout == Layout(
        ("Steps: 1", "Steps: 2"), ("Guidance scale: 3", "Guidance scale: 4"), ("Seed: 7", "Seed: 8", "Seed: 9")
    )
    assert layout.axes == axes
    assert grid_axes.cells(base, *axes[:2])[1].blocks == ("",)


def test_the_limit_is_of_all_three_together() -> None:
    axes = Axis("steps", ("1-4",)), Axis("guidance_scale", ("1-4",)), Axis("seed", ("1-4",))
    assert len(grid_axes.cells(HILLS, *axes)[0]) == 64
    with pytest.raises(StudioError) as caught:
        grid_axes.cells(HILLS, *axes[:2], Axis("seed", ("1-5",)))
    assert caught.value.code == "too_many"
    with pytest.raises(StudioError):
        grid_axes.cells(HILLS, *(Axis(axis.field, ("1-3",)) for axis in axes), public=True)


def test_blocks_stand_one_below_the_other_each_under_its_title() -> None:
    layout = Layout(("a", "b"), ("c",), ("first", "second"))
    pictures = colours(4)
    whole = contact_sheet.sheet(layout, pictures)
    alone = contact_sheet.sheet(replace(layout, blocks=("",)), pictures[:2])
    assert whole.width == alone.width
    assert whole.height > 2 * alone.height, "each has a title"
    size = pictures[0].size if pictures[0] else (0, 0)
    half = whole.height // 2
    for number, picture in enumerate(pictures):
        block, column = divmod(number, 2)
        assert picture is not None
        x = whole.width - (2 - column) * (size[0] + whole_gap(size)) + size[0] // 2
        y = half * (block + 1) - whole_gap(size) - size[1] // 2
        assert whole.getpixel((x, y)) == picture.getpixel((0, 0)), number


def whole_gap(size: tuple[int, int]) -> int:
    return max(2, min(size) // 64)


def test_the_sheet_names_its_axes_as_the_script_of_other_programs_does(studio: Studio) -> None:
    x, y, z = Axis("steps", ("1, 2",)), Axis("replace", ('hills, "a, b"',)), Axis("seed", ("3, 4",))
    artifact = studio.submit_grid(HILLS, x, y, z=z).result()
    assert len(artifact.files) == 8
    assert artifact.sheet is not None
    with Image.open(artifact.sheet) as sheet, Image.open(artifact.files[0]) as cell:
        told, alone = sheet.info["parameters"], cell.info["parameters"]
    expected = (
        r'Script: X/Y/Z plot, X Type: Steps, X Values: "1,2", Y Type: Prompt S/R, Y Values: "hills,\"a, b\"", '
        r'Z Type: Seed, Z Values: "3,4", Fixed Z Values: "3, 4", Version: '
    )
    assert expected in told
    assert "Script" not in alone
