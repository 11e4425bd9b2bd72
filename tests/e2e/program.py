"""`python app.py` as a program of its own, with a home folder of its own."""

import os
import queue
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


class Program:
    """The app, started, at `url`, until the `with` block ends.

    Args:
        home: None for where the studio itself keeps things.
        folder: the code.
        launcher: a program that prepares something and then runs app.py; None for app.py itself.
        settings: environment variables, such as STUDIO_DEMO="1".
    """

    def __init__(self, home: Path | None, folder: Path = ROOT, launcher: str | None = None, **settings: str) -> None:
        self._arguments = ["app.py"] if launcher is None else ["-c", launcher]
        self._environment, self._folder = _environment(home) | settings, folder
        self.url = ""

    def restart(self) -> None:
        """End it and start it again, at another address."""
        self.__exit__()
        self.start()

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, *self._arguments], cwd=self._folder, env=self._environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        said = ""
        while "http://" not in said:
            said += self._lines.get(timeout=PATIENCE)
        self.url = "http://" + said.partition("http://")[2].split()[0].rstrip("/") + "/"

    def fails(self) -> str:
        """Start it and wait for the end that it comes to by itself: what it said. It has to be a failure."""
        done = subprocess.run(
            [sys.executable, *self._arguments], cwd=self._folder, env=self._environment, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stdout
        return done.stdout

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait; returns the exit code. It may be started again afterwards."""
        self._process.send_signal(number)
        return self._process.wait(PATIENCE)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("(the app has ended)\n")

    def __exit__(self, *_: object) -> None:
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            raise
        finally:
            if self._process.stdout:
                self._process.stdout.close()


def _environment(home: Path | None) -> dict[str, str]:
    rest = {name: value for name, value in os.environ.items() if not name.startswith("STUDIO_")}
    rest |= {"STUDIO_OPEN_BROWSER": "0", "STUDIO_PORT": "0", "LC_ALL": "C.UTF-8"}
    return rest if home is None else rest | {"STUDIO_HOME": str(home)}
