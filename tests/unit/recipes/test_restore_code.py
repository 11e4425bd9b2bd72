"""A recipe of code gives its request back; other files come from who has them, or are named as missing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tiny_card import tiny_card

from studio.catalog.card import Source
from studio.recipes import recipe
from studio.recipes.restore_code import code_request
from studio.request_parts import CodeFile
from studio.requests import CodeRequest

ASKED = CodeRequest(
    prefix="def f(", suffix=")\r\n", model="m", language="python", path="a/b.py", fill_in_middle=False, count=3,
    files=(CodeFile("c.py", "C = 'é'\n"), CodeFile("d.py", "D")), max_tokens=9, temperature=0.5, top_p=0.9, seed=7,
)  # fmt: skip

CARD = tiny_card(Source("package", package="x", version="1"), 1, id="m")


def written(request: CodeRequest) -> dict[str, Any]:
    """The recipe as it is read from a file."""
    made = recipe.from_json(json.dumps(recipe.make_recipe(request, CARD)))
    assert made is not None
    return made


def test_the_request_comes_back_with_the_files_that_are_as_they_were() -> None:
    texts = {"c.py": "C = 'é'\n", "d.py": "changed"}
    found = code_request(written(ASKED), texts.get)
    assert found is not None
    request, missing = found
    assert missing == ("d.py",)
    assert request.files == (ASKED.files[0],)
    whole = code_request(written(ASKED), {**texts, "d.py": "D"}.get)
    assert whole == (ASKED, ())


def test_the_text_of_other_files_is_not_in_the_recipe() -> None:
    assert "C = " not in json.dumps(written(ASKED), ensure_ascii=False)


def test_other_recipes_are_none_of_code() -> None:
    assert code_request({**written(ASKED), "task": "chat"}) is None
    assert code_request({**written(ASKED), "parameters": {"suffix": "x"}}) is None


_ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "sha256", "x"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(st.fixed_dictionaries(dict.fromkeys(written(ASKED)["parameters"], _ANY)))
def test_strangers_values_never_raise(parameters: dict[str, Any]) -> None:
    found = code_request({**written(ASKED), "parameters": parameters}, lambda _: "x")
    assert found is None or isinstance(found[0].prefix, str)
