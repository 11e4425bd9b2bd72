"""Chain, as its file says it: steps with slots, checked whole before anything runs.

    format = "atelier-chain/1"
    title = "Postcards"                      # or { en = "Postcards", zh-CN = "明信片" }
    about = "Caption a picture, paint it anew, compose for it."

    [slots]                                  # texts that a person may set for a run; "" has to be set
    style = "watercolour"                    # or { text = "watercolour", title = { en = "Style", zh-CN = "风格" } }

    [[step]]
    name = "words"                           # later steps call its result {words}
    task = "caption"                         # chat, image, music, code, caption or upscale
    image = "{input}"

    [[step]]
    task = "image"                           # without a name it is called by its task
    prompt = "{words}, in the style of {style}"

A step's other fields are those of its request (studio.requests); a chat has `prompt` and `pictures`. `{input}` is what
the chain is run on, `{name}` what that is called, `{number}` its place. What is wrong is one error with file, step
and field.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from studio.chains.fields import GIVES, NOTES, Field, Kind, fields_of
from studio.errors import StudioError
from studio.requests import TASKS, Task

FORMAT = "atelier-chain/1"
MAX_BYTES = 100_000
MAX_STEPS = 20
MAX_SLOTS = 20
INPUT, NAME, NUMBER = "input", "name", "number"
BUILT_IN = (INPUT, NAME, NUMBER)
_TOP = ("format", "title", "about", "slots", "step")
_WORD = re.compile(r"[^\W\d][\w-]{0,39}")
SLOT = re.compile(r"(?<!\\)\{([^\W\d][\w-]{0,39})\}")


@dataclass(frozen=True, slots=True)
class Step:
    """One step: its task, and its fields as the file has them, slots unfilled."""

    name: str
    task: Task
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Chain:
    """A whole chain.

    Attributes:
        file: what its file is called, for errors.
        titles, abouts: language -> text; "" for a text in no language.
        slots: what a person may set -> what it is otherwise. called: slot -> language -> what the page calls it.
        takes: what its inputs have to be; None where any line or file does.
    """

    file: str
    titles: Mapping[str, str]
    abouts: Mapping[str, str]
    slots: Mapping[str, str]
    called: Mapping[str, Mapping[str, str]]
    steps: tuple[Step, ...]
    takes: Kind | None

    def title(self, language: str = "en") -> str:
        return _spoken(self.titles, language) or self.file.removesuffix(".toml")

    def slot(self, name: str, language: str = "en") -> str:
        """What a slot is called for people."""
        return _spoken(self.called.get(name, {}), language) or name

    def about(self, language: str = "en") -> str:
        return _spoken(self.abouts, language)


def read_chain(data: bytes, file: str) -> Chain:
    """The chain in a file.

    Raises:
        StudioError: chain_unreadable, chain_format, chain_field, chain_value, chain_slot, chain_kind, chain_task,
            chain_steps, chain_twice.
    """
    if len(data) > MAX_BYTES:
        raise StudioError("chain_unreadable", file=file, reason=f"> {MAX_BYTES // 1000} kB")
    try:
        table = tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"))
    except (ValueError, RecursionError) as error:
        reason = "UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)[:200]
        raise StudioError("chain_unreadable", file=file, reason=reason) from None
    said = table.get("format")
    if said != FORMAT:
        raise StudioError("chain_format", file=file, found=str(said or "–")[:40], format=FORMAT)
    for key in table:
        _require(file, "–", key, _TOP)
    told = table.get("step", [])
    slots, called = _slots(file, table.get("slots", {}))
    if not isinstance(told, list) or not 1 <= len(told) <= MAX_STEPS or not all(isinstance(one, dict) for one in told):
        raise StudioError("chain_steps", file=file, most=MAX_STEPS)
    kinds: dict[str, Kind | None] = {INPUT: None, NAME: "text", NUMBER: "text", **dict.fromkeys(slots, "text")}
    steps: list[Step] = []
    for number, one in enumerate(told, 1):
        step = _step(file, number, one, kinds)
        _check(file, step, kinds)
        kinds[step.name] = GIVES[step.task]
        steps.append(step)
    titles, abouts = _texts(file, table, "title"), _texts(file, table, "about")
    return Chain(file, titles, abouts, slots, called, tuple(steps), kinds[INPUT])


def slots_in(value: Any) -> Iterator[str]:
    """Every slot in a value, as deep as it goes."""
    if isinstance(value, str):
        yield from SLOT.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from slots_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from slots_in(inner)


def _slots(file: str, table: object) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """The slots with their texts, and what those are called that say so."""
    if not isinstance(table, dict) or len(table) > MAX_SLOTS:
        raise StudioError("chain_value", file=file, step="–", field="slots", wanted="chain.wanted.table")
    slots: dict[str, str] = {}
    called: dict[str, dict[str, str]] = {}
    for name, value in table.items():
        if not _WORD.fullmatch(name) or name in BUILT_IN:
            raise StudioError("chain_twice", file=file, name=name[:40])
        given = value if isinstance(value, dict) else {"text": value}
        for key in given:
            _require(file, "slots", key, ("text", "title"), f"{name}.")
        called[name], words = _texts(file, given, "title"), given.get("text", "")
        if not isinstance(words, str):
            raise StudioError("chain_value", file=file, step="slots", field=name, wanted="chain.wanted.text")
        slots[name] = words
    return slots, called


def _step(file: str, number: int, table: Mapping[str, Any], before: Iterable[str]) -> Step:
    task, name = table.get("task"), table.get("name", table.get("task"))
    if task not in TASKS:
        near = difflib.get_close_matches(str(task), TASKS, 1) or [", ".join(TASKS)]
        raise StudioError("chain_task", file=file, step=str(number), task=str(task)[:40], near=near[0])
    if not isinstance(name, str) or not _WORD.fullmatch(name):
        raise StudioError("chain_value", file=file, step=str(number), field="name", wanted="chain.wanted.word")
    if name in before:
        raise StudioError("chain_twice", file=file, name=name)
    known = fields_of(cast(Task, task))
    given = {key: value for key, value in table.items() if key not in ("task", "name")}
    for key in given:
        _require(file, name, key, ("name", "task", *known))
    return Step(name, cast(Task, task), given)


def _check(file: str, step: Step, kinds: dict[str, Kind | None]) -> None:
    """Every value of a step is of its field's kind, and every slot is one that there is by then."""
    known = fields_of(step.task)
    for name, value in step.fields.items():
        _check_value(file, step.name, name, known[name], value, kinds)


