"""How the parts of a studio are put together: each gets what it needs when it is made, and knows no more."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from studio import models, service
from studio.jobs.job import Job
from studio.jobs.plans.grid import Grid
from studio.jobs.plans.single import Single
from studio.requests import ImageRequest


@pytest.mark.parametrize("module", [service, models])
def test_no_part_is_changed_by_another_after_it_was_made(module) -> None:
    assert module.__file__
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    targets = [
        target
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    patched = [
        target for target in targets if isinstance(target, ast.Attribute) and ast.unparse(target.value) != "self"
    ]
    assert not patched, [ast.unparse(target) for target in patched]


def test_a_job_loads_no_plan_and_nothing_of_what_plans_are_about() -> None:
    code = "import sys, studio.jobs.job; print(*sorted(name for name in sys.modules if name.startswith('studio.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "studio.jobs.job" in loaded
    rooms = {"tasks", "library", "recipes", "media", "engines", "manager", "catalog", "store"}
    assert not [name for name in loaded if name.split(".")[1] in rooms or name.startswith("studio.jobs.plans")]


def test_a_job_asks_its_plan_what_it_is_about() -> None:
    whole, cells = ImageRequest(prompt="hills", count=2), (ImageRequest(prompt="hill"), ImageRequest(prompt="dale"))
    alone, several = Job("image", "hills", plan=Single(whole)), Job("image", "hills", plan=Grid(whole, cells))
    assert (alone.request, alone.requests) == (whole, (whole,))
    assert (several.request, several.requests) == (whole, cells)
    assert (Job("load", "a model").request, Job("load", "a model").requests) == (None, ())
