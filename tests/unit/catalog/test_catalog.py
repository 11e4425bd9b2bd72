"""Our catalogue is complete and honest, and a broken table harms only itself."""

import re
from pathlib import Path

import pytest

from studio.catalog.catalog import FEW_STEPS, Catalog
from studio.catalog.engines import ENGINES
from studio.errors import StudioError
from studio.lab import small
from studio.paths import Home
from studio.requests import TASKS
from studio.tasks.limits import NUMBERS, bound
from tabs import TABS

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


def complaints(catalog: Catalog) -> list[str]:
    return [str(problem) for problem in catalog.problems]


def test_ours_has_no_problem_and_serves_every_task(shipped: Catalog) -> None:
    assert complaints(shipped) == []
    for task in TASKS:
        assert len(shipped.for_task(task)) >= (4 if task in TABS else 3), task


def test_ours_offers_each_task_something_for_a_small_machine_and_something_better(shipped: Catalog) -> None:
    for task in TABS:
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
        if not card.has_files:
            continue
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
            assert card.commercial is not True, card.id


def test_ours_uses_every_engine_but_the_stand_in_and_those_for_what_is_ones_own(shipped: Catalog) -> None:
    # nobody could look up what a converted folder holds; upscalers of one file have no publisher that could be checked
    # and which other computers there are is for everybody to say
    own_only = {"audiocraft", "upscale_network", "remote"}
    of_the_lab = {
        card.engine for card in (small.gan(), small.matcher(shipped))
    }  # nothing can be asked of them in a tab
    assert {card.engine for card in shipped.cards.values()} == set(ENGINES) - own_only - of_the_lab - {"fake"}
    assert all(not ENGINES[name].tasks for name in of_the_lab)


def test_defaults_of_ours_lie_inside_the_limits_of_the_studio(shipped: Catalog) -> None:
    for card in shipped.cards.values():
        for task in card.tasks:
            for field in set(card.defaults) & set(NUMBERS[task]):
                row = bound(task, field, card)
                assert row.low <= card.defaults[field] <= row.high, (card.id, field)
                assert card.defaults[field] % row.multiple == 0 or not row.whole, (card.id, field)


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
        ('["chat"]', '["chatt"]', "chatt is not one of chat, image, music, code, caption, upscale (did you mean"),
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


PARTS = """
[models.tiny.parts.text_encoder]
package = "tiny-words==1.0"
files = ["words/config.json", "words/model.safetensors"]
rename = { "words/model.safetensors" = "weights.safetensors" }
disk = "5 MB"
[models.tiny.parts.preview]
hub = "owner/decoder"
optional = true
"""


def test_a_model_says_where_its_parts_come_from(home: Home) -> None:
    words, preview = builtin(home, WHOLE + PARTS).get("tiny").parts
    assert (words.folder, words.source.package, words.source.version) == ("text_encoder", "tiny-words", "1.0")
    assert [words.target(name) for name in words.source.files] == ["config.json", "weights.safetensors"]
    assert (words.optional, words.disk_bytes) == (False, 5_000_000)
    assert (preview.folder, preview.source.repo, preview.optional) == ("preview", "owner/decoder", True)
    assert preview.target("deep/config.json") == "deep/config.json"


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("parts.preview", 'parts."../preview"', "parts.../preview: is the name of a folder"),
        ("parts.preview", "parts.Preview", "parts.Preview: is the name of a folder"),
        ("optional = true", "optional = 1", "parts.preview.optional: must be true or false"),
        ("optional = true", "needed = false", "parts.preview.needed: unknown field"),
        ('hub = "owner/decoder"', 'bundled = "decoder"', "parts.preview.bundled: "),
        ('hub = "owner/decoder"', 'hub = "decoder"', "parts.preview.hub: must look like owner/name"),
        ('"words/config.json"', '"words/config.bin"', "words/config.bin is a format that can run code"),
        ('"words/config.json"', '"../config.json"', "../config.json leads outside"),
        ('"words/config.json"', '"other/weights.safetensors"', "two files would get the same name"),
        ('= "weights.safetensors"', '= "../weights.safetensors"', "rename: the new name of"),
        ('{ "words/model', '{ "model', "model.safetensors is not one of the files"),
        ("==1.0", "", "parts.text_encoder.package: must look like name==version"),
        ('disk = "5 MB"', "disk = 0", "parts.text_encoder.disk: must be a number of bytes"),
    ],
)
def test_a_wrong_part_is_named(home: Home, before: str, after: str, complaint: str) -> None:
    assert PARTS.count(before) == 1, before
    catalog = builtin(home, WHOLE + PARTS.replace(before, after))
    assert complaint in "\n".join(complaints(catalog))
    assert not catalog.cards


def test_a_model_of_one_file_and_one_on_this_machine_have_no_parts(home: Home) -> None:
    single = WHOLE.replace('"text"', '"llama"').replace("commercial", 'files = ["a.gguf"]\ncommercial')
    assert "a single file has no folder" in "\n".join(complaints(builtin(home, single + PARTS)))
    home.own_models.write_text(f'[models.mine]\ntask = "chat"\npath = "x"\n{PARTS.replace("tiny.", "mine.")}')
    assert any("only a model that is fetched" in text for text in complaints(Catalog.load(home)))


def test_few_step_models_of_ours_come_first_and_show_the_picture_where_a_decoder_exists(shipped: Catalog) -> None:
    images = [card for card in shipped.for_task("image") if not card.starter]
    quick = [card.defaults["steps"] <= FEW_STEPS for card in images]
    assert quick == sorted(quick, reverse=True)
    for card in images:
        assert (card.options.get("preview") == "taesd") == any(part.folder == "preview" for part in card.parts), card.id
        assert all(part.optional for part in card.parts), card.id


def test_upscaling_needs_no_model_and_the_one_without_comes_last(shipped: Catalog) -> None:
    cards = shipped.for_task("upscale")
    assert [card.id for card in cards] == ["swin2sr-x2", "swin2sr-x4", "lanczos"]
    assert (cards[-1].source.kind, cards[-1].source.path, cards[-1].disk_bytes) == ("bundled", "", 0)
    assert all(len(card.source.revision) == 40 for card in cards[:-1])


def test_all_flaws_of_a_table_are_found_at_once(home: Home) -> None:
    catalog = builtin(home, WHOLE.replace('"MIT"', "1").replace("true", "2"))
    assert {problem.field for problem in catalog.problems} == {"licence", "commercial"}


def test_a_broken_table_does_not_take_the_others_down(home: Home) -> None:
    catalog = builtin(home, WHOLE + "\n[models.broken]\ntitle = 1\n[models.Bad_Id]\n[other]\n")
    assert list(catalog.cards) == ["tiny"]
    assert {problem.table for problem in catalog.problems} == {"models.broken", "models.Bad_Id", "other"}
