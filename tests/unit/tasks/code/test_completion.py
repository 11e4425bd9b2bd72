"""Fill-in-the-middle templates, and what of a model's answer is code to insert."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.tasks.code.completion import FAMILIES, STOPS, CompletionCleaner, fim_family, left_to_right, overlap


def clean(answer: str, suffix: str = "", prefix: str = "", stops: tuple[str, ...] = ()) -> str:
    cleaner = CompletionCleaner(suffix, stops, prefix)
    return cleaner.feed(answer) + cleaner.finish()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)
def test_a_family_is_known_by_its_own_tokens_alone(family):
    assert fim_family(set(family.tokens).__contains__) is family
    assert fim_family(set(family.tokens[1:]).__contains__) is None


@pytest.mark.parametrize(
    ("name", "prompt"),
    [
        ("qwen", "<|fim_prefix|>P<|fim_suffix|>S<|fim_middle|>"),
        ("starcoder", "<fim_prefix>P<fim_suffix>S<fim_middle>"),
        ("codellama", "▁<PRE>P▁<SUF>S▁<MID>"),
        ("deepseek", "<｜fim▁begin｜>P<｜fim▁hole｜>S<｜fim▁end｜>"),
        ("codestral", "[SUFFIX]S[PREFIX]P"),
    ],
)
def test_prompts_are_written_as_the_models_were_trained(name, prompt):
    family = next(family for family in FAMILIES if family.name == name)
    assert family.prompt("P", "S") == prompt


def test_user_text_is_kept_apart_from_special_tokens():
    pieces = FAMILIES[0].pieces("<|fim_middle|>", "s")
    assert (False, "<|fim_middle|>") in pieces


def test_the_answer_ends_at_a_stop_string_even_when_it_arrives_in_pieces():
    cleaner = CompletionCleaner("", ("<|fim_pad|>",))
    shown = "".join(map(cleaner.feed, ["x = 1", "<|fi", "m_p", "ad|>", " junk"]))
    assert shown + cleaner.finish() == "x = 1"
    assert cleaner.ended


def test_what_only_looked_like_a_stop_string_is_shown():
    assert clean("a <|b", stops=("<|fim_pad|>",)) == "a <|b"


@pytest.mark.parametrize("stop", STOPS)
def test_marks_that_end_a_document_never_show(stop):
    assert clean(f"x{stop}y") == "x"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("```python\nx = 1\n```\nThis sets x.", "x = 1"),
        ("```\nx = 1\n", "x = 1\n"),
        ("Sure, here you go:\n```py\nx = 1\n```", "x = 1"),
        ("Here is the code:\n\n```\nx = 1\n```\n", "x = 1"),
        ("x = 1\n```\n\nThis sets x.", "x = 1"),
        ("here = 1\n", "here = 1\n"),
    ],
)
def test_fences_and_the_prose_around_them_are_taken_off(answer, code):
    assert clean(answer, prefix="import os\n") == code


def test_fences_stay_in_a_markdown_file():
    assert clean("\n```\ntext", prefix="# Use\n```sh\nls") == "\n```\ntext"


def test_it_ends_where_python_returns_to_the_margin():
    prefix = "def add(a, b):\n    "
    assert clean("return a + b\n\nprint(add(1, 2))\n", prefix=prefix) == "return a + b"
    assert clean("return a + b\n\n\ndef sub(a, b):\n    pass", prefix=prefix) == "return a + b"


def test_it_ends_before_the_next_method():
    prefix = "class A:\n    def one(self):\n        "
    assert clean("return 1\n\n    def two(self):\n        return 2\n", prefix=prefix) == "return 1"


def test_a_completion_at_the_margin_is_one_definition():
    answer = "def a():\n    return 1\n\n\ndef b():\n    return 2\n"
    assert clean(answer, prefix="import os\n\n\n") == "def a():\n    return 1"


def test_branches_and_closing_brackets_at_the_margin_do_not_end_a_block():
    answer = "    go()\nelse:\n    stay()\n"
    assert clean(answer, prefix="if x:\n") == answer
    answer = "  go();\n}\n"
    assert clean(answer, prefix="function f() {\n") == answer


def test_text_at_the_margin_inside_a_string_does_not_end_a_block():
    answer = '    """One\ntwo\n    """\n    return 1\n'
    assert clean(answer, prefix="def f():\n") == answer


def test_arguments_at_the_margin_do_not_end_a_block():
    answer = "call(\n1,\n2)\n    return 1"
    assert clean(answer, prefix="def f():\n    ") == answer


@pytest.mark.parametrize(
    ("prefix", "answer", "suffix", "code"),
    [
        ("print(", "x)", ")\n", "x"),
        ("print(", "f(x)", ")\n", "f(x)"),
        ('print("', 'hi")', '")\n', "hi"),
        ("if ", "x > 0:", ":\n    pass", "x > 0"),
        ("def f():\n    ", "x = 1\n    return x", "\n    return x\n", "x = 1"),
        ("def f():\n    ", "x = 1\n    return x\n", "\n    return x\n", "x = 1"),
        ("def f():\n    ", "x = 1\n    y = 2\n    return x\n    z", "\n    y = 2\n    return x\n", "x = 1"),
        ("def f():\n    ", "x = 1\n", "\n    return x\n", "x = 1"),
        ("a = ", "x + y", "y = 2", "x + y"),
        ("f(function() {\n  ", "go();\n});", "\n});\n", "go();"),
    ],
)
def test_an_end_that_repeats_the_text_behind_the_cursor_is_dropped(prefix, answer, suffix, code):
    assert clean(answer, suffix, prefix) == code


def test_a_line_that_occurs_in_the_suffix_too_but_goes_on_otherwise_is_kept():
    answer = "if a:\n        return 1\n    if b:\n        return 2\n"
    suffix = "\n    if b:\n        return 3\n"
    assert clean(answer, suffix, "def f(a, b):\n    ") == answer.rstrip("\n")


@given(
    pieces=st.lists(
        st.sampled_from(
            (
                *("}", "(", ")", "`", "<", "#", "x", "é", "  ", "    ", "\n", "```", '"""', "python", "return"),
                *("def f():\n", "    return x", "else:\n", "x = 1\n", "Sure, ", "Here is", "<|im_", "end|>"),
            )
        ),
        max_size=30,
    ),
    prefix=st.sampled_from(["", "x = 1\n", "def g():\n    ", "print(", "# A\n```sh\n", '"""']),
    suffix=st.sampled_from(["", ")\n", "\n    return x\n", "\n    return x\nx = 1\n", "    x", "}\n", "\n\n"]),
)
def test_the_result_does_not_depend_on_how_the_answer_was_cut(pieces, prefix, suffix):
    space = left_to_right(prefix)[1]
    cleaner, whole = CompletionCleaner(suffix, (), prefix, space), CompletionCleaner(suffix, (), prefix, space)
    shown = "".join(cleaner.feed(character) for piece in pieces for character in piece) + cleaner.finish()
    assert shown == whole.feed("".join(pieces)) + whole.finish()


