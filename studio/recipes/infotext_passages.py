"""Passages of a `parameters` text: the prompt, the negative prompt and the settings.

By AUTOMATIC1111's rule the last line holds the settings. Other programs and sites put everything into one line, add
lines behind the settings ("Template: …"), break a line inside a quoted setting, or leave the negative prompt on the
prompt's line; all of that is taken apart here. Takes linear time on any text, and never raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

NEGATIVE = "Negative prompt:"
_LEAST = 3
_KNOWN = re.compile(  # names that begin a line of settings
    r"(?<![\w-])(?:Steps|Sampler|CFG scale|Guidance scale|Seed|Size|Model(?: hash)?|Schedule type"
    r"|Postprocess upscale by)\s{0,3}:\s{0,9}(?=\S)",
    re.IGNORECASE,
)
_STEPS = re.compile(r"(?<![\w-])Steps\s{0,3}:\s{0,9}\d{1,9}\s{0,9},", re.IGNORECASE)
# Without the original's leading \s*, and with a bound on names: those take quadratic time on a hostile line.
_SETTING = re.compile(r'(\w[\w \-/+.]{0,60}):\s{0,9}("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)', re.DOTALL)
_NEGATIVE = re.compile(r"negative prompt\s{0,3}:", re.IGNORECASE)
_BEHIND = re.compile(r"(\w[\w \-/]{0,60}):\s{0,9}(.*)", re.DOTALL)
_JSON = re.compile(r"(?<![\w-])(Hashes|Civitai resources|Civitai metadata):\s{0,9}(?=[\[{])")  # with commas inside
_PIPED = re.compile(r"^(?:Version: [^\n|]{0,200},[ ]?\n)?Steps:[ ]?\d{1,9} \| [^\n]*$", re.MULTILINE)
_MAX_BEHIND, _MAX_BROKEN, _MOST_TRIED = 200, 20, 5  # lines, lines, places


@dataclass(frozen=True, slots=True)
class Passages:
    """A text, taken apart.

    Attributes:
        settings: name and value of each, in order, as they stand there but without quotes.
        start, end: where in the text the settings begin and end; what stands behind `end` is in `settings` too.
    """

    prompt: str
    negative: str
    settings: tuple[tuple[str, str], ...] = ()
    start: int = 0
    end: int = 0


def split(text: str) -> Passages:
    """The passages of a text with line breaks of any kind. Without settings, `settings` is empty."""
    text = normal(text)
    place = _place(text)
    if place is None:
        return Passages(*_prompts(text, one_line=False), (), len(text), len(text))
    start, end = place
    above, line, behind = text[:start], text[start:end], text[end:]
    one_line = bool(above) and not above.endswith("\n")
    line, found = _without_json(line)
    found += [(name.strip(), unquoted(value)) for name, value in _SETTING.findall(line)]
    found += _behind(behind)
    negative = [value for name, value in found if name.casefold() == "negative prompt"]
    settings = tuple((name, value) for name, value in found if name.casefold() != "negative prompt")
    prompts = _prompts(above, one_line)
    return Passages(prompts[0], prompts[1] or "\n".join(negative), settings, start, end)


def normal(text: str) -> str:
    """The text with plain line breaks and without blanks around it; settings between pipes have commas instead."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").strip().strip("\0\ufeff").strip()
    if " | " not in text or not _PIPED.search(text):
        return text
    text = _PIPED.sub(lambda found: found[0].replace("\n", " ").replace(" | ", ", "), text)  # as SD.Next once did
    return text.removeprefix("prompt: ")


def _without_json(line: str) -> tuple[str, list[tuple[str, str]]]:
    """A line of settings without those whose value is JSON, and these."""
    found: list[tuple[str, str]] = []
    for _ in range(_MOST_TRIED):
        if (match := _JSON.search(line)) is None:
            break
        try:
            _, end = json.JSONDecoder(strict=False).raw_decode(line, match.end())
        except (ValueError, RecursionError):
            break
        found.append((match[1], line[match.end() : end]))
        line = line[: match.start()] + line[end:].lstrip(" ,")
    return line, found


