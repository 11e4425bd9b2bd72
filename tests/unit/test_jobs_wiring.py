"""How the parts of a studio are put together: each gets what it needs when it is made."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from studio import models, service


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
