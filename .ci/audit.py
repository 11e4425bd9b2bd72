"""Audit of what is installed: known vulnerabilities, as the package index's advisories have them.

Three ends, of which only one fails: nothing known; something known that no exception covers; nothing could be looked
up, because there is no network or the index has no advisories. The last is said aloud and is no "nothing known".

Exceptions are in exceptions.toml beside this file, each with a reason and a date, after which it counts no more.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
TOOL, VERSION = HERE.parent / "build" / "audit", "2.10.1"
PATIENCE = 300.0
"""Seconds for all packages."""
WARN_DAYS = 14
"""Days before an exception ends from which on that is said."""


def exceptions(text: str, today: datetime.date) -> tuple[dict[str, str], list[str]]:
    """Those that count today: id -> reason; and what is to be said of those that end soon or have ended."""
    counted: dict[str, str] = {}
    said: list[str] = []
    for one in tomllib.loads(text).get("exception", []):
        left = (one["until"] - today).days
        if left >= 0:
            counted[one["id"]] = one["reason"]
        if left < WARN_DAYS:
            said.append(f"{one['id']}: its exception {'ends' if left >= 0 else 'ended'} on {one['until']}")
    return counted, said


def judge(report: dict[str, Any], excepted: dict[str, str]) -> tuple[bool, bool, list[str]]:
    """Whether anything was looked up, whether that is well, and what is to be said, of a report of pip-audit's."""
    looked = [one for one in report["dependencies"] if "skip_reason" not in one]
    unknown = [one["name"] for one in report["dependencies"] if "skip_reason" in one]
    said = [f"not looked up: {', '.join(unknown)}"] if looked and unknown else []
    well = True
    for one in looked:
        for flaw in one["vulns"]:
            names = {flaw["id"], *flaw.get("aliases", ())}
            reason = next((excepted[name] for name in names if name in excepted), "")
            mended = f", mended in {', '.join(flaw['fix_versions'])}" if flaw["fix_versions"] else ""
            said.append(
                f"{one['name']} {one['version']}: {flaw['id']}{mended}{f' (excepted: {reason})' if reason else ''}"
            )
            well = well and bool(reason)
    return bool(looked), well, said


def report() -> dict[str, Any] | None:
    """What pip-audit says of .venv; None where it cannot be had or hears nothing."""
    tool = TOOL / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    lines = [
        [sys.executable, "-m", "venv", str(TOOL)],
        [str(tool), "-m", "pip", "install", "--quiet", f"pip-audit=={VERSION}"],
    ]
    if not tool.exists() or subprocess.run([str(tool), "-c", "import pip_audit"], check=False).returncode:
        for line in lines:
            if subprocess.run(line, check=False).returncode:
                return None
    asked = [
        HERE.parent / ".venv" / tool.relative_to(TOOL),
        "-c",
        "import sysconfig as s; print(s.get_path('purelib'))",
    ]
    packages = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
    line = [str(tool), "-m", "pip_audit", "--path", packages, "--format", "json", "--progress-spinner", "off"]
    try:
        done = subprocess.run(line, check=False, capture_output=True, text=True, timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        return None
    try:
        return json.loads(done.stdout)
    except ValueError:
        print((done.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1], file=sys.stderr)
        return None


def main() -> int:
    found = report()
    excepted, said = exceptions((HERE / "exceptions.toml").read_text("utf-8"), datetime.date.today())
    looked, well, more = (False, True, []) if found is None else judge(found, excepted)
    for line in [*said, *more]:
        print(line)
    if not looked:
        print("The advisories could not be asked: nothing is known of what is installed.")
    return 0 if well else 1


if __name__ == "__main__":
    raise SystemExit(main())
