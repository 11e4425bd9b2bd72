"""Chat templates are programs of strangers: they run in a sandbox, and none runs for ever."""

from __future__ import annotations

import pytest

from studio.engines import _templates

ASKED = [{"role": "user", "content": "hi"}]


def written(source: str) -> str:
    return _templates.written(_templates.renderer(source, "<s>", "</s>", {}), "", ASKED)


@pytest.mark.parametrize("bound", ["LONGEST", "PATIENCE"])
def test_a_template_without_an_end_is_refused_once_and_soon(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(_templates, bound, 0.05 if bound == "PATIENCE" else 1000)
    with pytest.raises(_templates.Endless):
        written("{% for i in range(99999) %}{% for j in range(99999) %}{{ j }}{% endfor %}{% endfor %}")


def test_a_macro_that_calls_itself_and_a_way_out_of_the_sandbox_are_refused() -> None:
    for source in (
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{% if %}{{{",
    ):
        with pytest.raises(_templates.Refused):
            written(source)


def test_a_template_that_ends_is_written() -> None:
    assert written("{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}") == "<s>[user]hi"
