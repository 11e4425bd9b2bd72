"""Answers in a form: which schemas are taken, and which answers fit."""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from studio.errors import StudioError
from studio.tasks.chat import structured

FOX: dict[str, Any] = {
    "type": "object", "properties": {"name": {"type": "string"}, "legs": {"type": "integer"}}, "required": ["name"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ('{"name": "fox", "legs": 4}', ""),
        ('<think>\nhm\n</think>\n\n{"name": "fox"}', ""),
        ('```json\n{"name": "fox"}\n```', ""),
        ('{"legs": 4}', "$: 'name' is a required property"),
        ('{"name": "fox", "legs": "four"}', "$.legs: 'four' is not of type 'integer'"),
        ("The fox has four legs.", "not JSON"),
        ('{"name": "fox"', "not JSON"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_an_answer_fits_or_it_is_said_why_not(answer: str, wrong: str) -> None:
    assert structured.problem(answer, json.dumps(FOX)) == wrong


@pytest.mark.parametrize(
    "schema",
    [
        "{",
        "[]",
        "3",
        '{"type": "fox"}',
        '{"$ref": "https://example.org/schema"}',
        '{"a": [{"$ref": "x.json"}]}',
        "{" * 9000,
    ],
)
def test_what_is_no_schema_is_refused_and_nothing_is_fetched(schema: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: pytest.fail("it was fetched"))
    with pytest.raises(StudioError) as caught:
        structured.check(schema, public=False)
    assert caught.value.code == "bad_schema"


def test_a_stranger_brings_no_regular_expressions() -> None:
    schema = json.dumps({"properties": {"a": {"pattern": "(a+)+$"}}})
    structured.check(schema, public=False)
    with pytest.raises(StudioError):
        structured.check(schema, public=True)


def test_a_schema_may_refer_to_itself() -> None:
    schema = json.dumps({"$defs": {"leg": {"type": "integer"}}, "type": "array", "items": {"$ref": "#/$defs/leg"}})
    structured.check(schema, public=True)
    assert structured.problem("[1, 2]", schema) == ""
    assert structured.problem('["x"]', schema).startswith("$[0]")
