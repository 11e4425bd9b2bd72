"""`python start.py gpu`: the build of llama.cpp for the card that is there, in the place of the one for processors.

The package index has builds for processors and for Apple's chips alone. The others lie in an index of the project's
own, from which this one package is taken, in the version that requirements.txt names, and nothing that it depends on.
What was fetched is asked whether it sees a card; where it does not, the next build is tried, and at last the usual
one comes back. Standard library only. The addresses are those of the package's own description; nobody has fetched
from them yet here.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from install import state
from install.pip import InstallError, Runner, Terminal
from install.stages import attempt, read

PACKAGE = "xllamacpp"
INDEX = "https://xorbitsai.github.io/xllamacpp/whl/"
BUILDS = ("cu132", "cu128", "rocm-7.2.4", "rocm-6.4.1", "vulkan")
USUAL = "cpu"
"""The word that brings the usual build back."""
MARK = "atelier.llama"
"""A file in .venv: which build is there, and by which list of files one knows whether it still is."""
GLIBC = (2, 35)
NEWEST, OLDEST = (13, 2), (12, 8)
"""CUDA of the two builds. Their code for cards that they were not compiled for needs a driver at least as new."""
TURING, SPARK = (7, 5), (12, 1)
"""The first card of the newer build, and one that the older build does not have."""
SEES = (
    f"import {PACKAGE}; print(*[one['description'] for one in {PACKAGE}.get_device_info() "
    "if 'GPU' in str(one['type'])], sep=', ')"
)
FILES = (
    "from importlib.metadata import distribution; import hashlib; "
    f"print(hashlib.sha256((distribution('{PACKAGE}').read_text('RECORD') or '').encode()).hexdigest())"
)


@dataclass(frozen=True)
class Card:
    """A graphics card: its name, what it can compute (compute capability) and the newest CUDA of its driver."""

    name: str
    capability: tuple[int, int] = (0, 0)
    cuda: tuple[int, int] = (0, 0)


def main(build: str = "") -> int:
    """Install the build for the card that is there, or the one that is named. Returns the exit code."""
    if build and build not in (*BUILDS, USUAL):
        print(f"There is no build {build}. There are {', '.join((*BUILDS, USUAL))}.", file=sys.stderr)
        return 2
    return attempt(lambda handle: Gpu(handle, build).run())


class Gpu:
    """One run.

    Args:
        lock: handle of the lock on .venv, held by the caller.
        build: one of BUILDS, or USUAL; empty for those that suit the card.
    """

    def __init__(self, lock: int, build: str = "") -> None:
        self.build, self.terminal = build, Terminal()
        self.runner = Runner(state.PYTHON, Path(state.VENV, "install.log"), lock, self.terminal.detail)
        self.mark = Path(state.VENV, MARK)

    def run(self) -> None:
        """Install. Raises InstallError, KeyboardInterrupt or OSError; the next call goes on from there."""
        if self.build == USUAL:
            self.usual()
            print("llama.cpp computes on the processor again. Start the studio again.")
            return
        if sys.platform == "darwin":
            raise InstallError("On a Mac the usual build has Metal already: there is nothing to install.")
        card = find_card()
        builds = (self.build,) if self.build else builds_for(card, rocm())
        print(f"Card: {card.name}" if card else "No NVIDIA card answers.")
        if not builds:
            raise InstallError(
                "No card was found for which there is a build, so the one for processors stays.\nWhere the machine has "
                f"one, name its build, for example: python start.py gpu vulkan. There are {', '.join(BUILDS)}."
            )
        if (libc := glibc()) and libc < GLIBC:
            raise InstallError(
                "These builds need glibc {}.{}, and this system has {}.{}, so the one for processors stays.\n"
                "A newer system has it: Ubuntu 22.04, Debian 12, Fedora 36.".format(*GLIBC, *libc)
            )
        for build in builds:
            if seen := self.fetched(build):
                self.mark.write_text(f"{build} {self.runner.ask(FILES)}", encoding="utf-8")
                print(f"llama.cpp sees: {seen}. GGUF models go to the card from now on. Start the studio again.")
                print("It has not been tried on every card. python start.py gpu cpu brings the usual build back.")
                return
        self.usual()
        raise InstallError(
            f"None of the builds ({', '.join(builds)}) works here, so the usual one is back: nothing is lost.\n"
            f"The whole output is in {self.runner.log}."
        )

    def fetched(self, build: str) -> str:
        """Install a build; the cards that it sees, and nothing where it sees none or cannot be had."""
        self.terminal.stage(f"{requirement()} for {build}, from {INDEX}{build}")
        self.mark.unlink(missing_ok=True)
        try:
            self.runner.pip("install", "--force-reinstall", "--no-deps", "--index-url", INDEX + build, requirement())
        except InstallError as error:
            self.terminal.done(f"could not be had: {reason(str(error))}")
            return ""
        seen = self.runner.ask(SEES)
        self.terminal.done(f"sees {seen}" if seen else "sees no card")
        return seen

    def usual(self) -> None:
        """The build of the package index again."""
        self.terminal.stage(f"{requirement()}, from the package index")
        self.mark.unlink(missing_ok=True)
        self.runner.pip("install", "--force-reinstall", "--no-deps", requirement())
        self.terminal.done("installed")


def requirement() -> str:
    """What requirements.txt asks of the package."""
    lines = read(Path(state.ROOT, state.REQUIREMENTS["app"])).splitlines()
    return next(line.partition("#")[0].strip() for line in lines if re.match(rf"{PACKAGE}\b", line))


def builds_for(card: Card | None, rocm: str) -> tuple[str, ...]:
    """The builds that suit a machine, the best first.

    Args:
        rocm: the version of ROCm that is installed; empty where there is none.
    """
    if card is not None:
        found: list[str] = []
        if card.cuda >= NEWEST and card.capability >= TURING:
            found.append("cu132")
        if card.cuda >= OLDEST and card.capability != SPARK:
            found.append("cu128")
        return (*found, "vulkan")
    if rocm:
        return ("rocm-7.2.4" if int(rocm.partition(".")[0]) >= 7 else "rocm-6.4.1", "vulkan")
    return ("vulkan",) if other_card() else ()


def find_card(ask: Callable[..., str] | None = None) -> Card | None:
    """The first NVIDIA card, as its driver's own program tells; None where there is none."""
    ask = ask or _said
    rows = ask("nvidia-smi", "--query-gpu=name,compute_cap", "--format=csv,noheader").splitlines()
    if not rows or "," not in rows[0]:
        return None
    name, capability = (part.strip() for part in rows[0].rsplit(",", 1))
    cuda = re.search(r"CUDA Version:\s*([\d.]+)", ask("nvidia-smi"))
    return Card(name, _pair(capability), _pair(cuda.group(1) if cuda else ""))


