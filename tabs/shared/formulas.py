"""Formulas in LaTeX as MathML, which browsers draw themselves; and which texts between delimiters are formulas."""

from __future__ import annotations

import re
from functools import lru_cache
from xml.etree import ElementTree

from latex2mathml.converter import convert

LONGEST = 4000
_SPACE = "{http://www.w3.org/1998/Math/MathML}"
_PARTS = frozenset(
    ("math", "mrow", "mi", "mn", "mo", "mtext", "mspace", "msup", "msub", "msubsup", "mfrac", "msqrt", "mroot", "mover",
     "munder", "munderover", "mtable", "mtr", "mtd", "mmultiscripts", "mprescripts", "none", "mpadded", "mphantom",
     "menclose", "mstyle", "semantics")
)  # fmt: skip
_SAYS = frozenset(
    ("display", "mathvariant", "stretchy", "fence", "separator", "form", "accent", "accentunder", "columnalign",
     "rowspacing", "columnspacing", "linethickness", "displaystyle", "scriptlevel", "width", "height", "depth",
     "lspace", "rspace", "minsize", "maxsize", "largeop", "movablelimits", "symmetric", "notation", "columnlines",
     "rowlines", "columnspan", "rowspan")
)  # fmt: skip
_ALIGNED = re.compile(r"\{(?:aligned|align|split)\}")
"""Names of what the library knows under one name only."""
_REGEX = re.compile(r"\\[dDwWsSbB](?![A-Za-z])|\(\?|\[\^|[\])}][*+?]|\.[*+?]")
"""What stands in regular expressions and in no formula."""
_WORDS = re.compile(r"[A-Za-z]{3,}|[\w.-]*\s+[A-Za-z]{4,}(?:\s+[\w.-]+)*")
"""A word or a few, without anything that computes."""


def is_formula(inner: str) -> bool:
    """Whether what stands between two delimiters means a formula, and not a regular expression or a path."""
    inner = inner.strip()
    return 0 < len(inner) <= LONGEST and not _REGEX.search(inner) and not _WORDS.fullmatch(inner)


@lru_cache(maxsize=512)
def mathml(inner: str, display: bool) -> str:
    """The formula as MathML; empty where it cannot be understood."""
    try:
        known = _ALIGNED.sub("{align*}", inner.strip())
        root = ElementTree.fromstring(convert(known, display="block" if display else "inline"))
    except Exception:  # the library raises whatever it stumbles over
        return ""
    if any(not _clean(part) for part in root.iter()):
        return ""
    ElementTree.register_namespace("", _SPACE[1:-1])
    return ElementTree.tostring(root, encoding="unicode")


def _clean(part: ElementTree.Element) -> bool:
    """Whether it is a plain part of a formula; attributes that are not known to be harmless go."""
    name = part.tag.removeprefix(_SPACE) if isinstance(part.tag, str) else ""
    for key in [key for key in part.attrib if key not in _SAYS]:
        del part.attrib[key]
    return name in _PARTS
