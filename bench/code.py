"""Small functions that the code starter completes: how many parse, and how many do what their docstring says.

Each is a signature and a docstring, completed greedily through the studio's own engine; the assertions are run in a
Python of its own that gets two seconds. What runs there was written by the model: use a machine where that may be.

    python bench/code.py [--model smollm2-135m] [--show]
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import tomllib
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio import settings
from studio.catalog.catalog import Catalog
from studio.devices.device import Device
from studio.engines.text.llama import LlamaEngine
from studio.paths import Home
from studio.requests import CodeRequest
from studio.store import Store

FUNCTIONS = Path(__file__).with_name("code_functions.toml")
EXAMPLES = '''def add(a, b):
    """Return the sum of a and b."""
    return a + b


def last(items):
    """Return the last item of a list."""
    return items[-1]


'''


class Silent:
    """A run that nobody watches."""

    cancelled = previews = False
    adapters = None

    def alive(self) -> None: ...

    def check(self) -> None: ...

    def step(self, done: int, total: int = 0) -> None: ...

    def text(self, delta: str) -> None: ...


def parses(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return False
    return True


def holds(code: str) -> bool:
    """Whether the code runs to its end within two seconds."""
    command = [sys.executable, "-I", "-c", code]
    try:
        return subprocess.run(command, capture_output=True, timeout=2, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--show", action="store_true", help="print every completion")
    asked = parser.parse_args()
    home = Home.at(settings.load().home)
    card = Catalog.load(home).get(asked.model)
    model = LlamaEngine().load(card, Store(home).path(card), Device("cpu"), lambda _: None)
    functions = tomllib.loads(FUNCTIONS.read_text("utf-8"))["function"]
    for name, opening in (("alone", ""), ("after two examples", EXAMPLES)):
        parsed = right = 0
        for row in functions:
            head = f'def {row["is"]}:\n    """{row["says"]}"""\n    '
            request = CodeRequest(prefix=opening + head, suffix="", max_tokens=96, temperature=0.0, top_p=1.0, seed=1)
            text = model.run(request, Silent()).text  # pyright: ignore[reportArgumentType]
            parsed += parses(head + text)
            done = holds(f"{head}{text}\n\n" + "\n".join(f"assert {each}" for each in row["holds"]))
            right += done
            if asked.show:
                print("+" if done else "-", name, "|", row["is"], "|", text.replace("\n", "⏎"))
        print(f"{name}: {right} of {len(functions)} right, {parsed} parse", flush=True)
    model.close()


if __name__ == "__main__":
    main()
