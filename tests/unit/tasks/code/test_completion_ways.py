"""A suggestion keeps to the ways of its file: line ends, tabs, the rest of the line, and no prose."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from studio.tasks.code.completion import CompletionCleaner, fim_family, left_to_right


def insert(prefix: str, answer: str, suffix: str = "", **how) -> str:
    """What is put in, however the answer comes in pieces; checked to be the same both ways."""
    space = left_to_right(prefix)[1]
    whole = CompletionCleaner(suffix, (), prefix, space, **how)
    text = whole.feed(answer) + whole.finish()
    cleaner = CompletionCleaner(suffix, (), prefix, space, **how)
    assert "".join(map(cleaner.feed, answer)) + cleaner.finish() == text
    return text


@pytest.mark.parametrize("prefix", ["def is_prime(n):\r\n    ", "def is_prime(n):\r\n    x = 1\r\n    "])
def test_a_file_with_windows_line_ends_gets_them_and_no_blank_line(prefix: str) -> None:
    text = insert(prefix, "\n    if n < 2:\n        return False\n    return True\n\nprint(1)")
    assert text == "if n < 2:\r\n        return False\r\n    return True"
    assert insert(prefix, "\r\n    if n < 2:\r\n        return False\r\n") == "if n < 2:\r\n        return False"
    assert insert("x = 1", "\ny = 2", "\r\nz = 3") == "\r\ny = 2"


@pytest.mark.parametrize("unit", ["\t", "    ", "  "])
def test_an_indentation_by_tabs_stays_one(unit: str) -> None:
    answer = f"\n{unit}if not numbers:\n{unit}{unit}return 0\n{unit}return 1\n\nprint(2)"
    assert insert("def mean(numbers):\n\t", answer) == "if not numbers:\n\t\treturn 0\n\treturn 1"
    method = answer.removesuffix("\n\nprint(2)").replace("\n", f"\n{unit}")
    assert insert("\tdef mean(self):\n\t\t", method) == ("if not numbers:\n\t\t\treturn 0\n\t\treturn 1")
    assert insert("all: x\n\t", f"\n{unit}cc -o x x.c\n{unit}strip x\n") == "cc -o x x.c\n\tstrip x"


def test_an_indentation_by_spaces_stays_one() -> None:
    assert insert("if a:\n  b()\nif c:\n", "\n\tif d:\n\t\te()\n") == "  if d:\n    e()\n"


@pytest.mark.parametrize(
    "said",
    [
        "This code defines a function called f and calls it.",
        "The function returns the sum of the two numbers.",
        "In this example, we use a list to hold the names.",
        "Output:",
        "Explanation: it adds",
        "Note that `f` is called twice",
        "**How it works**",
    ],
)
def test_prose_is_no_code(said: str) -> None:
    prefix = 'def f():\n    return 1\n\n\nif __name__ == "__main__":\n    f()\n'
    assert insert(prefix, said) == ""
    assert insert("beta = alpha + ", f"1\n\n{said}\nMore of it.") == "1"
    assert insert("/* A table.\n", "Rows are sorted by name.\n") == "Rows are sorted by name.\n"
    assert said in insert("", said, language="markdown")


@pytest.mark.parametrize(
    "code", ["Point = namedtuple('Point', 'x y')", "Set<String> names;", "Foo::bar()", "SELECT name FROM users", "True"]
)
def test_code_that_begins_with_a_capital_stays(code: str) -> None:
    assert insert("import os\n", code) == code


@pytest.mark.parametrize(
    ("before", "answer", "behind", "text"),
    [
        (
            '    message = "Hello, " + na',
            'me + "!"\n    return message\n\ngreet("x")',
            ' + "!"\n    return message\n',
            "me",
        ),
        ("total = price", " * count + tax\nprint(total)", " + tax\n", " * count"),
        ("if x", " > 0:\n    go()", ":\n    pass\n", " > 0"),
        ("print(", "x)\nprint(y)", ")\n", "x"),
        ("value = ", "compute(1)\nother = 2", "  # a remark\n", "compute(1)"),
    ],
)
def test_within_a_line_only_that_line_is_written(before: str, answer: str, behind: str, text: str) -> None:
    assert insert(before, answer, behind, ahead=True) == text


@pytest.mark.parametrize(
    ("tokens", "name", "prompt"),
    [
        ("<[fim-prefix]> <[fim-suffix]> <[fim-middle]>", "seed", "<[fim-suffix]>S<[fim-prefix]>P<[fim-middle]>"),
        ("<|code_prefix|> <|code_suffix|> <|code_middle|>", "glm", "<|code_suffix|>S<|code_prefix|>P<|code_middle|>"),
        ("<PRE> <SUF> <MID>", "codellama-plain", "<PRE>P<SUF>S<MID>"),
        ("<fim_prefix> <fim_suffix> <fim_middle>", "starcoder", "<fim_prefix>P<fim_suffix>S<fim_middle>"),
        ("<fim_prefix> <fim_suffix> <fim_middle> <|im_start|>", "mellum", "<fim_suffix>S<fim_prefix>P<fim_middle>"),
    ],
)
def test_families_are_told_apart_and_asked_in_their_own_order(tokens: str, name: str, prompt: str) -> None:
    family = fim_family(set(tokens.split()).__contains__)
    assert family is not None
    assert (family.name, family.prompt("P", "S")) == (name, prompt)


def test_a_family_can_be_named_where_its_tokens_tell_another() -> None:
    tokens = {"<fim_prefix>", "<fim_suffix>", "<fim_middle>"}
    named = fim_family(tokens.__contains__, "mellum")
    assert named is not None
    assert named.suffix_first
    assert fim_family(tokens.__contains__, "qwen") is None


PIECES = ["\r\n", "\n", "\t", "    ", " ", "x = 1", "This is a", " list of names.", "Output", ":", "`", "**", "in it"]


@given(
    st.lists(st.sampled_from(PIECES)),
    st.sampled_from(["def f():\r\n    ", "def f():\n\t", "x = 1\n", "if a:\n  b\n"]),
    st.sampled_from(["", "\r\ny", " + z\n"]),
    st.booleans(),
)
@example(["Output", ":", "x = 1", "\r\n"], "x = 1\n", "", False)
@example(["Output", ":", " ", "x = 1"], "x = 1\n", "", False)
@example(["This is a", " `", "x = 1", "` ", "in it"], "x = 1\n", "", False)
def test_the_pieces_of_an_answer_make_no_difference(pieces: list[str], prefix: str, suffix: str, ahead: bool) -> None:
    insert(prefix, "".join(pieces), suffix, ahead=ahead)
