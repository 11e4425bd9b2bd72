"""The walk finds every bug that is sown into the manager's rules, and none in the rules as they are."""

from __future__ import annotations

import pytest
from manager_mutants import MUTANTS, caught, sown


@pytest.mark.parametrize("what", MUTANTS)
def test_the_walk_finds_that(what: str) -> None:
    with sown(what):
        assert caught(), "nobody noticed"


def test_and_finds_nothing_in_the_real_rules() -> None:
    assert caught(60) == ""
