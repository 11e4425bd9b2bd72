"""Second look at tests that failed beside others: once more, by themselves.

The whole suite runs in two processes that share the processor with a browser, and a test that waits for a page may
wait too long there. What fails by itself too has failed; what does not is named, because it wants mending.
"""

import json
import os
import subprocess
import tempfile

MOST = 12
"""Tests. Where more have failed it is not for want of a quiet moment."""
_FAILED = 1


def run(line: list[str], alone: list[str], root: str) -> int:
    """Run pytest, and what failed once more. Returns the exit code.

    Args:
        line: pytest with all its arguments.
        alone: pytest with those that make it one process.
    """
    with tempfile.TemporaryDirectory() as folder:
        kept = ["-o", f"cache_dir={folder}"]  # of this run alone
        code = subprocess.call([*line, *kept], cwd=root)
        failed = _named(folder)
        whole_files = [name for name in failed if "::" not in name]  # could not be read, which no quiet moment mends
        if code != _FAILED or whole_files or not 0 < len(failed) <= MOST:
            return code
        print(f"== pytest, {len(failed)} of them once more", flush=True)
        code = subprocess.call([*alone, *kept, "--last-failed", "--last-failed-no-failures=none"], cwd=root)
        still = _named(folder)
    for name in sorted(failed - still if code in (0, _FAILED) else ()):
        print(f"Unsteady: {name} failed beside others and passes by itself")
    return code


def _named(folder: str) -> set[str]:
    try:
        with open(os.path.join(folder, "v", "cache", "lastfailed"), encoding="utf-8") as file:
            return set(json.load(file))
    except FileNotFoundError:
        return set()
