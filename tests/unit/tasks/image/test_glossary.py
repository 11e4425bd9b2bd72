"""A Chinese prompt is read word by word, and what is not known is said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.tasks.image import glossary

STARTER = Path(__file__).resolve().parents[4] / "assets" / "starters" / "image"
TABLE = {"红": "red", "苹果": "apple", "红苹果": "red apple", "一个": "", "的": "", "猫": "cat", "扁平": "flat style"}


def test_the_longest_word_wins() -> None:
    assert glossary.read_prompt("一个红苹果", TABLE).prompt == "red apple"


def test_words_that_carry_nothing_are_left_out() -> None:
    assert glossary.read_prompt("红的猫", TABLE).prompt == "red cat"


def test_chinese_signs_become_plain_ones() -> None:
    assert glossary.read_prompt("红苹果，扁平", TABLE).prompt == "red apple, flat style"


def test_weights_and_english_stay() -> None:
    assert glossary.read_prompt("(红:1.3)猫 sticker", TABLE).prompt == "(red:1.3) cat sticker"


def test_unknown_words_are_named_once() -> None:
    reading = glossary.read_prompt("量子猫和量子猫", TABLE)
    assert reading.prompt == "cat cat"
    assert reading.unknown == ("量子", "和量子")


def test_an_english_prompt_is_not_touched() -> None:
    odd = "a  cat ,( really )"
    assert glossary.read_prompt(odd, TABLE) == glossary.Reading(odd)


def test_without_a_table_nothing_changes() -> None:
    assert glossary.read_prompt("红苹果", {}).prompt == "红苹果"


@given(st.text(alphabet="红苹果一个猫量子 ,，()a1", max_size=60))
def test_no_known_table_word_is_left(prompt: str) -> None:
    assert not set(glossary.read_prompt(prompt, TABLE).prompt) & set("红苹猫")


def test_a_damaged_table_is_no_table(tmp_path: Path) -> None:
    for content in ("[]", "{", '"x"', "nul"):
        (tmp_path / glossary.FILE).write_text(content, encoding="utf-8")
        assert glossary.load_glossary(tmp_path) == {}
    (tmp_path / glossary.FILE).write_text(json.dumps({"猫": "cat", "狗": 3}), encoding="utf-8")
    assert glossary.load_glossary(tmp_path) == {"猫": "cat"}
    assert glossary.load_glossary(tmp_path / "missing") == {}


# Things by the names that a model knows

NAMES = {"gift": "wrapped gift", "wrapped gift": "wrapped gift", "cup of coffee": "hot beverage", "礼物": "gift"}


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        ("gift", "wrapped gift"),
        ("A Gift", "A wrapped gift"),
        ("a blue gift, flat style", "a blue wrapped gift, flat style"),
        ("a wrapped gift", "a wrapped gift"),
        ("A Wrapped Gift", "A Wrapped Gift"),
        ("a cup of coffee , on white", "a hot beverage , on white"),
        ("gift shop", "gift shop"),
        ("flat style, gift", "flat style, gift"),
        ("a (gift:1.2)", "a (gift:1.2)"),
        ("a [gift|cake]", "a [gift|cake]"),
        ("two gifts", "two gifts"),
        ("蓝色的礼物", "wrapped gift"),
        ("", ""),
        ("gift\n", "wrapped gift\n"),
    ],
)
def test_a_thing_is_called_as_the_model_knows_it(prompt: str, read: str) -> None:
    assert glossary.read_prompt(prompt, NAMES).prompt == read


def test_the_starters_names_lead_to_what_it_knows() -> None:
    table = glossary.load_glossary(STARTER)
    english = {word: known for word, known in table.items() if not glossary.chinese(word)}
    assert len(english) > 1000
    for word, known in english.items():
        assert glossary.read_prompt(known, table).prompt == known, word  # read once is enough
    for word, known in (("gift", "wrapped gift"), ("coffee", "hot beverage"), ("cake", "birthday cake")):
        assert glossary.read_prompt(word, table).prompt == known
    for word in ("rocket", "ice cream", "hot dog", "cat face", "red apple", "cat"):
        assert glossary.read_prompt(word, table).prompt == word
