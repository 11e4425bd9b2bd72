"""ExifTool, a reader and writer of metadata that nobody here wrote, as a witness."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path


def exiftool(*words: str | Path) -> str:
    """What it prints. Where it is missing the test fails with a sentence."""
    program = shutil.which("exiftool")
    assert program, "these tests need ExifTool: install the Debian package libimage-exiftool-perl"
    found = subprocess.run([program, *map(str, words)], capture_output=True, text=True, encoding="utf-8", check=False)
    assert found.returncode == 0, found.stderr
    return found.stdout


def tags(file: Path) -> dict[str, str]:
    """Every tag of a file that is not about its pixels or the file system, as "group:name" -> text."""
    (found,) = json.loads(exiftool("-json", "-G1", "-a", "-struct", file))
    return {name: str(value) for name, value in found.items() if name.partition(":")[0] not in ("System", "File")}
