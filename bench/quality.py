"""How good what the starters say is, on sets of our own. `chat`: questions, see bench/quality_chat.py.

`code`: holes in fifty small files, filled in several ways.

Each hole is the body of a function, a line of one, or an expression; text stands behind it. What was filled in is run
with assertions that the model did not see, in a Python of its own with little time and memory, an empty folder and no
writing. It is the model's own code all the same: use a machine where that may be.

    python bench/quality.py chat [--help]
    python bench/quality.py code [--model smollm2-135m] [--only WAY ...] [--show]
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))


from studio import settings
from studio.catalog.catalog import Catalog
from studio.devices.device import Device
from studio.engines.text.llama import LlamaEngine
from studio.jobs.context import RunContext
from studio.jobs.plans.code_choices import CodeChoices
from studio.paths import Home
from studio.requests import CodeRequest
from studio.store import Store

HOLES = Path(__file__).with_name("quality_code.toml")
SECONDS, MEMORY = 4, 600_000_000
_END = "held to the end"
_LIMITED = """
try:
    import resource
    for what, most in ((resource.RLIMIT_CPU, 2), (resource.RLIMIT_AS, {memory}), (resource.RLIMIT_FSIZE, 0)):
        resource.setrlimit(what, (most, most))
except ImportError:
    pass
"""


@dataclass(frozen=True)
class Way:
    """One way to ask: fields of the request, and options of the card."""

    request: Mapping[str, Any]
    options: Mapping[str, Any] = field(default_factory=dict)


PLAIN: Mapping[str, Any] = {"max_tokens": 64, "temperature": 0.0, "top_p": 1.0, "seed": 1}
WAYS: Mapping[str, Way] = {
    "from left to right": Way({**PLAIN, "fill_in_middle": False}, {"ask": False}),
    "as the model was taught": Way(PLAIN, {"ask": False}),
    "asked in words": Way(PLAIN, {"ask": True}),
    "temperature 0.2": Way({**PLAIN, "temperature": 0.2, "top_p": 0.95}),
    "best of 4, temperature 0.6": Way({**PLAIN, "temperature": 0.6, "top_p": 0.95, "count": 4}),
    "four examples before": Way({**PLAIN, "prefix": ""}),
}
EXAMPLES = '''def add(a, b):
    """Return the sum of a and b."""
    return a + b


def last(items):
    """Return the last item of a list."""
    return items[-1]


def count_zeros(numbers):
    """Return how many of the numbers are zero."""
    count = 0
    for number in numbers:
        if number == 0:
            count += 1
    return count


def words(text):
    """Return the words of a text."""
    return text.split()


'''


class Silent:
    """A job that nobody watches."""

    cancelled = previews = False

    def skipped(self) -> bool:
        return False

    def move(self, kind: str, **fields: Any) -> None: ...

    def progress_step(self, done: int, total: int) -> None: ...

    def add_text(self, delta: str) -> None: ...

    def add_sound(self, samples: Any, rate: int) -> None: ...

    def show(self, picture: Any, number: int = 0, whole: bool = False) -> None: ...


def holes() -> list[dict[str, Any]]:
    return tomllib.loads(HOLES.read_text("utf-8"))["hole"]


def parses(code: str) -> bool:
    try:
        ast.parse(code)
    except (SyntaxError, ValueError):
        return False
    return True


def holds(code: str, checks: list[str]) -> bool:
    """Whether the code runs to its end, and the checks hold then."""
    held = "\n".join(f"assert {one}" for one in checks)
    whole = f"{_LIMITED.format(memory=MEMORY)}{code}\n\n{held}\nprint({_END!r})"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-I", "-S", "-c", whole]
        try:
            ran = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False, cwd=folder, env={})
        except subprocess.TimeoutExpired:
            return False
    return ran.returncode == 0 and ran.stdout.strip().endswith(_END.encode())  # who leaves early has shown nothing


def code(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python bench/quality.py code")
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--only", nargs="*", default=list(WAYS), choices=list(WAYS), metavar="WAY")
    parser.add_argument("--show", action="store_true", help="print every completion")
    asked = parser.parse_args(words)
    home = Home.at(settings.load().home)
    card = Catalog.load(home).get(asked.model)
    rows = holes()
    kinds = list(dict.fromkeys(row["kind"] for row in rows))
    print(f"{card.title}, {len(rows)} holes: passing of all; " + ", ".join(kinds) + "; correct syntax", flush=True)
    for name in asked.only:
        way = WAYS[name]
        options = {**card.options, **way.options}
        model = LlamaEngine().load(
            replace(card, options=options), Store(home).path(card), Device("cpu"), lambda _: None
        )
        right, correct = dict.fromkeys(kinds, 0), 0
        for row in rows:
            given = {**way.request, "prefix": (EXAMPLES if "prefix" in way.request else "") + row["before"]}
            request = CodeRequest(**given, suffix=row["after"], language="python")
            output = CodeChoices(request).run(model, RunContext(Silent()))  # pyright: ignore[reportArgumentType]
            whole = row["before"] + output.text + row["after"]
            correct += parses(whole)
            done = holds(whole, row["holds"])
            right[row["kind"]] += done
            if asked.show:
                print("+" if done else "-", name, "|", row["fill"].split("\n")[0], "|", output.text.replace("\n", "⏎"))
        model.close()
        counts = ", ".join(f"{kind} {count}" for kind, count in right.items())
        print(f"{name:28} {sum(right.values()):3} of {len(rows)}; {counts}; {correct}", flush=True)


def chat(given: list[str]) -> None:
    """As bench/quality_chat.py has it, which is found where this is run as a program."""
    import quality_chat

    quality_chat.chat(given)


PARTS: Mapping[str, Callable[[list[str]], None]] = {"chat": chat, "code": code}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=sorted(PARTS))
    PARTS[parser.parse_args(sys.argv[1:2]).part](sys.argv[2:])


if __name__ == "__main__":
    main()
