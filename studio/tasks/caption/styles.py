"""A caption in the style that was asked for: as the model said it, as a prompt, as tags, or as alt text.

Works on words alone, whatever model they came from: what a model says before it says something ("The image shows a")
goes, a list becomes a list, and alt text keeps to its length. English and Chinese. Pure.
"""

from __future__ import annotations

import re

from studio.requests import CaptionRequest
from studio.tasks.caption.edits import tidy, without_loose_end

ALT_LIMIT = 125
"""Characters after which screen readers break a text off."""

_NOUN = r"(?:image|picture|photo(?:graph)?|illustration|icon|drawing|painting|screenshot|graphic|close-?up)"
_MEDIUM = rf"(?:(?:[\w-]+ ){{0,3}}?{_NOUN})"
_LEAD = re.compile(
    rf"^(?:(?:this|the|here)(?: is)?|there is|it is|it's)?\s*(?:an?\s+)?{_MEDIUM}\s+"
    r"(?:of|showing|depicting|featuring)\s+"
    rf"|^(?:this|the)\s+{_MEDIUM}\s+(?:shows|depicts|features|displays|contains|captures|portrays|presents|is of|is)\s+"
    rf"|^in (?:this|the) {_MEDIUM},?\s+(?:there (?:is|are)|we (?:can )?see|you (?:can )?see)?\s*"
    r"|^(?:there (?:is|are)|we (?:can )?see|it shows)\s+",
    re.IGNORECASE,
)
_LEAD_ZH = re.compile(
    r"^(?:这|此)?(?:是)?(?:一)?(?:张|幅|个)?(?:图片|图像|照片|画面|图|插图|画)(?:中|里|上)?(?:，)?"
    r"(?:展示了|显示了|描绘了|呈现了|展现了|是|有|为|可以看到|能看到)"
    r"|^(?:这|此)?是?一(?:张|幅)(?P<what>[^，。]{1,40})的(?:图片|图像|照片|插图|画)(?=[，。]|$)"
)
_LANGUAGE = re.compile(r"(请?用)?(中文|汉语|英文|英语)(描述|回答)?|(in )?(English|Chinese)", re.IGNORECASE)
_ZH = re.compile(r"[\u3400-\u9fff]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")
_BREAKS = re.compile(
    r"[,;.!?，、；。！？]|\s+(?:and|with|in front of|on top of|next to|in|on|at|of|near|under|behind|beside|over|"
    r"against|through|between|around|from|by|while|that|which|who|is|are|has|have|there)\s+",
    re.IGNORECASE,
)
_ARTICLES = re.compile(r"^(?:(?:an?|the|some|its|his|her|their|this|these|there|is|are|and|with)\s+)+", re.IGNORECASE)
_SMALL = re.compile(r"an?|the|its?|this|these|that|there|s?he|they|one|two|three|four|several|many|some", re.IGNORECASE)
_EMPTY = re.compile(r"an?|the|its?|s?he|they|this|that|and|is|are", re.IGNORECASE)


def phrased(text: str, request: CaptionRequest) -> str:
    """What a model said, as the request wants it. Begins with the request's opening, whatever else is done to it."""
    text = text.strip()
    asked = bool(request.prompt.strip()) and not language_asked(request.prompt)
    if request.style == "plain" or asked:  # an answer to a question stays as it is
        return text
    opening = request.opening.strip()
    given = opening and text.casefold().startswith(opening.casefold())
    body = text[len(opening) :].strip(" ,") if given else text
    made = {"prompt": prompt, "tags": tags, "alt": alt}[request.style](body)
    if not opening:
        return made
    if request.style == "alt":
        return _shortened(f"{opening} {body}", ALT_LIMIT)
    return f"{opening}, {made}" if request.style == "tags" else f"{opening} {made}"


def language_asked(prompt: str) -> str:
    """`en` or `zh`, where a prompt asks for a language and for nothing else; else empty."""
    if not _LANGUAGE.fullmatch(prompt.strip().rstrip(".。")):
        return ""
    return "en" if re.search("English|英", prompt, re.IGNORECASE) else "zh"


def prompt(text: str) -> str:
    """One line without a lead-in and without full stops, as picture models are asked: sentences joined by commas."""
    parts = [_decapitalised(_led(part)).rstrip(".。 ") for part in _SENTENCE.split(" ".join(text.split()))]
    joint = "，" if _ZH.search(text) else ", "
    return tidy(joint.join(part for part in parts if part))


def tags(text: str) -> str:
    """Short tags, parted by commas, each once: what a list has, or the parts of a sentence between its small words."""
    flat = _led(" ".join(text.split()))
    found: dict[str, str] = {}
    for part in _BREAKS.split(flat):
        tag = _ARTICLES.sub("", _led(part.strip(" \"'()[]:-·"))).strip()
        tag = without_loose_end(tag)
        if tag and not _EMPTY.fullmatch(tag):
            found.setdefault(tag.casefold(), tag.lower() if not _named(tag) else tag)
    return ", ".join(found.values())


def alt(text: str) -> str:
    """Alt text: at most ALT_LIMIT characters, not begun with "image of", whole sentences where they fit."""
    return _shortened(_led(" ".join(text.split())), ALT_LIMIT)


def _led(text: str) -> str:
    """Without what is said before anything is said; more than once, for "This is a picture of an image of"."""
    for _ in range(3):
        shorter = _LEAD.sub("", text, count=1)
        if found := _LEAD_ZH.match(shorter):
            shorter = (found["what"] or "") + shorter[found.end() :]
        shorter = shorter.lstrip(" ,:，：")
        if not shorter or shorter == text:
            break
        text = shorter
    return text


def _shortened(text: str, most: int) -> str:
    """Whole sentences up to `most` characters, else whole words of the first one; begins large, ends with a stop."""
    text = text.strip()
    kept = ""
    for sentence in filter(None, _SENTENCE.split(text)):
        joint = "" if not kept or _ZH.search(sentence) else " "
        if len(kept) + len(joint) + len(sentence) > most - 1:
            break
        kept += joint + sentence
    if not kept:
        kept = text[: most - 1]
        if len(text) > most - 1 and not _ZH.search(text):
            kept = without_loose_end(kept.rpartition(" ")[0] or kept)
        kept = kept.rstrip(" ,;:，、")
    if kept and kept[-1] not in ".!?。！？":
        kept += "。" if _ZH.search(kept) else "."
    return kept[:1].upper() + kept[1:]


def _decapitalised(text: str) -> str:
    """The beginning of a sentence inside a longer one. Only words that are no names: who knows what "Paris" is."""
    first = text.split(" ", 1)[0]
    return text[:1].lower() + text[1:] if _SMALL.fullmatch(first) else text


def _named(tag: str) -> bool:
    """Whether a tag holds a name or an abbreviation: a capital after its first letter."""
    return any(sign.isupper() for sign in tag[1:])
