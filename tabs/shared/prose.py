"""Prose of people and models, as HTML in which every character can be seen that is not Markdown.

Questions are shown as they were typed. Answers are Markdown: no HTML, no picture, no link to anything but the web and
no rule that swallows what it reads (references, links in angle brackets, most backslashes).
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_block import StateBlock
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from studio.i18n import text
from tabs.shared import formulas

COLOURED = 20_000
"""Characters up to which a piece of code gets colours."""
_DISPLAY = (("$$", "$$"), ("\\[", "\\]"))
_ESCAPED = frozenset("`*_~#<>&!")
_DUNDER = re.compile(r"__[A-Za-z0-9](?:\w*[A-Za-z0-9])?__")
_WEB = re.compile(r"https?://|mailto:", re.IGNORECASE)
_DEEP = re.compile(r"^(?:[ \t]*(?:>|(?:[-+*]|\d{1,9}[.)])(?=[ \t]))){40,}| {80,}(?:[-+*]|\d{1,9}[.)]) ", re.MULTILINE)
"""Lists and quotations in one another so deep that the reader would leave out what is inside."""
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)")
_CELL = re.compile(r"(?<!\\)\|")


def raw(words: str) -> str:
    """A text exactly as it is; line breaks and spaces are kept by its style."""
    return f'<div class="a-raw" dir="auto">{html.escape(words)}</div>'


@lru_cache(maxsize=512)
def prose(words: str, spoken: str = "en") -> str:
    """Markdown as HTML, with the words of a language on its buttons. Remembered, for what is shown again and again."""
    return draft(words, spoken)


def draft(words: str, spoken: str = "en") -> str:
    """As `prose`, for what is still being written."""
    if _DEEP.search(words):
        return raw(words)
    try:
        labels = {name: text(f"chat.{name}_code", spoken) for name in ("copy", "open")}
        return str(_markdown().render(words, labels))
    except RecursionError:
        return raw(words)


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library's name
        return _WEB.match(url) is not None

    def normalizeLinkText(self, link: str) -> str:  # noqa: N802
        return link


@lru_cache(maxsize=1)
def _markdown() -> MarkdownIt:
    reader = _Markdown("commonmark", {"html": False, "breaks": True, "linkify": True, "maxNesting": 100})
    reader.enable(["table", "strikethrough", "linkify"])
    reader.disable(["reference", "autolink", "image", "html_inline", "html_block"])
    if reader.linkify is not None:
        reader.linkify.set({"fuzzy_link": False, "fuzzy_email": False, "fuzzy_ip": False})
        reader.linkify.add("//", None).add("ftp:", None)
    reader.core.ruler.before("normalize", "cells", _cells)
    reader.core.ruler.after("linkify", "addresses", _addresses)
    reader.core.ruler.after("addresses", "nowhere", _nowhere)
    reader.core.ruler.push("direction", _direction)
    reader.block.ruler.before("fence", "formula", _formula_block, {"alt": ["paragraph", "blockquote", "list"]})
    reader.inline.ruler.before("escape", "formula", _formula)
    reader.inline.ruler.at("escape", _escape)
    reader.inline.ruler.before("emphasis", "names", _names)
    reader.inline.ruler.before("link", "picture", _picture)
    for name, rule in (("fence", _fence), ("code_block", _fence), ("formula", _draw), ("link_open", _link),
                       ("table_open", _table), ("table_close", _table)):  # fmt: skip
        reader.add_render_rule(name, rule)
    return reader


# ---- reading


def _cells(state: StateCore) -> None:
    """Let bars inside code stay in their cell, and rows that are longer than the head of their table be seen whole."""
    if "|" not in state.src:
        return
    lines = state.src.split("\n")
    for token in MarkdownIt("commonmark").enable("table").disable(["reference", "inline"]).parse(state.src):
        if token.type != "table_open" or token.map is None:
            continue
        first, end = token.map[0], min(token.map[1], len(lines))
        for place in range(first, end):
            lines[place] = _CODE_SPAN.sub(lambda found: _CELL.sub(r"\\|", found[0]), lines[place])
        widths = [len(_CELL.findall(lines[place].strip().strip("|"))) for place in range(first, end)]
        if (more := max(widths) - widths[0]) > 0:
            lines[first] = lines[first].rstrip().removesuffix("|") + "|" + " |" * more
            lines[first + 1] = lines[first + 1].rstrip().removesuffix("|") + "|" + " --- |" * more
    state.src = "\n".join(lines)


def _addresses(state: StateCore) -> None:
    """An address by itself is a link; one inside quotes, tags or other code is a part of it."""
    for block in state.tokens:
        parts = block.children or []
        for place, token in enumerate(parts):
            if token.type != "link_open" or token.markup != "linkify":
                continue
            before = "".join(one.content for one in parts[:place])[-2:]
            if before and not before[-1].isspace() and (before[-1] not in "(<（：" or before.startswith("]")):
                token.hidden = parts[place + 2].hidden = True
                token.type = parts[place + 2].type = "text"


def _nowhere(state: StateCore) -> None:
    """A link that leads nowhere, as `[x]()`, is shown as it was written."""
    for block in state.tokens:
        open_: list[bool] = []
        for token in block.children or []:
            if token.type == "link_open":
                open_.append(not token.attrs.get("href"))
                if open_[-1]:
                    token.type, token.content = "text", "["
            elif token.type == "link_close" and open_ and open_.pop():
                token.type, token.content = "text", "]()"


def _direction(state: StateCore) -> None:
    """Every paragraph, item and cell is written in the direction of its own first letter."""
    for token in state.tokens:
        if token.nesting == 1 and token.type != "table_open":
            token.attrSet("dir", "auto")


def _escape(state: StateInline, silent: bool) -> bool:
    """A backslash disappears before a mark of Markdown only: paths and regular expressions keep theirs."""
    at = state.pos
    if state.src[at] != "\\":
        return False
    following = state.src[at + 1 : at + 2]
    opens = not state.src[:at].strip() or state.src[at - 1].isdigit()  # "\- no item", "1\. no number"
    price = following == "$" and state.src[at + 2 : at + 3].isdigit()
    kept = "" if following in _ESCAPED or price or (opens and following in ("-", "+", ".", "|")) else "\\"
    if not silent:
        state.pending += kept + (following if following != "\n" else "")
    state.pos += 2 if following and following != "\n" else 1
    return True


def _picture(state: StateInline, silent: bool) -> bool:
    """A picture is shown as it was written: fetching it would tell somebody of it."""
    if not state.src.startswith("![", state.pos):
        return False
    if not silent:
        state.pending += "!["
    state.pos += 2
    return True


def _names(state: StateInline, silent: bool) -> bool:
    """`__init__`, `2*3*4`, `x**2`: marks between letters that are no marks."""
    at, source = state.pos, state.src
    before = source[at - 1] if at else " "
    if source[at] == "_" and not _word(before) and (found := _DUNDER.match(source, at)):
        if source[found.end() : found.end() + 1].isalnum():
            return False
        width = len(found[0])
    elif source[at] == "*":
        width = len(source) - at - len(source[at:].lstrip("*"))
        after = source[at + width : at + width + 1]
        computes = width == 1 or (width == 2 and (before.isdigit() or after.isdigit()))
        if not (computes and _word(before) and _word(after)):
            return False
    else:
        return False
    if not silent:
        state.pending += source[at : at + width]
    state.pos += width
    return True


def _word(character: str) -> bool:
    return character.isascii() and character.isalnum()


def _formula(state: StateInline, silent: bool) -> bool:
    """A formula inside a paragraph."""
    at, source = state.pos, state.src
    for opening, closing in (*_DISPLAY, ("\\(", "\\)")):
        if not source.startswith(opening, at):
            continue
        end = source.find(closing, at + 2)
        inner = source[at + 2 : end] if end > 0 else ""
        glued = at > 0 and opening != "$$" and (_word(source[at - 1]) or source[at - 1] in ":\\")
        alone = opening != "\\[" or inner[:1].isspace() or not source[:at].strip()
        price = opening == "$$" and source[end + 2 : end + 3].isdigit()  # "it costs $$5 or $$10"
        if glued or price or not alone or not formulas.is_formula(inner) or "`" in inner:
            return False
        if not silent:
            _found(state, source[at : end + 2], inner, opening != "\\(")
        state.pos = end + 2
        return True
    return False


def _formula_block(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A formula on lines of its own, which may look like anything else."""

    def line(at: int) -> str:
        return state.src[state.bMarks[at] + state.tShift[at] : state.eMarks[at]].rstrip()

    first = line(start)
    opening, closing = next((pair for pair in _DISPLAY if first.startswith(pair[0])), ("", ""))
    if not opening or state.is_code_block(start):
        return False
    last = next((at for at in range(start, end) if line(at)[2 if at == start else 0 :].endswith(closing)), None)
    if last is None:
        return False
    source = first if last == start else state.getLines(start, last + 1, state.blkIndent, False).strip()
    inner = source[2:-2]
    if closing in inner or not formulas.is_formula(inner):
        return False
    if not silent:
        state.line = last + 1
        _found(state, source, inner, True)
    return True


