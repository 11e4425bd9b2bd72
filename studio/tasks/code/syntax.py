"""Syntax check: whether a file is correct with a completion in it.

Python is read by its own parser, the other languages by tree-sitter's grammars. A file that is being written is often
not correct anyway: then only what the completion adds to its faults counts against it.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Any

from studio.tasks.code.lexing import BRACES, Event, canonical, lex

LONGEST = 300_000
"""Characters of a file beyond which nobody waits for the answer."""
_GRAMMARS = {
    "javascript": "tree_sitter_javascript", "typescript": "tree_sitter_typescript:language_tsx",
    "java": "tree_sitter_java", "c": "tree_sitter_c", "cpp": "tree_sitter_cpp", "csharp": "tree_sitter_c_sharp",
    "go": "tree_sitter_go", "rust": "tree_sitter_rust", "php": "tree_sitter_php:language_php",
    "kotlin": "tree_sitter_kotlin", "swift": "tree_sitter_swift",
    "ruby": "tree_sitter_ruby", "html": "tree_sitter_html", "css": "tree_sitter_css", "sql": "tree_sitter_sql",
    "shell": "tree_sitter_bash", "json": "tree_sitter_json", "yaml": "tree_sitter_yaml",
}  # fmt: skip
CHECKED = ("python", *_GRAMMARS)
"""Languages that can be checked."""


def parses(prefix: str, text: str, suffix: str, language: str) -> bool | None:
    """Whether the file is correct with `text` between its halves; None where that cannot be told.

    True also where all faults lie elsewhere in the file, False where the completion brings one.
    """
    name = canonical(language)
    if len(prefix) + len(text) + len(suffix) > LONGEST:
        return None
    if name == "python":
        return _python(prefix, text, suffix)
    parser = _parser(name)
    if parser is None:
        return None
    if name in BRACES and not suffix.strip():  # the end of the file is not written yet
        suffix = _closing(prefix + text, name)
    return _tree(parser, prefix, text, suffix)


def _closing(text: str, language: str) -> str:
    """What closes all brackets that are open at the end of a text."""
    names: list[str] = []
    for one in lex(text, language):
        if isinstance(one, Event) and one.opens:
            names.append(one.name)
        elif isinstance(one, Event) and names and names[-1] == one.name:
            names.pop()
    return "\n" + "\n".join(reversed(names)) + "\n"


def _python(prefix: str, text: str, suffix: str) -> bool | None:
    fault = _fault(prefix + text + suffix)
    if fault is None:
        return True
    first = prefix.count("\n") + 1
    if first <= fault <= first + text.count("\n"):
        return False
    if _fault(prefix + suffix) is None or _fault(f"{prefix}pass{suffix}") is None:
        return False  # without it, the file was correct
    return True if _fault(prefix + text) is None else None


def _fault(source: str) -> int | None:
    """The line of the first fault of Python source; None where it has none, 0 where the parser gives up."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except SyntaxError as error:
        return error.lineno or 0
    except (ValueError, RecursionError, MemoryError):
        return 0
    return None


@cache
def _parser(language: str) -> Any:
    """tree-sitter's parser of a language; None where there is no grammar of it, or it is not installed."""
    if language not in _GRAMMARS:
        return None
    module, _, function = _GRAMMARS[language].partition(":")
    try:
        sitter: Any = import_module("tree_sitter")
        grammar: Any = import_module(module)
    except ModuleNotFoundError:
        return None
    return sitter.Parser(sitter.Language(getattr(grammar, function or "language")()))


def _tree(parser: Any, prefix: str, text: str, suffix: str) -> bool | None:
    start = len(prefix.encode())
    end = start + len(text.encode())
    with_it = list(_faults(parser, prefix + text + suffix))
    if not with_it:
        return True
    before = list(_faults(parser, prefix + suffix))
    touching = [one for one in with_it if one[0] <= end and one[1] >= start]
    blank = len(prefix.rstrip().encode()), start + len(suffix.encode()) - len(suffix.lstrip().encode())
    touched = [one for one in before if one[0] <= blank[1] and one[1] >= blank[0]]
    line = len(prefix[: prefix.rfind("\n") + 1].encode())
    if touched and touching and all(one[0] >= line for one in touched):
        return False  # the hole was a fault, and is one still
    if touched:
        return None if len(with_it) <= len(before) else False
    return not touching and len(with_it) <= len(before)


def _faults(parser: Any, source: str) -> Iterator[tuple[int, int]]:
    """Where a file has faults, in bytes."""
    waiting = [parser.parse(source.encode()).root_node]
    while waiting:
        node = waiting.pop()
        if node.is_error or node.is_missing:
            yield node.start_byte, node.end_byte
        elif node.has_error:
            waiting += node.children
