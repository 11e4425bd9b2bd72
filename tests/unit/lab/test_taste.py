"""A taste that is learnt from choices: the maximum itself, and a person whose taste is known."""

from __future__ import annotations

import numpy as np

from studio.lab import taste

NUMBERS = 256


def _pictures(count: int, seed: int) -> np.ndarray:
    """Directions as a matcher gives them: near one another, told apart by a few things."""
    dice = np.random.default_rng(seed)
    basis = np.random.default_rng(0).normal(size=(12, NUMBERS))
    made = 2 * basis[0] + dice.normal(size=(count, 12)) @ basis
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def _choices(person: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs in the order of somebody's liking: by `person`, as a linear reward."""
    first, second = _pictures(count, seed), _pictures(count, seed + 1)
    better = (first @ person > second @ person)[:, None]
    return np.where(better, first, second), np.where(better, second, first)


def _value(weights: np.ndarray, apart: np.ndarray) -> float:
    """What is maximised, written out."""
    return float(-np.log1p(np.exp(-apart @ weights)).sum() - weights @ weights / (2 * taste.PRIOR**2))


def test_the_weights_are_the_maximum() -> None:
    liked, other = _choices(np.random.default_rng(5).normal(size=NUMBERS), 10, 1)
    apart = liked - other
    weights = taste.reward_weights(apart)
    slope = (1 / (1 + np.exp(apart @ weights))) @ apart - weights / taste.PRIOR**2
    assert np.abs(slope).max() < 1e-8
    dice = np.random.default_rng(6)
    assert all(_value(weights + 0.01 * dice.normal(size=NUMBERS), apart) < _value(weights, apart) for _ in range(20))


def test_plain_gradient_ascent_comes_to_the_same() -> None:
    liked, other = _choices(np.random.default_rng(7).normal(size=NUMBERS), 6, 3)
    apart, weights = liked - other, np.zeros(NUMBERS)
    for _ in range(20_000):
        weights += 0.2 * ((1 / (1 + np.exp(apart @ weights))) @ apart - weights / taste.PRIOR**2)
    assert np.allclose(weights, taste.reward_weights(apart), atol=1e-5)


def test_people_with_a_known_taste_are_found() -> None:
    """Each looks at one thing alone, of twelve; what is foretold are pairs that were never shown."""
    right: dict[int, list[float]] = {1: [], taste.ENOUGH: [], 40: []}
    for number, person in enumerate(np.random.default_rng(0).normal(size=(12, NUMBERS))[1:]):
        liked, other = _choices(person, 400, 1_000 + 10 * number)
        for count, found in right.items():
            learnt = taste.learn(*_choices(person, count, 10 * number))
            found.append(float((learnt.rewards(liked) > learnt.rewards(other)).mean()))
    assert 0.5 < np.mean(right[1]) < np.mean(right[taste.ENOUGH]) < np.mean(right[40])
    assert np.mean(right[taste.ENOUGH]) > 0.7
    assert np.mean(right[40]) > 0.85


def test_more_choices_tell_more() -> None:
    person = np.random.default_rng(0).normal(size=(12, NUMBERS))[3]
    learnt = taste.learn(*_choices(person, 60, 50))
    liked, other = _choices(person, 400, 2_000)
    assert float((learnt.rewards(liked) > learnt.rewards(other)).mean()) > 0.88
    assert learnt.agrees > 0.75


def test_who_chooses_at_random_is_not_said_to_agree() -> None:
    first, second = _pictures(60, 4), _pictures(60, 5)
    assert 0.25 < taste.learn(first, second).agrees < 0.75


def test_without_choices_everything_is_worth_the_same() -> None:
    nothing = taste.learn(np.zeros((0, NUMBERS)), np.zeros((0, NUMBERS)))
    assert not nothing.weights.any()
    assert not nothing.rewards(_pictures(5, 1)).any()


def test_what_was_learnt_is_said_in_words() -> None:
    dice = np.random.default_rng(3)
    words = dice.normal(size=(20, NUMBERS))
    names = [f"word {number}" for number in range(20)]
    most, least = taste.in_words(taste.Taste(words[7] - words[2], 1.0), names, words, most=3)
    assert most[0] == "word 7"
    assert least[0] == "word 2"
    assert not set(most) & set(least)


def test_a_pair_is_the_same_for_the_same_seed_and_of_two_things() -> None:
    assert taste.prompts(4, "en") == taste.prompts(4, "en") != taste.prompts(5, "en")
    for seed in range(50):
        first, second = (prompt.split(", ") for prompt in taste.prompts(seed, "en"))
        assert first[0] != second[0]
        assert first[1] != second[1]


def test_a_pair_is_said_in_chinese() -> None:
    assert all(not any("a" <= letter <= "z" for letter in prompt) for prompt in taste.prompts(4, "zh-CN"))
