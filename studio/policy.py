"""Policy: what may be asked of a studio and what it may show, as whoever runs it says.

Two questions, each put to anybody who answers it: a file of rules, a class of the operator's, a model that looks at
pictures. A studio at home asks nobody. What is refused is told by a reason code alone and kept nowhere: no text and no
file of it is written or logged. A policy that fails refuses.

    [[rule]]                         # refuse where every group has a word in the text
    reason = "minors"
    tasks = ["image", "chat"]        # default: all
    groups = [["child", "kid"], ["nude", "naked"]]
"""

from __future__ import annotations

import importlib
import logging
import re
import secrets
import tomllib
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from studio.errors import StudioError
from studio.requests import TASKS, Request, Task
from studio.results import Output

log = logging.getLogger("studio")

NONE = "none"
"""The setting for a studio that refuses nothing, whoever uses it."""
REFUSED = "refused_result"
_REMEMBERED = 4_000
"""Characters of an answer that are read once more with each new piece of it."""
_REASON = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_MIXED = str.maketrans("013457@$", "oieastas")
_SPELLED = re.compile(r"(?<=\b\w)[\W_]{1,3}(?=\w\b)")


@runtime_checkable
class Asks(Protocol):
    """May this be asked?"""

    def asked(self, request: Request) -> str:
        """The reason code why not; "" where it may."""
        ...


