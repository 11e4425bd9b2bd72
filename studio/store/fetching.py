"""Fetching in a process of its own (studio.store.courier), which ends at once when the person says so."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from studio.errors import Cancelled, StudioError
from studio.settings import ROOT

Progress = Callable[[int, int], None]
"""Hears bytes done and bytes in all (0: unknown)."""
Told = Callable[[str, float], None]
"""Hears ``wait`` with the seconds that a server is given from now on, or a note such as ``token_refused``."""
LOOK_UP = 0.1
"""Seconds between two looks at whether the person cancelled."""


def untold(what: str, number: float) -> None:
    """For whoever has nothing to say."""


def fetch(
    order: dict[str, Any],
    progress: Progress,
    cancelled: Callable[[], bool],
    told: Told,
    wanted: Callable[[dict[str, Any]], None] = lambda _: None,
) -> dict[str, str]:
    """Have an order carried out: names of files -> where they are now.

    Args:
        wanted: hears of the files before the first of them is fetched.

    Raises:
        StudioError: what the process says.
        Cancelled: the person stopped it. The process is gone and what arrived is kept.
    """
    if cancelled():
        raise Cancelled
    process = subprocess.Popen(
        [sys.executable, "-m", "studio.store.courier"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, encoding="utf-8", env=_environment(), cwd=ROOT, **_apart(),
    )  # fmt: skip
    lines: queue.Queue[str] = queue.Queue()
    assert process.stdin is not None
    threading.Thread(target=_read, args=(process, lines), daemon=True).start()
    try:
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()  # it stays open: where it ends, the process does
        while True:
            if cancelled():
                raise Cancelled
            try:
                line = lines.get(timeout=LOOK_UP)
            except queue.Empty:
                continue
            said = json.loads(line) if line else {"error": ["download_failed", _ended(order)]}
            if (files := hear(said, progress, told, wanted)) is not None:
                return files
    except BrokenPipeError:
        raise StudioError("download_failed", **_ended(order)) from None
    finally:
        process.kill()
        process.wait()


def hear(
    said: dict[str, Any], progress: Progress, told: Told, wanted: Callable[[dict[str, Any]], None]
) -> dict[str, str] | None:
    """Pass on what the process says; the files where it is done. Raises the StudioError that it names."""
    match said:
        case {"at": [done, total]}:
            progress(done, total)
        case {"wait": seconds}:
            told("wait", float(seconds))
        case {"note": str(code)}:
            told(code, 0.0)
        case {"wanted": _}:
            wanted(said)
        case {"files": files}:
            return files
        case {"error": [code, params]}:
            raise StudioError(code, **params)
    return None


def _ended(order: dict[str, Any]) -> dict[str, str]:
    return {"model": order["model"], "reason": "the process that fetches has ended"}


def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert process.stdout is not None
    with process.stdout as out:
        for line in out:
            lines.put(line)
    lines.put("")


def _apart() -> dict[str, Any]:
    """A group of its own: Ctrl-C in the terminal is for the studio, which then ends it."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"process_group": 0}


def _environment() -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    quiet = dict.fromkeys(("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS", "DO_NOT_TRACK"), "1")
    return {**os.environ, **quiet, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"}
