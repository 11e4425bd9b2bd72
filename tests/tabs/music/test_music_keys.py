"""The list of keys on the page: each as a musician may spell it, and a piece's own is among them."""

from __future__ import annotations

import pytest

from studio.tasks.music.keys import key_of, names
from studio.tasks.music.melody_tokens import MODES
from tabs.music.fields import fields_of


@pytest.mark.parametrize("mode", MODES)
def test_every_key_is_there_once_by_each_name_that_a_signature_has(mode: str) -> None:
    found = names(mode)
    assert len(found) == len(set(found)) == 15, "from seven flats to seven sharps"
    tonics = [key_of(f"{name} {mode}") for name in found]
    assert None not in tonics
    assert {tonic[0] for tonic in tonics if tonic} == set(range(12))


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("Eb minor", "E♭ minor"),
        ("d#m", "D♯ minor"),
        ("fis-moll", "F♯ minor"),
        ("D", "D major"),
        ("", ""),
        ("xyz", ""),
    ],
)
def test_a_key_that_was_asked_for_in_any_way_is_one_of_the_list(asked: str, shown: str) -> None:
    assert fields_of({"parameters": {"key": asked}, "seed": 1})["key"] == shown