def rocm(root: Path = Path("/opt/rocm")) -> str:
    """The version of ROCm, where it is installed and its kernel driver is at work."""
    return read(root / ".info" / "version").strip() if os.path.exists("/dev/kfd") else ""


def other_card(root: Path = Path("/dev/dri")) -> bool:
    """Whether the system shows a card of any maker. On Windows Vulkan itself has to say."""
    return sys.platform == "win32" or any(root.glob("renderD*"))


def glibc() -> tuple[int, int] | None:
    """The version of the C library; None where it is another one."""
    name, version = platform.libc_ver()
    return _pair(version) if name == "glibc" else None


def reason(output: str) -> str:
    """The line of pip's output that says most."""
    lines = [line for line in output.splitlines() if line.startswith("ERROR")]
    return (lines or output.splitlines() or ["pip failed"])[-1 if lines else 0][:160]


def _pair(text: str) -> tuple[int, int]:
    numbers = [int(part) for part in re.findall(r"\d+", text)[:2]]
    return (numbers[0], numbers[1]) if len(numbers) == 2 else (0, 0)


def _said(*line: str) -> str:
    """What a program prints; empty where it is not there or fails."""
    if shutil.which(line[0]) is None:
        return ""
    try:
        asked = subprocess.run(line, capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return "" if asked.returncode else asked.stdout
