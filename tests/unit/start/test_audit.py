"""What continuous integration makes of the index's advisories. The reports have the form that pip-audit 2.10 writes."""

from __future__ import annotations

import datetime
import importlib.util
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[3] / ".ci"
TODAY = datetime.date(2026, 12, 1)
EXCEPTION = '[[exception]]\nid = "CVE-2026-1"\nreason = "never called"\nuntil = {until}\n'
SKIPPED = {"name": "atelier", "skip_reason": "Dependency not found on PyPI and could not be audited: atelier (1)"}
FLAW = {"id": "PYSEC-2026-1", "fix_versions": ["2.0"], "aliases": ["CVE-2026-1"], "description": "…"}


@pytest.fixture(scope="module")
def audit() -> Any:
    told = importlib.util.spec_from_file_location("audit", FOLDER / "audit.py")
    assert told is not None
    assert told.loader is not None
    module = importlib.util.module_from_spec(told)
    told.loader.exec_module(module)
    return module


def report(*more: dict[str, Any], flaws: tuple[dict[str, Any], ...] = ()) -> dict[str, Any]:
    return {"dependencies": [{"name": "gradio", "version": "6.31.0", "vulns": list(flaws)}, *more], "fixes": []}


def test_what_is_known_fails_and_names_what_mends_it(audit: Any) -> None:
    assert audit.judge(report(), {}) == (True, True, [])
    looked, well, said = audit.judge(report(SKIPPED, flaws=(FLAW,)), {})
    assert (looked, well) == (True, False)
    assert said == ["not looked up: atelier", "gradio 6.31.0: PYSEC-2026-1, mended in 2.0"]


def test_where_nothing_was_looked_up_that_is_not_nothing_known(audit: Any, monkeypatch: Any, capsys: Any) -> None:
    for found in (None, {"dependencies": [SKIPPED], "fixes": []}):
        monkeypatch.setattr(audit, "report", lambda found=found: found)
        assert audit.main() == 0
        assert "nothing is known" in capsys.readouterr().out
    monkeypatch.setattr(audit, "report", lambda: report(flaws=(FLAW,)))
    assert audit.main() == 1


def test_an_exception_counts_until_its_day_and_says_when_that_is_near(audit: Any) -> None:
    counted, said = audit.exceptions(EXCEPTION.format(until="2027-03-01"), TODAY)
    assert (counted, said) == ({"CVE-2026-1": "never called"}, [])
    assert audit.judge(report(flaws=(FLAW,)), counted)[1], "by any of its names"
    counted, said = audit.exceptions(EXCEPTION.format(until="2026-12-01"), TODAY)
    assert counted
    assert said == ["CVE-2026-1: its exception ends on 2026-12-01"]
    counted, said = audit.exceptions(EXCEPTION.format(until="2026-11-30"), TODAY)
    assert not counted
    assert said == ["CVE-2026-1: its exception ended on 2026-11-30"]


def test_the_exceptions_of_this_project_can_be_read(audit: Any) -> None:
    counted, _ = audit.exceptions((FOLDER / "exceptions.toml").read_text("utf-8"), TODAY)
    assert all(reason.strip() for reason in counted.values())
