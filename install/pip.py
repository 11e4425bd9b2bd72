"""Run pip in .venv: quiet on the terminal, whole in a log, and clear about what to do when it fails.

Standard library only. Knows nothing of what is installed or why (install/stages.py does).
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

OLDEST = (25, 1)  # from here on pip resumes a cut download
OPTIONS = ("--no-input", "--disable-pip-version-check")
OPTIONS_SINCE_OLDEST = ("--progress-bar", "raw", "--resume-retries", "5")
ADVICE = (
    ("No space left on device", "The disk is full. Free about 5 GB and start again."),
    ("Permission denied|Access is denied|WinError 5|WinError 32", "Close every running studio and start again."),
    (
        "ConnectionError|NewConnection|NameResolution|ConnectTimeout|ReadTimeout|Read timed out|Connection refused"
        "|Connection reset|Network is unreachable|ProtocolError|ProxyError|SSLError|incomplete-download",
        "The package index cannot be reached. Check the connection and pip's index and proxy settings, "
        "then start again: it goes on where it stopped.",
    ),
    (
        "No matching distribution|Could not find a version|requires a different Python|Failed to build",
        "A package has no build for Python {python} on this machine. Python 3.12 on 64 bit is the safest choice: "
        "start again with it, for example: python3.12 start.py",
    ),
)


class InstallError(Exception):
    """The install cannot go on. The text says what happened and what to do next."""


class Terminal:
    """Stages, one line each; between them the newest detail, where the terminal can draw over it."""

    def __init__(self) -> None:
        self.live = sys.stdout.isatty()
        self.shown = ""
        self.began = time.monotonic()

    def stage(self, text: str) -> None:
        """Begin a stage."""
        self.began = time.monotonic()
        print(f"  {text}", flush=True)

    def detail(self, text: str) -> None:
        """What is happening right now; drawn over by the next detail."""
        if self.live and text != self.shown:
            width = shutil.get_terminal_size().columns - 1
            print("\r" + f"    {text}"[:width].ljust(width) + "\r", end="", flush=True)
            self.shown = text

    def done(self, text: str) -> None:
        """End the stage with what came of it."""
        self.detail("")
        print(f"    {text}, {time.monotonic() - self.began:.0f} s", flush=True)


class Progress:
    """Reads what pip says and shows it in a few words. `installed` counts packages once pip is done."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self.show = show
        self.installed = 0
        self.name = ""

    def read(self, said: str) -> None:
        """Take one line of pip's output."""
        words = said.split()
        if said.startswith("Progress ") and len(words) == 4:
            done, total = int(words[1]), int(words[3])
            if total >= 1_000_000:
                self.show(f"{self.name} {done / 1e6:.0f} of {total / 1e6:.0f} MB")
        elif said.startswith("Collecting ") and len(words) > 1:
            self.name = re.split(r"[<>=!~;\[]", words[1])[0]
            self.show(self.name)
        elif said.startswith("Installing collected packages:"):
            self.show(f"unpacking {said.count(',') + 1} packages")
        elif said.startswith("Successfully installed"):
            self.installed = len(words) - 2


class Runner:
    """Runs programs with the Python of a .venv.

    Args:
        python: that Python.
        log: the file that takes the whole output of the newest run.
        lock: handle of the lock that a child inherits, so that a child we lost keeps the next start waiting.
    """

    def __init__(self, python: str, log: Path, lock: int, show: Callable[[str], None]) -> None:
        self.python = python
        self.log = log
        self.lock = lock
        self.show = show

    def version(self) -> tuple[int, ...]:
        """The version of pip, for example (26, 3); empty where Python or pip do not run."""
        said = self.ask("import pip; print(pip.__version__)")
        return tuple(int(part) for part in re.findall(r"\d+", said)[:2])

    def ask(self, code: str) -> str:
        """What a line of Python prints; empty where it fails."""
        try:
            asked = subprocess.run([self.python, "-I", "-c", code], capture_output=True, text=True, check=False)
        except OSError:  # the Python that .venv points to is gone
            return ""
        return "" if asked.returncode else asked.stdout.strip()

    def pip(self, *arguments: str) -> int:
        """Run pip. Returns how many packages it installed. Raises InstallError with the end of its output."""
        progress = Progress(self.show)
        options = OPTIONS + (OPTIONS_SINCE_OLDEST if self.version() >= OLDEST else ())
        self.run(["-m", "pip", *arguments, *options], progress.read)
        return progress.installed

    def run(self, arguments: Sequence[str], take: Callable[[str], None] = lambda _: None) -> None:
        """Run Python with `arguments`, each line it prints to `take`. Raises InstallError where it fails."""
        # A user's "user = true" or target folder would put packages elsewhere.
        environment = {name: value for name, value in os.environ.items() if name not in ("PIP_TARGET", "PIP_PREFIX")}
        environment |= {"PIP_USER": "0", "UV_NATIVE_TLS": "1"}
        with (
            self.log.open("w", encoding="utf-8") as log,
            subprocess.Popen(
                [self.python, "-I", "-u", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                env=environment,
                pass_fds=() if os.name == "nt" else (self.lock,),
            ) as process,
        ):
            assert process.stdout
            try:
                for said in process.stdout:
                    if not said.startswith("Progress "):
                        log.write(said)
                    take(said)
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            tail = [row for row in self.log.read_text(encoding="utf-8").splitlines() if row.strip()][-15:]
            raise InstallError("\n".join([*tail, f"The whole output is in {self.log}.", "", advice("\n".join(tail))]))


def advice(output: str) -> str:
    """What to do about a pip that failed with `output`."""
    for pattern, text in ADVICE:
        if re.search(pattern, output):
            return text.format(python=".".join(map(str, sys.version_info[:2])))
    return "Start again. If it fails in the same way, delete the folder .venv first."


@contextmanager
def lock(path: Path) -> Iterator[int]:
    """Hold `path` for this process and the children that inherit the handle. Waits while another start holds it."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if not _take(handle):
            print("Another start is installing already. Waiting for it.", flush=True)
            while not _take(handle):
                time.sleep(0.5)
        yield handle
    finally:
        os.close(handle)


def _take(handle: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