@runtime_checkable
class Shows(Protocol):
    """May this be shown?

    Attributes:
        pictures: it looks at pictures, so that none is shown before it has.
    """

    pictures: bool

    def shown(self, task: str, output: Output) -> str:
        """The reason code why not; "" where it may. Texts come again and again while they are written."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """Words that may not come together.

    Attributes:
        groups: of each one has to be there; words of Latin letters as whole words, others anywhere.
    """

    reason: str
    groups: tuple[re.Pattern[str], ...]
    tasks: tuple[Task, ...] = ()


class Wording:
    """Rules about words, for what is asked and what is answered."""

    pictures = False

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)

    def asked(self, request: Request) -> str:
        return self._found(request.task, "\n".join(_texts(request)))

    def shown(self, task: str, output: Output) -> str:
        return self._found(task, "\n".join(output.texts or (output.text,)))

    def _found(self, task: str, text: str) -> str:
        if not text:
            return ""
        ways = _ways(text)
        for rule in self._rules:
            if rule.tasks and task not in rule.tasks:
                continue
            if any(all(group.search(way) for group in rule.groups) for way in ways):
                return rule.reason
        return ""


class Policy:
    """Everybody who is asked, as one.

    Args:
        asks, shows: the first that refuses counts.
    """

    def __init__(self, asks: Sequence[Asks] = (), shows: Sequence[Shows] = ()) -> None:
        self._asks, self._shows = tuple(asks), tuple(shows)

    def require_asked(self, request: Request) -> None:
        """Raises StudioError: refused_request, policy_failed."""
        for one in self._asks:
            _refuse("refused_request", lambda one=one: one.asked(request))

    def screen(self, task: str) -> Screen:
        """What looks at the output of one job before anybody else does."""
        return Screen(task, self._shows)


FREE = Policy()
"""Nothing is refused."""


class Screen:
    """Looks at the output of one job.

    Attributes:
        pictures: pictures are looked at, so that there are no previews.
    """

    def __init__(self, task: str = "", shows: Sequence[Shows] = ()) -> None:
        self._task, self._shows, self._said = task, shows, ""
        self.pictures = any(one.pictures for one in shows)

    def text(self, delta: str) -> None:
        """What was written next. Raises StudioError: refused_result, policy_failed."""
        if self._shows:
            self._said = (self._said + delta)[-_REMEMBERED:]
            self.output(Output(text=self._said))

    def output(self, output: Output) -> Output:
        """The output as it is. Raises StudioError: refused_result, policy_failed."""
        for one in self._shows:
            _refuse(REFUSED, lambda one=one: one.shown(self._task, output))
        return output


def load_policy(setting: str, standard: Path | None, more: Iterable[object] = ()) -> Policy:
    """The policy that a setting names.

    Args:
        setting: a file of rules, `module:Class` of one's own, NONE, or nothing for `standard`.
        standard: rules that hold where nothing is set; None for no rules.
        more: what is asked besides, unless the setting is NONE.

    Raises:
        StudioError: bad_policy.
    """
    if setting == NONE:
        return FREE
    found: list[object] = list(more)
    if setting and ":" in setting and not setting.endswith(".toml"):
        found.append(_own(setting))
    elif setting or standard is not None:
        found.append(Wording(read_rules(Path(setting) if setting else standard or Path())))
    return Policy([one for one in found if isinstance(one, Asks)], [one for one in found if isinstance(one, Shows)])


def read_rules(file: Path) -> tuple[Rule, ...]:
    """The rules of a TOML file.

    Raises:
        StudioError: bad_policy, with what is wrong.
    """
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
        if set(told) != {"rule"} or not isinstance(told["rule"], list):
            raise ValueError("it has to be a list of [[rule]]")
        return tuple(map(_rule, told["rule"]))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise StudioError("bad_policy", path=str(file), reason=str(error)) from None


def _rule(told: Any) -> Rule:
    if not isinstance(told, dict) or set(told) - {"reason", "tasks", "groups"} or not {"reason", "groups"} <= set(told):
        raise ValueError("a rule has reason, groups and perhaps tasks")
    reason, tasks, groups = told["reason"], told.get("tasks", []), told["groups"]
    if not isinstance(reason, str) or not _REASON.fullmatch(reason):
        raise ValueError("a reason is a word of small letters")
    if not isinstance(tasks, list) or any(one not in TASKS for one in tasks):
        raise ValueError(f"{reason}: tasks are among {', '.join(TASKS)}")
    listed = isinstance(groups, list) and all(isinstance(group, list) for group in groups)
    words = [word for group in groups for word in group] if listed else []
    if not words or not all(groups) or not all(isinstance(word, str) and word.strip() for word in words):
        raise ValueError(f"{reason}: groups are lists of words")
    return Rule(reason, tuple(map(_group, groups)), tuple(tasks))


def _group(words: Sequence[str]) -> re.Pattern[str]:
    latin, others = (
        "|".join(re.escape(_plain(word)) for word in words if word.isascii() is ascii) for ascii in (True, False)
    )
    return re.compile("|".join(filter(None, (latin and rf"\b(?:{latin})(?:s|es)?\b", others))))


def _plain(text: str) -> str:
    """Small letters without accents, and without what is not seen."""
    if text.isascii():
        return text.casefold()
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in spread if unicodedata.category(letter) not in ("Mn", "Cf"))


def _ways(text: str) -> Iterable[str]:
    """A text as it is read, with digits for letters, and s p e l l e d; each once, as most are in no disguise."""
    plain = _plain(text)
    return dict.fromkeys((plain, plain.translate(_MIXED), _SPELLED.sub("", plain)))


def _texts(value: object) -> Iterator[str]:
    """Every text in a request, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | list):
        for one in value:
            yield from _texts(one)
    elif is_dataclass(value):
        for part in fields(value):
            yield from _texts(getattr(value, part.name))


def _own(setting: str) -> object:
    module, _, name = setting.partition(":")
    try:
        return getattr(importlib.import_module(module), name)()
    except Exception as error:
        raise StudioError("bad_policy", path=setting, reason=f"{type(error).__name__}: {error}") from None


def _refuse(code: str, question: Callable[[], str]) -> None:
    try:
        reason = question()
        if not isinstance(reason, str):
            raise TypeError("a policy answers with a text")
    except Exception as error:
        number = secrets.token_hex(4)
        log.error("policy failed %s: %s", number, type(error).__name__)  # its message may hold what was asked
        raise StudioError("policy_failed", id=number) from None
    if reason:
        raise StudioError(code, reason=reason[:40])
