"""How a language model writes, as its script asks for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from starlette.responses import Response

from studio.errors import StudioError
from studio.lab import writes
from studio.lab.writes import Beam, Bent, Step
from studio.results import Token
from studio.service import Studio
from tabs.lab.asked import Asked, looker
from tabs.lab.told import told
from tabs.shared.asker import Asker

NAME, TASK = "writes", "chat"
SHOWN = writes.SHOWN
_IDS = 2**31 - 1


def ahead(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """What may come next. Raises StudioError: bad_message, and as `studio.lab.writes.ahead`."""
    text, taken, model = _asked(Asked(message))
    found = writes.ahead(studio.lab, text, taken, model, looker(asker))
    if found is None:
        return None
    return told(
        {
            "model": found.model,
            "vocabulary": found.vocabulary,
            "warms_first": found.warms_first,
            "text": [_token(token, found.ends) for token in found.text],
            "next": [_token(token, found.ends) for token in found.next.tokens],
            "logprobs": [round(one, 6) for one in found.next.logprobs],
            "rest": found.next.rest,
        }
    )


def write(studio: Studio, message: Any, asker: Asker) -> Response | None:
    """One of the three ways to the end. Raises StudioError as `ahead`."""
    asked = Asked(message)
    text, taken, model = _asked(asked)
    way = next((one for one in get_args(writes.Way) if one == asked.text("way", 10)), None)
    if way is None:
        raise StudioError("bad_message")
    how = Bent(
        asked.number("temperature", 0.05, 2, 1.0),
        asked.whole("top_k", 0, writes.LIKELIEST, 0),
        asked.number("top_p", 0.01, 1, 1.0),
        asked.number("min_p", 0, 1, 0.0),
    )
    seed = asked.whole("seed", 0, 2**32 - 1, 0)
    found = writes.write(studio.lab, way, text, taken, model, how, seed, looker(asker))
    if found is None:
        return None
    return told(
        {
            "steps": _steps(found.steps, found.ends),
            "levels": [[_beam(beam, found.ends) for beam in level] for level in found.levels],
            "beams": [_beam(beam, found.ends) for beam in found.beams],
        }
    )


ANSWERS: Mapping[str, Callable[[Studio, Any, Asker], Response | None]] = {"ahead": ahead, "write": write}


def _asked(asked: Asked) -> tuple[str, list[int], str]:
    text = asked.text("text", writes.MOST_CHARACTERS)
    if not text:
        raise StudioError("bad_message")
    return text, asked.wholes("taken", _IDS, writes.MOST_TAKEN), asked.text("model", 200)


def _token(token: Token, ends: frozenset[int]) -> dict[str, Any]:
    """A token for the page: its bytes as numbers too where they are a part of a character."""
    try:
        shown = {"text": token.data.decode()}
    except UnicodeDecodeError:
        shown = {"text": "", "bytes": list(token.data)}
    return {"id": token.id, **shown, **({"end": True} if token.id in ends else {})}


def _steps(steps: Sequence[Step], ends: frozenset[int]) -> list[dict[str, Any]]:
    return [{**_token(step.token, ends), "logprob": round(step.logprob, 6)} for step in steps]


def _beam(beam: Beam, ends: frozenset[int]) -> dict[str, Any]:
    return {"steps": _steps(beam.steps, ends), "logprob": round(beam.logprob, 6), "score": round(beam.score, 6)}
