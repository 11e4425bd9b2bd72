"""Series: rows of prompts out of lines, of tables as spreadsheets write them, and of lists."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from studio.errors import StudioError
from studio.request_parts import Axis
from studio.requests import ImageRequest
from studio.tasks.image import contact_sheet, grid_axes, series
from studio.tasks.image.grid_axes import Layout

SCENE = ImageRequest(prompt="a {animal} in {place}, ink", seed=5, steps=1, width=64, height=64)
PLAIN = replace(SCENE, prompt="ink")


def prompts(base: ImageRequest, typed: str, **more: bool) -> list[str]:
    return [row.prompt for row in series.rows(base, typed, **more)]


def refusal(base: ImageRequest, typed: str, **more: bool) -> StudioError:
    with pytest.raises(StudioError) as caught:
        series.rows(base, typed, **more)
    return caught.value


@pytest.mark.parametrize(
    "typed",
    [
        'animal,place\nfox,"snow, at night"\nhare,sea\n',
        'animal, place\nfox, "snow, at night"\nhare, sea',
        '\ufeffanimal;place\r\nfox;"snow, at night"\r\nhare;sea\r\n',  # what Excel writes where commas are decimal
        "\ufeffanimal\tplace\r\nfox\tsnow, at night\r\nhare\tsea",  # what a spreadsheet puts on the clipboard
        'place,animal\r"snow, at night",fox\rsea,hare\r',  # an old Mac, and columns in another order
        '"animal","place"\n"fox","snow, at night"\n\n"hare","sea"\n,\n',
        'animal，place\nfox，"snow, at night"\nhare，sea',
        'animal,place\nfox,"snow,\nat night"\nhare,sea',  # a line break inside a cell
    ],
)  # fmt: skip
def test_a_table_fills_the_slots_that_its_first_line_names(typed: str) -> None:
    assert prompts(SCENE, typed) == ["a fox in snow, at night, ink", "a hare in sea, ink"]
    called = [set(row.label.split(" · ")) for row in series.rows(SCENE, typed)]
    assert called == [{"fox", "snow, at night"}, {"hare", "sea"}]


def test_chinese_tables_and_lists_are_read() -> None:
    base = replace(SCENE, prompt="{地点}的{动物}，水墨")
    assert prompts(base, "动物；地点\n狐狸；雪地\n野兔；海边") == ["雪地的狐狸，水墨", "海边的野兔，水墨"]
    assert prompts(base, "动物 ＝ 狐狸、野兔\n地点 = 雪地，海边") == [
        "雪地的狐狸，水墨", "海边的狐狸，水墨", "雪地的野兔，水墨", "海边的野兔，水墨",
    ]  # fmt: skip


def test_lists_meet_each_other() -> None:
    assert prompts(SCENE, "animal = fox, hare\nplace = snow; sea | hills") == [
        f"a {animal} in {place}, ink" for animal in ("fox", "hare") for place in ("snow", "sea", "hills")
    ]


def test_lines_are_prompts_with_the_prompt_round_them_as_a_style() -> None:
    assert prompts(PLAIN, "a fox\n\n a hare, running \n") == ["a fox, ink", "a hare, running, ink"]
    assert prompts(replace(PLAIN, prompt="ink of {prompt} on paper"), "a fox") == ["ink of a fox on paper"]
    assert prompts(replace(PLAIN, prompt=""), "a fox") == ["a fox"]


def test_lines_fill_the_only_slot() -> None:
    assert prompts(replace(SCENE, prompt="a {animal}, ink"), "fox\nred hare, running") == [
        "a fox, ink", "a red hare, running, ink",
    ]  # fmt: skip


def test_a_column_may_be_the_rows_own_prompt_and_another_what_it_shall_not_have() -> None:
    found = series.rows(replace(PLAIN, negative_prompt="blur"), "prompt,negative_prompt\na fox,snow\na hare,\n")
    assert [(row.prompt, row.negative_prompt) for row in found] == [("a fox", "snow"), ("a hare", "blur")]
    assert prompts(replace(PLAIN, prompt="oil painting of {prompt}"), "prompt\na fox\na hare") == [
        "oil painting of a fox", "oil painting of a hare",
    ]  # fmt: skip


def test_what_is_filled_in_is_not_read_for_slots_again() -> None:
    assert prompts(SCENE, "animal,place\n{place},{animal}") == ["a {place} in {animal}, ink"]
    assert prompts(replace(PLAIN, prompt="on {prompt}, ink"), "{prompt} {prompt}") == ["on {prompt} {prompt}, ink"]


def test_alternatives_and_escaped_braces_are_no_slots() -> None:
    assert series.slots(r"{red|blue} \{animal\} {2$$a|b} {animal} {animal} {}") == ("animal",)


@pytest.mark.parametrize(
    ("base", "typed", "code", "params"),
    [
        (SCENE, "animl,place\nfox,sea", "series_slot", {"name": "animl", "known": "{animal}"}),
        (PLAIN, "animal = fox, hare", "series_slot", {"name": "animal"}),
        (SCENE, "animal\nfox\nhare", "series_missing", {"row": 1, "slot": "place"}),
        (SCENE, "fox\nhare", "series_missing", {"slot": "animal"}),
        (SCENE, "animal = fox\nplace =", "series_missing", {"slot": "place"}),
        (SCENE, "animal,place\nfox,sea\nhare,snow,at night", "series_cells", {"row": 2, "count": 3, "columns": 2}),
        (PLAIN, "a\0fox,b\0", "", {}),
        (PLAIN, "\n".join(f"fox {n}" for n in range(65)), "too_many", {"count": 65, "limit": 64}),
        (PLAIN, "x" * 60_001, "too_long", {"limit": 60_000}),
        (PLAIN, "x" * 10_001, "too_long", {"limit": 10_000}),
        (PLAIN, "fox \ud83e", "not_text", {}),
    ],
)
def test_what_cannot_be_filled_in_is_one_clear_error(
    base: ImageRequest, typed: str, code: str, params: dict[str, object]
) -> None:
    if not code:  # control characters of a line are the prompt's own business
        assert prompts(base, typed)
        return
    error = refusal(base, typed)
    assert error.code == code
    assert {name: error.params[name] for name in params} == params


def test_a_short_text_cannot_become_a_very_long_one() -> None:
    base = replace(SCENE, prompt="{a}" * 3000)
    error = refusal(base, "a\n" + "x" * 50_000)
    assert (error.code, error.params["limit"]) == ("too_long", 10_000)
    wide = "\n".join(f"a{n} = " + ",".join("x" * 60) for n in range(60))
    assert refusal(replace(SCENE, prompt="".join(f"{{a{n}}}" for n in range(60))), wide).code == "too_many"


def test_strangers_have_smaller_series() -> None:
    assert len(prompts(PLAIN, "\n".join("abcdefghi"), public=True)) == 9
    assert refusal(PLAIN, "\n".join("abcdefghij"), public=True).code == "too_many"
    assert refusal(PLAIN, "x" * 2_001, public=True).code == "too_long"


@given(
    st.text(alphabet="ab,;\t\n\r\"'={}|__ 狐，；\0\ufeff", max_size=80),
    st.sampled_from(["", "{a}", "{a} {b}", "{prompt}"]),
)
def test_nothing_that_is_typed_breaks_it(typed: str, prompt: str) -> None:
    try:
        found = series.rows(replace(SCENE, prompt=prompt), typed)
    except StudioError:
        return
    assert all(isinstance(row.prompt, str) and len(row.label) <= series.LONGEST_LABEL for row in found)
    assert bool(found) == bool(typed.lstrip("\ufeff").strip())


CELL = st.text(st.characters(exclude_categories=("Cs", "Cc", "Z")), min_size=1, max_size=12)


@given(
    st.lists(st.tuples(CELL, CELL), min_size=1, max_size=8),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_every_table_that_is_written_as_csv_comes_back(rows: list[tuple[str, str]], mark: str, end: str) -> None:
    packed = io.StringIO()
    writer = csv.writer(packed, delimiter=mark, lineterminator=end)
    writer.writerows([("animal", "place"), *rows])
    assert prompts(SCENE, packed.getvalue()) == [f"a {animal} in {place}, ink" for animal, place in rows]


# How they lie


def test_rows_meet_the_axes_and_lie_below_each_other() -> None:
    rows = series.rows(PLAIN, "a fox\na hare")
    axes = Axis("seed", ("1-3",)), Axis("steps", ("4, 8",)), Axis("styles", ("ink, none",))
    found, layout = grid_axes.cells(PLAIN, *axes, rows=rows)
    assert len(found) == 24
    assert (layout.rows, layout.columns) == (("a fox", "a hare"), ("Seed: 1", "Seed: 2", "Seed: 3"))
    assert layout.blocks[:2] == ("Steps: 4 · Styles: ink", "Steps: 4 · Styles: none")
    told = [(cell.steps, cell.styles, cell.prompt, cell.seed) for cell in found]
    assert told[:4] == [(4, ("ink",), f"a {animal}, ink", seed) for animal, seed in
                        (("fox", 1), ("fox", 2), ("fox", 3), ("hare", 1))]  # fmt: skip
    assert layout.labels[3] == "a hare · Seed: 1 · Steps: 4 · Styles: ink"
    with pytest.raises(StudioError) as caught:
        grid_axes.cells(PLAIN, Axis("seed", ("1-33",)), None, rows=rows)
    assert caught.value.code == "too_many"


def test_rows_alone_follow_each_other_each_with_its_own_label() -> None:
    rows = series.rows(PLAIN, "\n".join("abcde"))
    found, layout = grid_axes.cells(PLAIN, None, None, rows=rows)
    assert [cell.prompt for cell in found] == [f"{one}, ink" for one in "abcde"]
    assert layout == Layout(("",) * 3, ("",) * 2, each=tuple("abcde"))
    whole = contact_sheet.sheet(layout, [Image.new("RGB", (64, 64), (0, 90 + 30 * n, 0)) for n in range(5)])
    bare = contact_sheet.sheet(replace(layout, each=()), [None] * 5)
    assert (whole.width, whole.height > bare.height) == (bare.width, True)
    greens = {colour for _, colour in whole.getcolors(1 << 20) or () if colour[0] == colour[2] == 0}  # pyright: ignore
    assert {(0, 90 + 30 * n, 0) for n in range(5)} <= greens
