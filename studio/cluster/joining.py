"""Joining: `worker --join ADDRESS`, which lends this machine to a cluster for as long as it runs.

What is lent lives in a process of its own, which ends with the cluster; here it is seen to that it comes back once the
cluster does, and that nothing of it stays when this ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from studio.errors import StudioError
from studio.settings import ROOT

AGAIN = 5.0
"""Seconds until the cluster is looked for again that went away."""
PATIENCE = 25.0
"""Seconds for what is lent to end in order."""
LOOK = 2.0
"""Seconds between two looks at the cluster."""
UNUSABLE = 3
"""Exit code of the process where it is of no use to try again."""
READY, GONE = "ready", "gone"
"""What is told: the workers of this machine are there; the cluster is not."""


def lend(address: str, over: threading.Event, told: Callable[[str], None]) -> int:
    """Lend this machine until `over`. Returns the exit code.

    Args:
        told: called with READY each time that this machine joined, and with GONE where there is no cluster.
    """
    line = command(address)
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    apart: dict[str, Any] = (
        {} if sys.platform == "win32" else {"process_group": 0}
    )  # Ctrl+C is for this process, which tells it
    while not over.is_set():
        child = subprocess.Popen(
            line, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}, **apart
        )
        watcher = threading.Thread(target=_listen, args=(child, told), daemon=True)
        watcher.start()
        while child.poll() is None and not over.is_set():
            with suppress(subprocess.TimeoutExpired):
                child.wait(0.2)
        _end(child)
        watcher.join(2)
        if child.returncode == UNUSABLE:
            return 1
        if not over.is_set():
            told(GONE)
            over.wait(AGAIN)
    return 0


def command(address: str) -> list[str]:
    """The command line of the process that is lent."""
    return [sys.executable, "-P", "-m", "studio.cluster.joining", address]


def _listen(child: subprocess.Popen[str], told: Callable[[str], None]) -> None:
    assert child.stdout is not None
    with child.stdout as lines:
        for said in lines:
            if said.strip() == READY:
                told(READY)


def _end(child: subprocess.Popen[str]) -> None:
    """See that nothing of it stays."""
    if child.poll() is None:
        child.terminate()
        with suppress(subprocess.TimeoutExpired):
            child.wait(PATIENCE)
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
    elif child.poll() is None:
        child.kill()
    child.wait()


def main(address: str) -> int:
    """The process that is lent. Returns the exit code."""
    from studio import settings
    from studio.cluster.node import Node
    from studio.i18n import from_environment

    over = threading.Event()
    try:
        node = Node.join(settings.load(), address)
    except StudioError as error:
        language = from_environment()
        print(f"{error.what(language)} {error.next(language)}", file=sys.stderr, flush=True)
        return UNUSABLE if error.code != "ray_unreachable" else 1
    for number in (signal.SIGINT, signal.SIGTERM):  # Ray has put its own there
        signal.signal(number, lambda *_: over.set())
    print(READY, flush=True)
    while not over.wait(LOOK):
        if not node.lives:
            break
    node.close()
    return 0 if over.is_set() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
