"""How many jobs somebody may start in a while."""

from __future__ import annotations

import pytest

from studio.errors import StudioError
from studio.jobs import rates
from studio.jobs.rates import ALL, PERSON, PERSON_SECONDS, Rates
from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.service import Studio
from studio.settings import Settings


def refused(known: Rates, who: str) -> int:
    """Seconds that somebody is told to wait."""
    with pytest.raises(StudioError) as caught:
        known.count(("", who))
    assert caught.value.code == "too_often"
    return int(caught.value.params["seconds"])


def test_somebody_may_start_some_at_once_and_then_one_in_a_while() -> None:
    now = [0.0]
    known = Rates(lambda: now[0])
    for _ in range(PERSON):
        known.count(("", "a"))
    assert refused(known, "a") == PERSON_SECONDS
    known.count(("", "b"))
    now[0] += PERSON_SECONDS
    known.count(("", "a"))
    assert refused(known, "a") == PERSON_SECONDS


def test_people_who_know_the_password_have_more() -> None:
    known = Rates(lambda: 0.0, times=20)
    for _ in range(20 * PERSON):
        known.count(("", "a"))
    assert refused(known, "a") == 1


def test_all_together_have_a_bound_too() -> None:
    now = [0.0]
    known = Rates(lambda: now[0])
    for number in range(ALL):
        known.count(("", str(number)))
    assert refused(known, "somebody new") >= 1


def test_people_are_forgotten_and_do_not_pile_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "KNOWN", 10)
    known = Rates(lambda: 0.0)
    for number in range(50):
        known.count(("", str(number)))
    assert len(known._people) == 10


@pytest.mark.parametrize(("profile", "held"), [("local", False), ("space", True)])
def test_a_public_studio_counts_and_ones_own_does_not(settings: Settings, profile: str, held: bool) -> None:
    with Studio(settings.model_copy(update={"profile": profile})) as studio:
        request, told = ChatRequest(messages=(Message("user", "hi"),)), ""
        try:
            for _ in range(PERSON + 3):
                studio.submit(request, "me").result()
        except StudioError as error:
            told = error.code
        assert told == ("too_often" if held else "")
