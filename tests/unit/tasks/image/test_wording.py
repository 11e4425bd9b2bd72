"""Prompts that fill themselves in: styles, wildcards, alternatives, adaptations; always the same for a seed."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.errors import StudioError
from studio.request_parts import Lora
from studio.tasks.image import prompt_template
from studio.tasks.image.prompt_template import Style

LISTS = {
    "cats": ("tabby", "tiger"),
    "animals/dogs": ("poodle",),
    "hair_colour": ("red",),
    "scene": ("a __cats__ and {one|two} __animals/dogs__",),
    "circle": ("__circle__ again",),
    "wide": ("__wide__ __wide__", "__wide__ __wide__"),
    "猫": ("狸花猫",),
}


def lines(name: str) -> tuple[str, ...]:
    if name not in LISTS:
        raise StudioError("no_wildcard", name=name, known="cats")
    return LISTS[name]


def fill(text: str, seed: int = 1, longest: int = 1000) -> str:
    return prompt_template.fill(text, random.Random(seed), lines, longest)


@pytest.mark.parametrize(
    "plain",
    [
        "a cat",
        "a (cat:1.3), [dog] ((bird))",
        "snake_case and __ alone __",
        "{not an alternative}",
        "{",
        "}",
        "a | b",
        "{open | never closed",
        r"a \(bracket\) and C:\new",
        "____",
        "<lora:my__file__v2:0.5>",
        "",
    ],
)
def test_a_plain_prompt_stays_as_it_is(plain: str) -> None:
    assert fill(plain) == plain


def test_each_alternative_comes_about_equally_often() -> None:
    drawn = Counter(fill("{red|green|blue}", seed) for seed in range(300))
    assert set(drawn) == {"red", "green", "blue"}
    assert min(drawn.values()) > 60


def test_an_alternative_may_weigh_more_than_the_others() -> None:
    drawn = Counter(fill("{8::red|blue|0::green}", seed) for seed in range(300))
    assert set(drawn) == {"red", "blue"}
    assert drawn["red"] > 4 * drawn["blue"]
    assert fill("{0::red|0::blue}") == ""


def test_several_alternatives_can_be_taken_at_once_each_once() -> None:
    for text in ("{2$$red|green|blue}", "{2$$red|5::green|blue}"):
        drawn = {fill(text, seed) for seed in range(100)}
        assert drawn == {f"{a}, {b}" for a in ("red", "green", "blue") for b in ("red", "green", "blue") if a != b}
    assert sorted(fill("{9$$red|blue}").split(", ")) == ["blue", "red"]


def test_alternatives_lie_in_one_another_and_may_be_empty() -> None:
    drawn = {fill("a {big |}{red|{sea|sky} blue} cat", seed) for seed in range(100)}
    assert drawn == {f"a {size}{colour} cat" for size in ("big ", "") for colour in ("red", "sea blue", "sky blue")}


def test_a_seed_always_draws_the_same() -> None:
    text = "__scene__ in {fog|rain|snow} with __cats__"
    assert fill(text, 5) == fill(text, 5)
    assert len({fill(text, seed) for seed in range(50)}) > 3


def test_the_words_of_a_seed_do_not_change_between_versions() -> None:
    assert [fill("{a|b|c|d} __cats__", seed) for seed in range(4)] == ["d tiger", "b tabby", "a tabby", "b tabby"]


def test_a_wildcard_takes_a_line_of_its_list_also_in_sub_folders_and_other_scripts() -> None:
    assert fill("__cats__") in LISTS["cats"]
    assert fill("a __animals/dogs__, __hair_colour__ __猫__") == "a poodle, red 狸花猫"


def test_what_a_list_says_is_filled_in_too() -> None:
    assert fill("__scene__") in {f"a {cat} and {n} poodle" for cat in LISTS["cats"] for n in ("one", "two")}


def test_braces_and_bars_can_be_only_signs() -> None:
    assert fill(r"\{a\|b\} {c\|d|c\|d}") == "{a|b} c|d"


def test_a_list_that_is_missing_is_named() -> None:
    with pytest.raises(StudioError) as caught:
        fill("a __dgos__")
    assert (caught.value.code, caught.value.params["name"]) == ("no_wildcard", "dgos")


def test_a_list_in_an_alternative_that_was_not_taken_is_not_looked_for() -> None:
    assert {"x"} <= {fill("{x|x|x}", seed) for seed in range(3)}
    seeds = [seed for seed in range(40) if random.Random(seed).choice(["x", "__nothing__"]) == "x"]
    assert fill("{x|__nothing__}", seeds[0]) == "x"


@pytest.mark.parametrize("name", ["circle", "wide"])
def test_lists_that_draw_from_themselves_end_with_an_error(name: str) -> None:
    with pytest.raises(StudioError) as caught:
        fill(f"__{name}__")
    assert caught.value.code == "wildcard_loop"


def test_what_grows_too_long_is_refused() -> None:
    with pytest.raises(StudioError) as caught:
        fill("__scene__ " * 20, longest=200)
    assert (caught.value.code, caught.value.params["limit"]) == ("too_long", 200)


WRITTEN = st.text(alphabet="ab _{}|\\/,<>:$lor02.5-猫\n", max_size=60) | st.lists(
    st.sampled_from(
        ["{", "}", "|", "__cats__", "__wide__", "__nope__", "__", "\\", "<lora:", ">", ":0.5", "x", "2$$", "3::", "0::"]
    ),
    max_size=30,
).map("".join)


@given(WRITTEN, st.integers(0, 2**32 - 1))
@settings(max_examples=400, deadline=None)
def test_whatever_is_written_is_filled_in_the_same_way_or_refused_in_words(text: str, seed: int) -> None:
    def attempt() -> tuple[str, str]:
        try:
            filled = fill(text, seed, longest=500)
            return "", filled + repr(prompt_template.take_loras(filled))
        except StudioError as error:
            return error.code, str(error)

    code, filled = attempt()
    assert code in {"", "no_wildcard", "wildcard_loop", "too_long", "bad_lora"}
    assert len(filled) <= 2000
    assert attempt() == (code, filled)


@given(st.text(max_size=200))
def test_every_text_is_a_style_and_a_list(text: str) -> None:
    style = prompt_template.read_style(text)
    prompt_template.with_style("a cat", style)
    prompt_template.with_negative("", style)
    assert all(line and line == line.strip() for line in prompt_template.read_lines(text))


def test_ten_thousand_braces_take_no_time() -> None:
    assert fill("{" * 10_000, longest=20_000) == "{" * 10_000
    assert fill("{a|" * 3_000 + "b" + "}" * 3_000, longest=20_000) in {"a", "b"}


# Styles


def test_a_style_goes_round_the_prompt_or_behind_it() -> None:
    assert prompt_template.with_style("a cat", Style("ink drawing of {prompt}, black")) == "ink drawing of a cat, black"
    assert prompt_template.with_style("a cat", Style("ink drawing")) == "a cat, ink drawing"
    assert prompt_template.with_style("", Style("ink drawing")) == "ink drawing"
    assert prompt_template.with_style("a cat", Style("")) == "a cat"


def test_a_style_file_may_end_with_what_is_not_wanted() -> None:
    text = "ink drawing of {prompt},\n black\n\nNegative prompt: colour, photo\n"
    assert prompt_template.read_style(text) == Style("ink drawing of {prompt}, black", "colour, photo")
    assert prompt_template.read_style("ink drawing") == Style("ink drawing")


def test_what_a_style_does_not_want_is_added_once() -> None:
    style = Style("ink", "colour, photo")
    once = prompt_template.with_negative("blurry", style)
    assert once == "blurry, colour, photo"
    assert prompt_template.with_negative(once, style) == once
    assert prompt_template.with_negative("", style) == "colour, photo"


# Adaptations


def test_adaptations_are_taken_out_of_the_prompt() -> None:
    assert prompt_template.take_loras("a cat, <lora:ink:0.8>, sitting") == ("a cat, sitting", (Lora("ink", 0.8),))
    assert prompt_template.take_loras("<LoRA:my file.v2> a cat") == ("a cat", (Lora("my file.v2", 1.0),))
    assert prompt_template.take_loras("a cat") == ("a cat", ())


def test_a_second_weight_is_left_out_and_of_two_of_one_name_the_last_counts() -> None:
    assert prompt_template.take_loras("<lora:ink:0.8:0.3>")[1] == (Lora("ink", 0.8),)
    assert prompt_template.take_loras("<lora:a:1><lora:b:1><lora:a:-0.5>")[1] == (Lora("b", 1.0), Lora("a", -0.5))


@pytest.mark.parametrize("tag", ["<lora:>", "<lora::1>", "<lora:ink:strong>"])
def test_a_tag_that_makes_no_sense_is_shown(tag: str) -> None:
    with pytest.raises(StudioError) as caught:
        prompt_template.take_loras(f"a cat {tag}")
    assert (caught.value.code, caught.value.params["text"]) == ("bad_lora", tag)


def test_a_weight_can_be_written_anew() -> None:
    text = "a <lora:ink:0.8> and <lora:wash>"
    assert prompt_template.with_weight(text, "ink", 0.25) == "a <lora:ink:0.25> and <lora:wash>"
    assert prompt_template.with_weight(text, "", 2) == "a <lora:ink:2> and <lora:wash:2>"
