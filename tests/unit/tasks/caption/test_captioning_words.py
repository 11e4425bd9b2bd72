"""What is done to a caption's words: styles, edits, the token guard. A person's own words are never touched."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from studio.requests import CaptionRequest
from studio.tasks.caption import tokens
from studio.tasks.caption.edits import MODES, Edits, edited, joined, lacking, tidy, written
from studio.tasks.caption.merge import is_list, news
from studio.tasks.caption.styles import ALT_LIMIT, alt, language_asked, phrased, prompt, tags

WORDS = ("a", "cat", "sits", "on", "the", "red", "mat,", "with", "balls.", "And", "2", "猫在", "垫子上，Paris!")
words = st.lists(st.sampled_from(WORDS), max_size=60)
text = st.one_of(words.map(" ".join), st.text(max_size=80))


# Edits


@pytest.mark.parametrize(
    ("caption", "edits", "after"),
    [
        ("a cat and a category", Edits(replace=(("cat", "dog"),)), "a dog and a category"),
        ("US troops help us", Edits(replace=(("US", "American"),)), "American troops help us"),
        ("a  cat\non a mat", Edits(), "a cat on a mat"),
        ("1girl, watermark, smile", Edits(ban=("watermark",)), "1girl, smile"),
        ("Watermark, a cat", Edits(ban=("watermark",)), "a cat"),
        ("a blurry, red cat.", Edits(ban=("blurry",)), "a, red cat."),
        ("a cat, blurry.", Edits(ban=("blurry",)), "a cat."),
        ("一只模糊的猫", Edits(ban=("模糊的",)), "一只猫"),
        ("猫，模糊，垫子", Edits(ban=("模糊",)), "猫，垫子"),
        ("c++ code", Edits(replace=(("c++", "C"),)), "C code"),
        (r"a\1b", Edits(replace=(("a", r"\g<0>"),)), r"\g<0>\1b"),
        ("only this", Edits(ban=("only", "this")), ""),
    ],
)
def test_words_are_replaced_and_taken_out_whole(caption: str, edits: Edits, after: str) -> None:
    assert edited(caption, edits) == after


@pytest.mark.parametrize(
    ("first", "second", "both"),
    [("a cat", "a mat", "a cat, a mat"), ("A cat.", "A mat.", "A cat. A mat."), ("a cat,", "a mat", "a cat, a mat"),
     ("一只猫。", "一张垫子。", "一只猫。一张垫子。"), ("", "a", "a"), ("a", " ", "a")],
)  # fmt: skip
def test_sentences_follow_each_other_and_tags_are_parted_by_commas(first: str, second: str, both: str) -> None:
    assert joined(first, second) == both


def test_the_trigger_comes_first_and_once() -> None:
    edits = Edits(trigger="zxc")
    assert written("", "a cat", "overwrite", edits).text == "zxc, a cat"
    assert written("mine", "a cat", "append", edits).text == "zxc, mine, a cat"
    assert written("mine, zxc", "a cat", "append", edits).text == "mine, zxc, a cat"


@given(text, text, st.sampled_from(MODES[1:]), st.integers(10, 40))
@example("a", ";", "append", 10)
@example("a", "mat, mat, balls.", "prepend", 10)
@example("A cat.", "mat, red, balls", "append", 30)
@example("\x1f00±\U00010000", "", "append", 10)  # Python strips the first sign, and CLIP counts it
def test_the_guard_never_cuts_what_a_person_wrote(before: str, caption: str, mode: str, limit: int) -> None:
    edits = Edits(token_limit=limit)
    new = edited(caption, edits)
    made = written(before, new, mode, edits)  # type: ignore[arg-type]
    if mode != "overwrite":
        assert before.strip() in made.text
    own = tokens.count(before) if mode != "overwrite" else 0
    assert made.tokens <= max(limit, own + tokens.FRAME)
    if not made.cut and mode == "overwrite":
        assert new.strip(" ,;:，、") in made.text
    if not made.cut and mode != "overwrite":
        assert news(made.text, new, is_list(new)) == ""


def test_a_list_is_cut_at_its_commas_and_a_sentence_not_after_a_small_word() -> None:
    listed = written("", "one, two words, three, four", "overwrite", Edits(token_limit=9))
    assert (listed.text, listed.cut) == ("one, two words, three", "four")
    assert listed.tokens == 8
    sentence = written("", "a red cat sits on the big mat", "overwrite", Edits(token_limit=9))
    assert (sentence.text, sentence.cut) == ("a red cat sits on the big", "mat")
    assert written("", "a red cat sits on the mat", "overwrite", Edits(token_limit=8)).text == "a red cat sits"


@given(text)
def test_tidying_is_done_once(caption: str) -> None:
    assert tidy(tidy(caption)) == tidy(caption)


def test_words_that_a_caption_lacks_are_found_whole() -> None:
    assert lacking("A Category of cats", ("cat", "category", "cats")) == ["cat"]
    assert lacking("一只猫", ("猫", "狗")) == ["狗"]


# Styles


@pytest.mark.parametrize(
    ("said", "as_prompt", "as_tags", "as_alt"),
    [
        ("This image shows a cat sitting on a red mat with a ball.", "a cat sitting on a red mat with a ball",
         "cat sitting, red mat, ball", "A cat sitting on a red mat with a ball."),
        ("a photo of a dog in the snow", "a dog in the snow", "dog, snow", "A dog in the snow."),
        ("The picture is a close-up photo of a blue car. It has two doors. Paris is behind it.",
         "a blue car, it has two doors, Paris is behind it", "blue car, two doors, paris, behind it",
         "A blue car. It has two doors. Paris is behind it."),
        ("cat, mat, red ball, Eiffel Tower", "cat, mat, red ball, Eiffel Tower", "cat, mat, red ball, Eiffel Tower",
         "Cat, mat, red ball, Eiffel Tower."),
        ("a view of the sea", "a view of the sea", "view, sea", "A view of the sea."),
        ("图片中有一只猫坐在垫子上。", "一只猫坐在垫子上", "一只猫坐在垫子上", "一只猫坐在垫子上。"),
        ("这是一张红色汽车的图片", "红色汽车", "红色汽车", "红色汽车。"),
    ],
)  # fmt: skip
def test_styles(said: str, as_prompt: str, as_tags: str, as_alt: str) -> None:
    assert (prompt(said), tags(said), alt(said)) == (as_prompt, as_tags, as_alt)


@given(text, words)
def test_alt_text_keeps_to_its_length_and_is_not_called_an_image(said: str, more: list[str]) -> None:
    assert len(alt(said)) <= ALT_LIMIT
    found = alt("An image of the " + " ".join(more * 4))
    assert len(found) <= ALT_LIMIT
    assert found.startswith("The")


def test_alt_text_is_whole_sentences_where_they_fit_and_whole_words_where_not() -> None:
    assert alt("A cat. " + "It purrs loudly. " * 20).endswith("It purrs loudly.")
    long = alt("a cat with " + "very " * 60 + "long fur")
    assert long.endswith("very.")


@pytest.mark.parametrize("style", ["plain", "prompt", "tags", "alt"])
def test_a_caption_begins_with_the_opening_in_every_style(style: str) -> None:
    request = CaptionRequest(image=b"", style=style, opening="A zxc dog")  # type: ignore[arg-type]
    assert phrased("A zxc dog sitting on a mat.", request).startswith("A zxc dog")


def test_an_answer_to_a_question_is_left_as_it_is() -> None:
    request = CaptionRequest(image=b"", style="tags", prompt="What is it?")
    assert phrased("It is a photo of a cat.", request) == "It is a photo of a cat."


@pytest.mark.parametrize("prompt", ["中文", "请用中文描述。", "in English", "Chinese"])
def test_who_asks_for_a_language_alone_gets_the_style_too(prompt: str) -> None:
    request = CaptionRequest(image=b"", style="tags", prompt=prompt)
    assert phrased("a photo of a red cat and a mat", request) == "red cat, mat"


@pytest.mark.parametrize("prompt", ["", "What is in the English garden?", "Chinese food?"])
def test_a_language_in_a_question_is_no_wish_for_a_language(prompt: str) -> None:
    assert not language_asked(prompt)