@pytest.mark.parametrize(
    ("prefix", "answer", "code"),
    [
        ("def f():\n    ", "\n    return 1", "return 1"),
        ("def f():\n    ", "\n  return 1", "return 1"),
        ("def f():\n    ", " return 1", "return 1"),
        ("def f():\n", "\n    return 1", "    return 1"),
        ("import os\n\n", "\nx = 1", "x = 1"),
        ("x = ", " 1", "1"),
        ("x =", " 1", " 1"),
        ("  ", "x", "x"),
    ],
)
def test_white_space_before_the_cursor_is_not_written_twice(prefix, answer, code):
    prompt, space = left_to_right(prefix)
    assert prompt + space == prefix
    cleaner = CompletionCleaner("", (), prefix, space)
    assert "".join(map(cleaner.feed, answer)) + cleaner.finish() == code


def test_a_prompt_never_ends_in_white_space_unless_it_is_nothing_else():
    assert left_to_right("def f():\n    ") == ("def f():", "\n    ")
    assert left_to_right("\n  ") == ("\n  ", "")


def test_text_streams_before_the_answer_is_complete():
    cleaner = CompletionCleaner("")
    assert cleaner.feed("value = compute") == "value = compute"


def test_overlap_is_the_longest_end_that_begins_the_marker():
    assert overlap("abcab", "abd") == 2
    assert overlap("abc", "x") == 0