def _check_value(file: str, step: str, name: str, field: Field, value: Any, kinds: dict[str, Kind | None]) -> None:
    for slot in slots_in(value):
        if slot not in kinds:
            near = difflib.get_close_matches(slot, kinds, 1, 0.5) or [", ".join(kinds)]
            raise StudioError("chain_slot", file=file, step=step, field=name, slot=slot, near=near[0])
    shape = field.shape
    if shape == "tables":
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise StudioError("chain_value", file=file, step=step, field=name, wanted="chain.wanted.tables")
        for number, table in enumerate(value, 1):
            for key, inner in table.items():
                _require(file, step, key, field.inner or {}, f"{name}.{number}.")
                _check_value(file, step, f"{name}.{number}.{key}", (field.inner or {})[key], inner, kinds)
    elif shape in ("texts", "files"):
        if not isinstance(value, list):
            raise StudioError("chain_value", file=file, step=step, field=name, wanted="chain.wanted.list")
        for one in value:
            _check_single(file, step, name, "text" if shape == "texts" else "file", field.kind, one, kinds)
    else:
        _check_single(file, step, name, shape, field.kind, value, kinds)


def _check_single(
    file: str, step: str, name: str, shape: str, kind: Kind, value: Any, kinds: dict[str, Kind | None]
) -> None:
    wanted = kind if shape == "file" else "text"
    alone = SLOT.fullmatch(value) if isinstance(value, str) else None
    right = {
        "text": isinstance(value, str),
        "flag": isinstance(value, bool),
        "number": alone is not None or (isinstance(value, int | float) and not isinstance(value, bool)),
        "file": alone is not None,
    }[shape]
    if not right:
        told = f"chain.wanted.{wanted if shape == 'file' else shape}"
        raise StudioError("chain_value", file=file, step=step, field=name, wanted=told)
    for slot in slots_in(value):
        has = kinds[slot]
        notes = wanted == "text" and has == "sound" and name == NOTES
        if slot == INPUT and has is None:
            kinds[INPUT] = wanted
        elif has != wanted and not notes:
            told = {"file": file, "step": step, "field": name, "slot": slot}
            raise StudioError("chain_kind", **told, wanted=f"chain.wanted.{wanted}")


def _require(file: str, step: str, name: str, known: Iterable[str], before: str = "") -> None:
    listed = tuple(known)
    if name not in listed:
        near = difflib.get_close_matches(name, listed, 1, 0.5) or [", ".join(listed[:12])]
        raise StudioError("chain_field", file=file, step=step, field=f"{before}{name}"[:80], near=near[0])


def _texts(file: str, table: Mapping[str, Any], name: str) -> dict[str, str]:
    value = table.get(name, "")
    if isinstance(value, str):
        return {"": value[:500]}
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise StudioError("chain_value", file=file, step="–", field=name, wanted="chain.wanted.text")
    return {str(language): str(one)[:500] for language, one in value.items()}


def _spoken(texts: Mapping[str, str], language: str) -> str:
    return texts.get(language) or texts.get("") or texts.get("en") or next(iter(texts.values()), "")
