"""Answers in a form: a JSON schema, and whether an answer is what it asks for.

Nothing is fetched for a schema: one that refers to another address is refused.
"""

from __future__ import annotations

import json
import re
from typing import Any

from studio.errors import StudioError
from studio.tasks.bounds import Letters
from studio.tasks.chat import thoughts

SCHEMA = Letters(20_000, 8_000)
_FENCE = re.compile(r"\A```(?:json)?\s*\n(.*?)\n?```\s*\Z", re.DOTALL)
_PATTERNS = ("pattern", "patternProperties")
"""Regular expressions; a stranger's may take for ever."""


def check(schema: str, public: bool) -> None:
    """Raises StudioError bad_schema where it is none."""
    if schema:
        found = _parsed(schema)
        if public and _has(found, _PATTERNS):
            raise StudioError("bad_schema", reason="pattern")


def told(system: str, schema: str) -> str:
    """A system prompt with what a model is told of a schema; as it is without one."""
    if not schema:
        return system
    said = f"Answer with JSON alone, nothing before and nothing after it, that fits this JSON schema:\n{schema}"
    return "\n\n".join(filter(None, (system, said)))


def value(schema: str) -> Any:
    """The schema itself. Raises StudioError as `check`."""
    return _parsed(schema)


def problem(answer: str, schema: str) -> str:
    """What is wrong with an answer, in a line; nothing where it is what the schema asks for."""
    import jsonschema
    from jsonschema.validators import validator_for
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    said = thoughts.split(answer)[1].strip()
    said = fenced[1] if (fenced := _FENCE.match(said)) else said
    try:
        found = json.loads(said)
    except (ValueError, RecursionError):
        return "not JSON"
    shape = _parsed(schema)
    try:
        validator_for(shape)(shape, registry=Registry()).validate(found)
    except jsonschema.ValidationError as error:
        return f"{error.json_path}: {error.message}"[:300]
    except (Unresolvable, RecursionError) as error:
        return str(error)[:300]
    return ""


def _parsed(schema: str) -> Any:
    import jsonschema
    from jsonschema.validators import validator_for

    try:
        found = json.loads(schema)
        if not isinstance(found, dict):
            raise StudioError("bad_schema", reason="not an object")
        validator_for(found).check_schema(found)
    except (ValueError, RecursionError):
        raise StudioError("bad_schema", reason="not JSON") from None
    except jsonschema.SchemaError as error:
        raise StudioError("bad_schema", reason=f"{error.json_path}: {error.message}"[:300]) from None
    if any(not str(one).startswith("#") for one in _references(found)):
        raise StudioError("bad_schema", reason="$ref")
    return found


def _references(found: Any) -> list[Any]:
    if isinstance(found, dict):
        own = [found["$ref"]] if "$ref" in found else []
        return own + [one for inner in found.values() for one in _references(inner)]
    return [one for inner in found for one in _references(inner)] if isinstance(found, list) else []


def _has(found: Any, names: tuple[str, ...]) -> bool:
    if isinstance(found, dict):
        return any(name in found for name in names) or any(_has(inner, names) for inner in found.values())
    return isinstance(found, list) and any(_has(inner, names) for inner in found)
