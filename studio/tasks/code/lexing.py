"""Lexing: where a language's brackets, blocks and tags open and close, outside of its strings and comments.

Not a parser: it has to read half a file, and half a line of it, many times a second. What it takes for a string may
be none in rare cases (a regular expression of JavaScript); then a completion ends too late or too early, and no more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

ALIASES = {
    "py": "python", "js": "javascript", "jsx": "javascript", "ts": "typescript", "tsx": "typescript", "c++": "cpp",
    "c#": "csharp", "cs": "csharp", "golang": "go", "rs": "rust", "rb": "ruby", "bash": "shell", "sh": "shell",
    "zsh": "shell", "yml": "yaml", "htm": "html", "scss": "css", "jsonc": "json",
    "kt": "kotlin",
}  # fmt: skip
BRACES = frozenset(
    ("javascript", "typescript", "java", "c", "cpp", "csharp", "go", "rust", "php", "kotlin", "swift", "css", "json")
)
"""Languages whose blocks stand between braces."""
VOID = frozenset(("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"))
"""Elements of HTML that have no end."""

_LINE, _BLOCK = r"//[^\n]*", r"/\*[\s\S]*?(?:\*/|\Z)"
_HASH, _DASHES = r"#[^\n]*", r"--[^\n]*"
_DOUBLE, _SINGLE = r'"(?:\\.|[^"\\\n])*(?:"|\\?\Z)?', r"'(?:\\.|[^'\\\n])*(?:'|\\?\Z)?"
_DOUBLE_LONG, _SINGLE_LONG = r'"(?:\\.|[^"\\])*(?:"|\\?\Z)', r"'(?:\\.|[^'\\])*(?:'|\\?\Z)"
_CHARACTER = r"'(?:\\[^\n']{1,8}|\\'|[^'\\\n])'|'(?:\\[^\n']{0,8}|[^'\\\n])?\Z"
_TICKS = r"`(?:\\.|[^`\\])*(?:`|\\?\Z)"
_TRIPLE, _TRIPLE_SINGLE = r'"""[\s\S]*?(?:"""|\Z)', r"'''[\s\S]*?(?:'''|\Z)"
_BRACKETS = r"(?P<open>[({\[])|(?P<close>[)}\]])"
_PAIRS = {"(": ")", "{": "}", "[": "]"}
_C = (_LINE, _BLOCK, _TRIPLE, _DOUBLE, _CHARACTER)
_SKIPPED: dict[str, tuple[str, ...]] = {
    "python": (_HASH, _TRIPLE, _TRIPLE_SINGLE, _DOUBLE, _SINGLE),
    "javascript": (_LINE, _BLOCK, _DOUBLE, _SINGLE, _TICKS),
    "typescript": (_LINE, _BLOCK, _DOUBLE, _SINGLE, _TICKS),
    "java": _C, "c": _C, "cpp": _C, "kotlin": _C, "swift": (_LINE, _BLOCK, _TRIPLE, _DOUBLE),
    "csharp": (r'@"(?:[^"]|"")*(?:"|\Z)', *_C),
    "go": (_LINE, _BLOCK, _DOUBLE, _CHARACTER, r"`[^`]*(?:`|\Z)"),
    "rust": (_LINE, _BLOCK, r'\br(#*)"[\s\S]*?(?:"\1|\Z)', _DOUBLE_LONG, _CHARACTER),
    "php": (_LINE, r"#(?!\[)[^\n]*", _BLOCK, _DOUBLE_LONG, _SINGLE_LONG),
    "css": (_BLOCK, _DOUBLE, _SINGLE),
    "json": (_DOUBLE, _LINE, _BLOCK),
    "ruby": (_HASH, _DOUBLE_LONG, _SINGLE_LONG),
    "shell": (r"(?<![^\s;])#[^\n]*", r"\$\{[^}\n]*(?:\}|\Z)", _DOUBLE_LONG, _SINGLE_LONG),
    "sql": (_DASHES, _BLOCK, r"\$\$[\s\S]*?(?:\$\$|\Z)", r"'(?:[^']|'')*(?:'|\Z)", _DOUBLE),
    "html": (r"<!--[\s\S]*?(?:-->|\Z)", r"<(?P<raw>script|style)\b[\s\S]*?(?:</(?P=raw)\s*>|\Z)", r"<[^<>]*\Z"),
}  # fmt: skip
_RUBY = (
    r"(?:^[ \t]*|[;=(][ \t]*)(?P<open>(?:def|class|module|if|unless|case|while|until|begin|for)\b)"
    r"|(?P<do>\bdo\b)|(?<![.\w@:])(?P<close>end\b)(?![:?!=])"
)
_SHELL = (
    r"(?:^[ \t]*|[;&|][ \t]*|\b(?:then|do|else)[ \t]+)(?P<open>(?:if|case|for|while|until|select)\b|\{(?=\s))"
    r"|(?P<function>(?<=\))[ \t]*\{)|(?:^[ \t]*|[;&][ \t]*)(?P<close>(?:fi|esac|done)\b|\})"
)
_SHELL_ENDS = {"if": "fi", "case": "esac", "{": "}"}
_TAGS = r"<(?P<open>[A-Za-z][\w-]*)(?:\"[^\"<>]*\"|'[^'<>]*'|[^'\"<>])*?(?P<alone>/?)>|</(?P<close>[A-Za-z][\w-]*)\s*>"
_EVENTS = {"ruby": _RUBY, "shell": _SHELL, "html": _TAGS, "sql": _BRACKETS + r"|(?P<ends>;)"}


@dataclass(frozen=True, slots=True)
class Event:
    """A block that opens (`opens`) or closes, or a statement that ends, at `start`..`end` of a text.

    Attributes:
        name: what closes it: "}", "end", "fi", the name of a tag; ";" where a statement ends.
        sure: what follows cannot change it any more.
    """

    start: int
    end: int
    name: str
    opens: bool
    sure: bool


@dataclass(frozen=True, slots=True)
class Skipped:
    """A string or a comment. `closed` is False where the text ends inside of it."""

    start: int
    end: int
    closed: bool


def canonical(language: str) -> str:
    """One name for a language that people and editors call differently."""
    name = language.casefold().strip()
    return ALIASES.get(name, name)


def known(language: str) -> bool:
    """Whether `lex` knows the language's blocks."""
    return language in _SKIPPED


def lex(text: str, language: str) -> Iterator[Event | Skipped]:
    """The blocks, strings and comments of `text`, in order."""
    for found in _pattern(language).finditer(text):
        start, end = found.span()
        groups = found.groupdict()
        if groups["skipped"] is not None:
            yield Skipped(start, end, end < len(text) or _closed(found[0], language))
            continue
        opened, closed = groups.get("open"), groups.get("close")
        if opened and language == "html":
            if opened.casefold() not in VOID and not groups["alone"]:
                yield Event(start, end, opened.casefold(), True, True)
        elif opened:
            ends = "end" if language == "ruby" else _SHELL_ENDS.get(opened, "done") if language == "shell" else ""
            yield Event(found.start("open"), end, ends or _PAIRS[opened], True, _sure(opened, end, text))
        elif closed:
            yield Event(found.start("close"), end, closed.casefold(), False, _sure(closed, end, text))
        elif groups.get("ends"):
            yield Event(start, end, ";", False, True)
        else:
            name = "end" if groups.get("do") else "}"
            yield Event(start, end, name, True, _sure("do" if name == "end" else "{", end, text))


@lru_cache(maxsize=32)
def _pattern(language: str) -> re.Pattern[str]:
    skipped = "|".join(f"(?:{one})" for one in _SKIPPED[language]).replace(r"\1", r"\2")
    return re.compile(f"(?P<skipped>{skipped})|{_EVENTS.get(language, _BRACKETS)}", re.MULTILINE)


def _sure(token: str, end: int, text: str) -> bool:
    """A word at the end of a text may be the beginning of another word."""
    return end < len(text) or not token[-1].isalnum()


def _closed(token: str, language: str) -> bool:
    """Whether a string or comment that reaches to the end of the text ends there."""
    if token.startswith("<!--"):
        return token.endswith("-->") and len(token) > 6
    if token.startswith("<"):
        return token.endswith(">")
    if token.startswith("/*"):
        return token.endswith("*/") and len(token) > 3
    if token.startswith(("//", "#", "--")) and not token.startswith("#["):
        return False
    for mark in ('"""', "'''", "$$"):
        if token.startswith(mark) and (mark != '"""' or language != "rust"):
            return token.endswith(mark) and len(token) >= 2 * len(mark)
    if token.startswith("${"):
        return token.endswith("}")
    quote = token.lstrip("@r#")[:1]
    backslashes = len(token[:-1]) - len(token[:-1].rstrip("\\"))
    return len(token.lstrip("@r#")) > 1 and token.endswith((quote, f"{quote}#")) and backslashes % 2 == 0
