"""Habits of a file: what its lines begin with, and white space that stands before the cursor already."""

from __future__ import annotations

import re


def indentation(text: str) -> str:
    """What lines of a file begin with: tabs, or so many spaces; empty where none tells."""
    if re.search(r"^\t", text, re.MULTILINE):
        return "" if re.search(r"^ {2,}\S", text, re.MULTILINE) else "\t"
    widths = [len(found) for found in re.findall(r"^( {2,})\S", text, re.MULTILINE)]
    return " " * min(widths) if widths else ""


def indented(body: str, unit: str, final: bool, first: bool, width: int) -> str:
    """`body` with its lines indented as the file is, where the model does it in the other way.

    Args:
        first: its first line begins at the margin as well.
        width: spaces that the model takes for a tab; 0 where its first indented line has to tell.
    """
    lines = body.split("\n")
    if not final and not lines[-1].strip() and (len(lines) > 1 or first):
        lines[-1] = ""  # how far it goes in is not known yet
    done = [] if first else lines[:1]
    if not width:
        width = next((len(found[1]) for one in lines[len(done) :] if (found := re.match(r"( {2,})\S", one))), 4)
        width = 4 if width % 4 == 0 else width
    for line in lines[len(done) :]:
        inner = line.lstrip(" \t")
        ahead = line[: len(line) - len(inner)]
        if unit == "\t" and " " in ahead and inner:
            ahead = "\t" * max(1, len(ahead.replace("\t", " " * width)) // width)
        elif unit and unit != "\t":
            ahead = ahead.replace("\t", unit)
        done.append(ahead + inner)
    return "\n".join(done)


def after_space(text: str, space: str) -> str:
    """`text` without the white space that stands before the cursor already."""
    common = next((at for at, (one, other) in enumerate(zip(text, space, strict=False)) if one != other), None)
    common = min(len(text), len(space)) if common is None else common
    on_one_line = common == 0 or "\n" not in space[common:]
    return text[common:].lstrip(" \t") if on_one_line and common < len(space) else text[common:]
