"""Chat templates: a conversation as its model was taught to read it, whoever wrote the template.

Templates of GGUF files and of folders are the same Jinja programs of strangers, so they run in Jinja's sandbox. What a
person typed is marked first where it looks like a special token, so that it stays text.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from studio.tasks.code.completion import STOPS

Turn = dict[str, str]
Render = Callable[[list[Turn]], str]
LONGEST, PATIENCE = 50_000_000, 15.0
"""Characters that a template may write, and seconds that it may take: a stranger's may loop for ever."""
PLAIN_STOPS = ("\nUser:", "\nAssistant:", "\nSystem:")
"""Where a model without a template begins to write the person's part as well."""
_SEPARATORS = "\ue0f1\ue0f2\ue0f3\ue0f4\uf8d1\uf8d2"
_THINKING = ("<think>", "</think>")


class Refused(Exception):
    """No way of writing the conversation suits the template."""


class Endless(Refused):
    """The template goes on for ever, or nearly: other ways of writing the conversation would take as long."""


def written(render: Render | None, system: str, turns: Sequence[Turn]) -> str:
    """The conversation as one text that ends where the answer begins.

    Tried as it is first. A template that refuses it, or swallows the system prompt, gets what nearly all take: turns
    that alternate, beginning with the person's, and the system prompt in front of the first of them.

    Args:
        render: the template; None for plain lines, ``User: ...`` and ``Assistant: ...``.

    Raises:
        Refused: the template takes none of it.
    """
    if render is None:
        names = {"user": "User", "assistant": "Assistant"}
        lines = [f"{names[turn['role']]}: {turn['content']}" for turn in turns]
        return "\n".join([*([system, ""] if system else []), *lines, "Assistant:"])
    opening = [{"role": "system", "content": system}] if system else []
    merged = _alternating(turns)
    reason = "it writes nothing"
    for tried in ([*opening, *turns], [*opening, *merged], _folded(system, turns), _folded(system, merged)):
        try:
            text = render(tried)
        except Endless:
            raise
        except Exception as error:
            reason = str(error)
            continue
        if system.strip() in text or tried[0]["role"] == "user":
            return text
    raise Refused(reason)


def _alternating(turns: Sequence[Turn]) -> list[Turn]:
    """Neighbours of one role as one turn, from the first question on."""
    merged: list[Turn] = []
    for turn in turns:
        if merged and merged[-1]["role"] == turn["role"]:
            merged[-1] = {"role": turn["role"], "content": f"{merged[-1]['content']}\n\n{turn['content']}".strip()}
        elif merged or turn["role"] == "user":
            merged.append(dict(turn))
    return merged


def _folded(system: str, turns: Sequence[Turn]) -> list[Turn]:
    first = {
        "role": turns[0]["role"],
        "content": f"{system}\n\n{turns[0]['content']}" if system else turns[0]["content"],
    }
    return [first, *turns[1:]]


def guarded(texts: Iterable[str], special: Iterable[str]) -> tuple[list[str], str]:
    """`texts` with a separator inside of everything that looks like a special token, and the separator.

    Split the written conversation at it and turn each part into tokens alone: none of them holds such a token any
    more. The separator is a character that stands in none of the texts.
    """
    texts = list(texts)
    separator = next((sign for sign in _SEPARATORS if not any(sign in text for text in texts)), _SEPARATORS[0])
    marks = sorted({mark for mark in (*special, *STOPS) if len(mark) > 1} - {*_THINKING}, key=len, reverse=True)
    text = "\n".join(texts)
    present = [mark for mark in marks if mark in text]
    if not present:
        return texts, separator
    pattern = re.compile("|".join(map(re.escape, present)))
    return [pattern.sub(lambda found: found[0][0] + separator + found[0][1:], text) for text in texts], separator


@lru_cache(maxsize=4)
def compiled(source: str) -> Callable[..., str]:
    """The template as a function of its variables.

    Raises:
        Refused: it is no Jinja.
    """
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension, loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """{% generation %} marks what a trainer learns from; here it only holds its text."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> Any:
            line = next(parser.stream).lineno
            return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True), lineno=line)

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols, Generation], autoescape=False
    )
    environment.filters["tojson"] = lambda value, **how: json.dumps(
        value, ensure_ascii=False, **{key: how[key] for key in ("indent", "separators", "sort_keys") if key in how}
    )
    environment.globals["raise_exception"] = refuse
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    try:
        template = environment.from_string(source)
    except (TemplateError, RecursionError) as error:
        raise Refused(str(error)) from None

    def render(**variables: Any) -> str:
        written, count, until = list[str](), 0, time.monotonic() + PATIENCE
        for part in template.generate(**variables):
            written.append(part)
            count += len(part)
            if count > LONGEST or time.monotonic() > until:
                raise Endless("it does not come to an end")
        return "".join(written)

    return render


def renderer(source: str, bos: str, eos: str, options: Mapping[str, Any]) -> Render:
    """A chat template as `written` takes it.

    Raises:
        Refused: it is no Jinja.
    """
    run = compiled(source)

    def render(turns: list[Turn]) -> str:
        return run(messages=turns, add_generation_prompt=True, bos_token=bos, eos_token=eos, tools=None, **options)

    return render
