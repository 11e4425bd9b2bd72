"""Chat templates are programs of strangers: they run in a sandbox, and none runs for ever."""

from __future__ import annotations

import pytest

from studio.engines.text import chat_templates

ASKED = [{"role": "user", "content": "hi"}]


def written(source: str) -> str:
    return chat_templates.written(chat_templates.renderer(source, "<s>", "</s>", {}), "", ASKED)


@pytest.mark.parametrize("bound", ["LONGEST", "PATIENCE"])
def test_a_template_without_an_end_is_refused_once_and_soon(monkeypatch: pytest.MonkeyPatch, bound: str) -> None:
    monkeypatch.setattr(chat_templates, bound, 0.05 if bound == "PATIENCE" else 1000)
    with pytest.raises(chat_templates.Endless):
        written("{% for i in range(99999) %}{% for j in range(99999) %}{{ j }}{% endfor %}{% endfor %}")


def test_a_macro_that_calls_itself_and_a_way_out_of_the_sandbox_are_refused() -> None:
    for source in (
        "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{% if %}{{{",
    ):
        with pytest.raises(chat_templates.Refused):
            written(source)


def test_a_template_that_ends_is_written() -> None:
    assert written("{{ bos_token }}{% for m in messages %}[{{ m.role }}]{{ m.content }}{% endfor %}") == "<s>[user]hi"