def unquoted(value: str) -> str:
    """A value as it was meant: a JSON string where it is one, also with a raw line break inside."""
    if len(value) < 2 or not value.startswith('"') or not value.endswith('"'):
        return value.strip()
    try:
        return str(json.loads(value, strict=False))
    except (ValueError, RecursionError):
        return value


def _place(text: str) -> tuple[int, int] | None:
    """Where the settings begin and end, without lines that stand behind them."""
    lines = list(_lines(text))
    for number in range(len(lines) - 1, max(len(lines) - 1 - _MAX_BEHIND, -1), -1):
        start, end = lines[number]
        if (inner := _begin(text[start:end], number == 0, number == len(lines) - 1)) is None:
            continue
        at = start + inner
        for earlier, _ in reversed(lines[max(number - _MAX_BROKEN, 0) : number]):
            if _KNOWN.match(text, earlier) and _open(text[earlier:start]):  # this line is inside of a quote
                at = earlier
                break
        for later, (_, stop) in enumerate(lines[number + 1 : number + 1 + _MAX_BROKEN], number + 1):
            if not _open(text[at:end]) or '"' not in text[lines[later][0] :]:
                break
            end = stop
        return at, end
    return None


def _lines(text: str) -> Iterator[tuple[int, int]]:
    at = 0
    for line in text.split("\n"):
        yield at, at + len(line)
        at += len(line) + 1


def _begin(line: str, first: bool, last: bool) -> int | None:
    """Where in a line the settings begin; None where it has none.

    A line that begins with a known setting is one from there on, and so is a last line that begins with any. In others
    they begin at the last "Steps: 20,", or at the first known setting behind the last "Negative prompt:".
    """
    if len(_KNOWN.findall(line)) < (1 if last else 2) or len(_SETTING.findall(line)) < _LEAST:
        return None
    if _KNOWN.match(line) or (last and not first and _SETTING.match(line) and not _NEGATIVE.match(line)):
        return 0
    steps = [found.start() for found in _STEPS.finditer(line)]
    negative = [found.end() for found in _NEGATIVE.finditer(line)]
    known = (found.start() for found in _KNOWN.finditer(line, negative[-1] if negative else 0))
    tried = (*steps[: -_MOST_TRIED - 1 : -1], *islice(known, _MOST_TRIED))
    return next((place for place in tried if _many(line[place:])), None)


def _many(rest: str) -> bool:
    return len(_SETTING.findall(rest)) >= _LEAST and len(_KNOWN.findall(rest)) > 1


def _open(text: str) -> bool:
    """Whether a setting's quote is not closed yet."""
    values = (value.strip() for _, value in _SETTING.findall(text))
    return any(value.startswith('"') and (len(value) == 1 or not value.endswith('"')) for value in values)


def _behind(text: str) -> list[tuple[str, str]]:
    """Lines behind the settings, each a setting of its own whatever commas it has; others go on in the line before."""
    found: list[tuple[str, str]] = []
    for line in filter(None, (line.strip() for line in text.split("\n"))):
        if match := _BEHIND.fullmatch(line):
            found.append((match[1].strip(), unquoted(match[2])))
        elif found:
            found[-1] = (found[-1][0], f"{found[-1][1]}\n{line}")
        else:
            found.append(("Note", line))
    return found


def _prompts(text: str, one_line: bool) -> tuple[str, str]:
    """Prompt and negative prompt; a dot before a passage of a one-line text stands for the line break that it lost."""
    lines = [line.strip() for line in text.split("\n")]
    begin = next((at for at, line in enumerate(lines) if _NEGATIVE.match(line)), None)
    if begin is not None:
        rest = [_NEGATIVE.sub("", lines[begin], count=1).strip(), *lines[begin + 1 :]]
        prompt, negative = "\n".join(lines[:begin]), "\n".join(rest)
    elif found := _NEGATIVE.search(text):
        prompt, negative = text[: found.start()], text[found.end() :]
        prompt = _undotted(prompt)
    else:
        prompt, negative = "\n".join(lines), ""
    if one_line:
        prompt, negative = (prompt, _undotted(negative)) if negative else (_undotted(prompt), negative)
    return prompt.strip(), negative.strip()


def _undotted(text: str) -> str:
    return text.rstrip().removesuffix(".").rstrip()
