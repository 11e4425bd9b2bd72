"""The table of engines says what the engines are."""

import ast
import inspect
import re
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import get_args

import pytest
from tiny_card import tiny_card

from studio.catalog import variants
from studio.catalog.card import Source
from studio.catalog.catalog import Catalog
from studio.catalog.engines import ENGINES, EngineFacts, Variant
from studio.engines.base import AnswersSeveral, Engine, engine
from studio.paths import Home
from studio.requests import TASKS

ROOT = Path(__file__).parents[3]
OF_FILES = {"variant"}
"""What `studio.store` reads from a card's options, for whatever engine."""
OURS = ("studio.engines", "studio.manager.backends")
"""Where engines are; that of models on other computers is a backend as well."""
SHARED = "studio.engines.shared"
IN_PARTS = f"{SHARED}.diffusers_loading"
TORCH = f"{SHARED}.torch_loading"
READ = re.compile(r'card\.options(?:\.get\(|\[)\s*"(\w+)"|"(\w+)" in (?:self\._)?card\.options')


@cache
def source(module: str) -> str:
    """The text of a module of ours; empty where there is none of that name."""
    path = ROOT / module.replace(".", "/")
    return next(
        (file.read_text("utf-8") for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), ""
    )


@cache
def reached(module: str) -> frozenset[str]:
    """The modules of engines that a module imports, wherever in its text, and those that they import."""
    found, ahead = {module}, [module]
    while ahead:
        for node in ast.walk(ast.parse(source(ahead.pop()))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OURS):
                names = {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
                fresh = {name for name in names if source(name)} - found
                found |= fresh
                ahead += fresh
    return frozenset(found)


def options(modules: frozenset[str]) -> set[str]:
    return {name for module in modules for pair in READ.findall(source(module)) for name in pair if name}


@pytest.fixture(params=ENGINES, name="facts")
def _facts(request: pytest.FixtureRequest) -> EngineFacts:
    return ENGINES[request.param]


@pytest.mark.parametrize("name", ENGINES)
def test_every_engine_lives_where_the_table_says(name: str) -> None:
    module, _, attribute = ENGINES[name].place.partition(":")
    assert type(engine(name)) is getattr(import_module(module), attribute)
    for method in ("weights", "work", "load"):
        kind = AnswersSeveral if isinstance(engine(name), AnswersSeveral) else Engine
        asked = list(inspect.signature(getattr(kind, method)).parameters)[1:]
        assert list(inspect.signature(getattr(engine(name), method)).parameters) == asked, method


def test_every_class_of_an_engine_is_in_the_table() -> None:
    classes = {
        f"{'.'.join(file.relative_to(ROOT).with_suffix('').parts)}:{name}"
        for place in OURS
        for file in (ROOT / place.replace(".", "/")).rglob("*.py")
        for name in re.findall(r"^class (\w+Engine)\b", file.read_text("utf-8"), re.MULTILINE)
    }
    assert classes == {facts.place for facts in ENGINES.values()}


def test_the_options_are_those_that_the_engine_reads(facts: EngineFacts) -> None:
    modules = reached(facts.place.partition(":")[0])
    own = options(frozenset(name for name in modules if not name.startswith(SHARED)))
    assert own <= set(facts.options)
    assert set(facts.options) <= options(modules)
    assert len(facts.options) == len(set(facts.options))


def test_what_needs_torch_is_built_with_it(facts: EngineFacts) -> None:
    modules = reached(facts.place.partition(":")[0])
    assert facts.torch == (TORCH in modules)
    assert facts.torch or not any("import torch" in source(name) for name in modules)


def test_ways_to_need_less_memory_are_ways_of_loading(facts: EngineFacts) -> None:
    if not facts.torch:  # the stand-in has all and does nothing about them
        return
    assert (
        ("offload" in facts.options)
        == ("offload" in facts.variants)
        == (IN_PARTS in reached(facts.place.split(":")[0]))
    )
    assert "quantise" in facts.options or not facts.variants


def test_the_facts_are_possible(facts: EngineFacts) -> None:
    assert set(facts.tasks) <= set(TASKS)
    assert set(facts.variants) <= set(variants.NAMES) == set(get_args(Variant))
    assert 0 < facts.linear <= 1


def test_two_engines_need_no_files_and_take_none() -> None:
    bytes_of = {"resample": 1, "remote": 0}
    assert {name for name, facts in ENGINES.items() if not facts.files} == set(bytes_of)
    for name, weights in bytes_of.items():
        card = tiny_card(Source("bundled"), 0, engine=name)
        assert not card.has_files
        assert engine(name).weights(card, Path("nowhere")) == weights


def test_ours_asks_no_engine_for_what_it_does_not_know(tmp_path: Path) -> None:
    for card in Catalog.load(Home.at(tmp_path)).cards.values():
        assert set(card.options) <= {*ENGINES[card.engine].options, *OF_FILES}, card.id


def test_an_engine_that_answers_several_at_once_builds_nothing_with_torch() -> None:
    several = {name for name in ENGINES if isinstance(engine(name), AnswersSeveral)}
    assert several == {"fake", "llama", "remote"}
    assert not any(ENGINES[name].torch for name in several)
    assert all("places" in ENGINES[name].options for name in several if not ENGINES[name].remote)


def test_the_guide_names_no_option_that_nobody_reads() -> None:
    guide = (ROOT / "docs" / "models.md").read_text("utf-8")
    listed = guide[guide.index("\nOptions: ") :].partition("\n\n")[0]
    known = {name for facts in ENGINES.values() for name in facts.options} | OF_FILES
    named = set(re.findall(r"`(\w+)`", listed)) - {"short", "normal", "long", "en", "zh", "tags"}
    assert named <= known