def _found(state: StateInline | StateBlock, source: str, inner: str, display: bool) -> None:
    token = state.push("formula", "", 0)
    token.content, token.meta = inner, {"source": source, "display": display}
    token.block = isinstance(state, StateBlock)


# ---- writing


def _draw(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    del self, options, env
    token = tokens[at]
    drawn = formulas.mathml(token.content, token.meta["display"])
    if not drawn:
        drawn = f"<code>{html.escape(token.meta['source'])}</code>"
    return f'<div class="a-formula">{drawn}</div>' if token.block else drawn


def _fence(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    """A piece of code with its language, and buttons that copy it or take it to the editor (assets/page/chat.js)."""
    del self, options
    token = tokens[at]
    language = html.escape(token.info.strip(), quote=True)
    copied, opened = (html.escape(str(env.get(name, ""))) for name in ("copy", "open"))
    return (
        f'<div class="a-listing" data-language="{language}"><div class="a-listing-head"><span>{language}</span>'
        f'<span><button type="button" data-copy="open">{opened}</button>'
        f'<button type="button" data-copy="code">{copied}</button></span></div>'
        f'<pre dir="ltr"><code>{_coloured(token.content, token.info.split()[:1])}</code></pre></div>'
    )


def _coloured(code: str, language: list[str]) -> str:
    if language and len(code) <= COLOURED:
        try:
            lexer = get_lexer_by_name(language[0].lower(), stripnl=False, ensurenl=False)
        except ClassNotFound:
            return html.escape(code)
        return highlight(code, lexer, HtmlFormatter(nowrap=True, classprefix="a-k-"))
    return html.escape(code)


def _link(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    tokens[at].attrs |= {"target": "_blank", "rel": "noopener noreferrer nofollow"}
    return self.renderToken(tokens, at, options, env)


def _table(self: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: EnvType) -> str:
    drawn = self.renderToken(tokens, at, options, env)
    return f'<div class="a-scroll">{drawn}' if tokens[at].nesting == 1 else f"{drawn}</div>"
