"""The catalogue: ours is complete and honest, a person's own is easy, and a broken table harms only itself."""

import re
from pathlib import Path

import pytest

from studio.card_table import ENGINE_TASKS
from studio.catalog import Catalog
from studio.engines.base import ENGINES
from studio.errors import StudioError
from studio.paths import Home
from studio.types import TASKS

DOCS = Path(__file__).parents[2] / "docs"
WHOLE = """
[models.tiny]
title = "Tiny"
tasks = ["chat"]
engine = "text"
hub = "owner/tiny"
licence = "MIT"
licence_url = "https://example.org/licence"
commercial = true
parameters = 1_000
disk = "2 kB"
memory = 4_000
least_memory = "3 kB"
languages = ["en"]
summary = { en = "Small.", zh-CN = "小。" }
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path)


@pytest.fixture
def shipped(home: Home) -> Catalog:
    return Catalog.load(home)


def builtin(home: Home, text: str) -> Catalog:
    file = home.root / "catalog.toml"
    file.write_text(text, encoding="utf-8")
    return Catalog.load(home, builtin=file)


def own(home: Home, text: str) -> Catalog:
    home.own_models.write_text(text, encoding="utf-8")
    return builtin(home, "")


def complaints(catalog: Catalog) -> list[str]:
    return [str(problem) for problem in catalog.problems]


def test_ours_has_no_problem_and_serves_every_task(shipped: Catalog) -> None:
    assert complaints(shipped) == []
    for task in TASKS:
        assert len(shipped.for_task(task)) >= 4, task


def test_ours_offers_each_task_something_for_a_small_machine_and_something_better(shipped: Catalog) -> None:
    for task in TASKS:
        needs = [card.least_memory for card in shipped.for_task(task)]
        assert min(needs) <= 3_000_000_000, task
        assert max(needs) >= 5_000_000_000, task


def test_the_starter_for_chat_and_code_comes_first_and_is_checked_by_hash(shipped: Catalog) -> None:
    starter = shipped.for_task("chat")[0]
    assert starter is shipped.for_task("code")[0]
    assert starter.id == "smollm2-135m"
    assert starter.starter
    assert starter.disk_bytes == 98_362_432
    assert list(starter.source.sha256) == list(starter.source.files)


def test_sizes_of_ours_are_plausible(shipped: Catalog) -> None:
    for card in shipped.cards.values():
        assert 0.5 < card.disk_bytes / card.parameters < 4.5, card.id
        assert card.least_memory <= card.memory_bytes, card.id
        assert card.memory_bytes >= 0.5 * card.disk_bytes, card.id


def test_ours_says_what_each_model_is_good_for_in_both_languages(shipped: Catalog) -> None:
    for card in shipped.cards.values():
        assert card.summary["en"].endswith("."), card.id
        assert card.summary["zh-CN"].endswith("。"), card.id


def test_licences_that_forbid_business_are_marked(shipped: Catalog) -> None:
    for card in shipped.cards.values():
        if re.search(r"NC|Non-Commercial|Stability|NSCL", card.licence):
            assert not card.commercial, card.id


def test_every_engine_with_tasks_exists_and_ours_uses_no_other(shipped: Catalog) -> None:
    assert set(ENGINE_TASKS) < set(ENGINES)
    assert {card.engine for card in shipped.cards.values()} == set(ENGINE_TASKS)


def test_the_starter_leads_then_the_quick_then_by_size(shipped: Catalog) -> None:
    images = [card.id for card in shipped.for_task("image")]
    assert images.index("sd-turbo") < images.index("flux2-klein-4b") < images.index("stable-diffusion-15")
    chats = shipped.for_task("chat")
    assert [card.memory_bytes for card in chats] == sorted(card.memory_bytes for card in chats)


def test_an_unknown_id_is_an_error_with_a_hint(shipped: Catalog) -> None:
    with pytest.raises(StudioError, match="did you mean sd-turbo") as caught:
        shipped.get("sd-turb")
    assert caught.value.code == "unknown_model"


def test_demo_has_one_instant_model_for_each_task_and_nothing_else(home: Home) -> None:
    demo = Catalog.load(home, demo=True)
    assert set(demo.cards) == {f"demo-{task}" for task in TASKS}
    assert {card.engine for card in demo.cards.values()} == {"fake"}
    assert all(demo.for_task(task)[0].starter for task in TASKS)


def test_a_whole_table_becomes_a_card(home: Home) -> None:
    card = builtin(home, WHOLE).get("tiny")
    assert (card.disk_bytes, card.memory_bytes, card.least_memory) == (2_000, 4_000, 3_000)
    assert card.source.repo == "owner/tiny"
    assert not card.own


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('title = "Tiny"', "title = 3", "title: must be a text"),
        ('title = "Tiny"', 'titel = "Tiny"', "titel: unknown field (did you mean title?)"),
        ('["chat"]', '["chatt"]', "chatt is not one of chat, image, music, code, caption (did you mean chat?)"),
        ('["chat"]', "[]", "tasks: is empty"),
        ('"text"', '"txt"', "engine: no engine is called txt (did you mean text?)"),
        ('"text"', '"diffusion"', "engine: diffusion does image, not chat"),
        ('hub = "owner/tiny"', 'hub = "tiny"', "hub: must look like owner/name"),
        ('hub = "owner/tiny"', 'hub = "owner/../tiny"', "hub: must look like owner/name"),
        ('hub = "owner/tiny"', "", "say where it comes from: one of hub, package, bundled"),
        ('hub = "owner/tiny"', 'path = "/models/tiny"', "say where it comes from: one of hub, package, bundled"),
        ('hub = "owner/tiny"', 'package = "tiny"', "package: must look like name==version"),
        ('hub = "owner/tiny"', 'bundled = "../tiny"', "bundled: must be a name inside assets/starters"),
        ("commercial = true", "", "commercial: is missing"),
        ("commercial = true", 'commercial = "yes"', "commercial: must be true or false"),
        ('"MIT"', '""', "licence: is empty"),
        ("https:", "http:", "licence_url: must start with https://"),
        ("1_000", "-1", "parameters: must be a whole number above 0"),
        ('"2 kB"', '"2 Kilo"', "disk: must be a number of bytes above 0"),
        ("4_000", "true", "memory: must be a number of bytes above 0"),
        ("= 4_000", "= 0", "memory: must be a number of bytes above 0"),
        ('["en"]', '"en"', "languages: must be a list of texts"),
        (', zh-CN = "小。"', "", "summary.zh-CN: is missing"),
    ],
)
def test_a_wrong_value_is_named_with_file_table_and_field(home: Home, before: str, after: str, complaint: str) -> None:
    catalog = builtin(home, WHOLE.replace(before, after))
    assert any(text.startswith("catalog.toml: models.tiny.") and complaint in text for text in complaints(catalog)), (
        complaints(catalog)
    )
    assert not catalog.cards


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ('files = ["model.bin"]', "model.bin is a format that can run code"),
        ('files = ["../model.safetensors"]', "leads outside"),
        ('revision = "main"', "revision: must be a commit of the hub"),
        ('sha256 = { a = "12" }', "the hash of a must be 64"),
        ("defaults = { temprature = 1 }", "defaults.temprature: unknown setting for this task (did you mean temper"),
        ("defaults = { steps = 9 }", "defaults.steps: unknown setting for this task"),
        ("defaults = { top_k = 50 }\nlimits = { max_top_k = 40 }", "defaults.top_k: 50 lies outside"),
        ("limits = { max_tokens = 50 }", "limits.max_tokens: unknown limit (did you mean max_max_tokens?)"),
        ("limits = { context = -1 }", "limits.context: must be a number, 0 or more"),
        ('engine2 = "x"', "engine2: unknown field (did you mean engine?)"),
    ],
)
def test_a_wrong_addition_is_named(home: Home, line: str, complaint: str) -> None:
    catalog = builtin(home, WHOLE + line)
    assert complaint in "\n".join(complaints(catalog))
    assert not catalog.cards


def test_all_flaws_of_a_table_are_found_at_once(home: Home) -> None:
    catalog = builtin(home, WHOLE.replace('"MIT"', "1").replace("true", "2"))
    assert {problem.field for problem in catalog.problems} == {"licence", "commercial"}


def test_a_broken_table_does_not_take_the_others_down(home: Home) -> None:
    catalog = builtin(home, WHOLE + "\n[models.broken]\ntitle = 1\n[models.Bad_Id]\n[other]\n")
    assert list(catalog.cards) == ["tiny"]
    assert {problem.table for problem in catalog.problems} == {"models.broken", "models.Bad_Id", "other"}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[models.a]\nx = \n", "models.toml: is not TOML: Invalid value (at line 2"),
        ("models = 3", "a model's table is called [models.<id>]"),
        ("[models]\na = 1", "models.a: must be a table"),
        ("[tiny]\npath = '/x'", "tiny: a model's table is called [models.<id>]"),
    ],
)
def test_a_broken_own_file_is_reported_and_ours_stays(home: Home, text: str, complaint: str) -> None:
    home.own_models.write_text(text)
    catalog = Catalog.load(home)
    assert complaint in "\n".join(complaints(catalog))
    assert catalog.get("smollm2-135m")


def test_a_file_that_is_not_text_is_reported(home: Home) -> None:
    home.own_models.write_bytes(b"\xff\xfe\x00")
    assert "is not TOML" in complaints(Catalog.load(home))[0]


def test_an_own_model_needs_a_task_and_a_place_only(home: Home) -> None:
    card = own(home, '[models.mine]\ntask = "chat"\nhub = "owner/mine"').get("mine")
    assert card.own
    assert (card.title, card.engine, card.licence, card.commercial) == ("mine", "text", "unknown", False)
    assert (card.disk_bytes, card.memory_bytes) == (0, 0)


@pytest.mark.parametrize(
    ("lines", "engine"),
    [
        ('task = "chat"\nhub = "owner/mine-GGUF"\nfiles = ["mine.gguf"]', "llama"),
        ('task = "code"\nhub = "owner/mine"', "text"),
        ('task = "image"\nhub = "owner/mine"', "diffusion"),
        ('task = "music"\nhub = "owner/my-musicgen"', "musicgen"),
        ('task = "music"\nhub = "owner/mine"', "audio_diffusion"),
        ('task = "caption"\nhub = "owner/mine"', "caption"),
    ],
)
def test_the_engine_is_guessed_from_name_and_task(home: Home, lines: str, engine: str) -> None:
    assert own(home, f"[models.mine]\n{lines}").get("mine").engine == engine


def test_the_engine_and_the_sizes_of_local_files_are_read_from_them(home: Home) -> None:
    (home.root / "mine.gguf").write_bytes(bytes(5000))
    (home.root / "song").mkdir()
    (home.root / "song" / "config.json").write_text('{"model_type": "musicgen"}')
    (home.root / "paint" / "unet").mkdir(parents=True)
    (home.root / "paint" / "unet" / "x.safetensors").write_bytes(bytes(7000))
    catalog = own(
        home,
        '[models.a]\ntask = "chat"\npath = "mine.gguf"\n'
        '[models.b]\ntask = "music"\npath = "song"\n'
        f'[models.c]\ntask = "image"\npath = {str(home.root / "paint")!r}\n',
    )
    assert complaints(catalog) == []
    assert [catalog.get(id).engine for id in "abc"] == ["llama", "musicgen", "diffusion"]
    assert [catalog.get(id).disk_bytes for id in "abc"] == [5000, 0, 7000]
    assert catalog.get("a").source.path == str(home.root / "mine.gguf")


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        ('task = "chat"', "say where it comes from: one of hub, path"),
        ('path = "x.gguf"', "tasks: is missing"),
        ('task = "chat"\ntasks = ["code"]\npath = "x.gguf"', "give task or tasks, not both"),
        ('task = "chat"\npath = "x.ckpt"', "x.ckpt is a format that can run code"),
        ('task = "image"\npath = "x.safetensors"', "give the folder"),
        ('task = "image"\npath = "x.gguf"', "llama does chat and code, not image"),
        ('task = "chat"\npath = "~nobody-of-that-name/x.gguf"', "is not a path of this machine"),
        ('task = "chat"\npath = "a\\u0000b"', "is not a path of this machine"),
        ('task = "chat"\nhub = "owner/mine-GGUF"', "name the one .gguf file"),
        ('task = "chat"\npackage = "evil==1"\nfiles = ["x.gguf"]', "say where it comes from: one of hub, path"),
    ],
)
def test_an_own_table_that_cannot_work_says_why(home: Home, lines: str, complaint: str) -> None:
    assert complaint in "\n".join(complaints(own(home, f"[models.mine]\n{lines}")))


def test_an_own_model_cannot_take_the_name_of_ours(home: Home) -> None:
    home.own_models.write_text('[models.sd-turbo]\ntask = "image"\npath = "/x"')
    catalog = Catalog.load(home)
    assert "this id is taken" in complaints(catalog)[0]
    assert not catalog.get("sd-turbo").own


def test_strangers_get_our_models_only(home: Home) -> None:
    home.own_models.write_text('[models.mine]\ntask = "chat"\nhub = "owner/mine"')
    assert "mine" in Catalog.load(home).cards
    assert "mine" not in Catalog.load(home, public=True).cards


def test_unknown_sizes_come_last(home: Home) -> None:
    home.own_models.write_text('[models.mine]\ntask = "chat"\nhub = "owner/mine"')
    assert Catalog.load(home).for_task("chat")[-1].id == "mine"


def test_the_examples_of_the_guide_work(home: Home) -> None:
    examples = re.findall(r"```toml\n(.*?)```", (DOCS / "models.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(examples) >= 4
    for example in examples:
        home.own_models.write_text(example, encoding="utf-8")
        catalog = Catalog.load(home)
        assert complaints(catalog) == []
        assert any(card.own for card in catalog.cards.values())
