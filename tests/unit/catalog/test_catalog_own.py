"""A person's own models.toml: little is needed, mistakes are named, strangers never see it."""

import re
from pathlib import Path

import pytest

from studio.catalog import own_toml
from studio.catalog.catalog import Catalog
from studio.paths import Home

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home.at(tmp_path)


def own(home: Home, text: str) -> Catalog:
    home.own_models.write_text(text, encoding="utf-8")
    empty = home.root / "catalog.toml"
    empty.write_text("")
    return Catalog.load(home, builtin=empty)


def complaints(catalog: Catalog) -> list[str]:
    return [str(problem) for problem in catalog.problems]


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
    assert (card.title, card.engine, card.licence, card.commercial) == ("mine", "text", "unknown", None)
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
        ('task = "upscale"\nhub = "owner/mine"', "upscaler"),
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
        ('task = "chat"\npath = "x.safetensors"', "give the folder"),
        ('task = "music"\npath = "x.gguf"', "llama does chat and code, not music"),
        ('task = "chat"\npath = "~nobody-of-that-name/x.gguf"', "is not a path of this machine"),
        ('task = "chat"\npath = "a\\u0000b"', "is not a path of this machine"),
        ('task = "chat"\nhub = "owner/mine-GGUF"', "name the one .gguf file"),
        ('task = "chat"\npackage = "evil==1"\nfiles = ["x.gguf"]', "say where it comes from: one of hub, path"),
        ('task = "image"\nhub = "a/b"\n[models.mine.parts.vae]\npackage = "evil==1"\nfiles = ["x"]', "one of hub"),
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
        assert any(card.own for card in catalog.cards.values()) or own_toml.folders(home.own_models)


def test_a_process_of_its_own_is_asked_for_in_the_models_table(home: Home) -> None:
    catalog = own(
        home,
        '[models.mine]\ntask = "chat"\nhub = "owner/mine"\nisolate = true\n'
        '[models.plain]\ntask = "chat"\nhub = "owner/plain"\n'
        '[models.wrong]\ntask = "chat"\nhub = "owner/wrong"\nisolate = "yes"\n',
    )
    assert (catalog.get("mine").isolate, catalog.get("plain").isolate) == (True, False)
    assert complaints(catalog) == ["models.toml: models.wrong.isolate: must be true or false"]


def test_a_gguf_file_of_ones_own_gets_a_process_of_its_own(home: Home) -> None:
    """Its reader is native code, which a damaged file can crash; ours come with their hashes."""
    catalog = own(
        home,
        '[models.mine]\ntask = "chat"\npath = "x.gguf"\n'
        '[models.known]\ntask = "chat"\npath = "y.gguf"\nisolate = false\n',
    )
    assert (catalog.get("mine").isolate, catalog.get("known").isolate) == (True, False)
    assert not any(card.isolate for card in Catalog.load(home).cards.values() if not card.own)


def test_a_file_nested_without_end_is_a_mistake_and_no_crash(home: Home) -> None:
    catalog = own(home, "a = " + "[" * 20_000 + "]" * 20_000)
    assert len(complaints(catalog)) == 1


# On another computer


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ('task = "chat"\nremote = "http://93.184.216.34/v1"', "https://"),
        ('task = "chat"\nremote = "llm.example.org"', "an address like"),
        ('task = "chat"\nremote = "https://a.example"\npath = "/x"', "say where it comes from"),
        ('task = "chat"\nremote = "https://a.example"\nengine = "llama"', "is for a model that says where"),
        ('task = "chat"\nhub = "a/b"\nengine = "remote"', "is for a model that says where"),
        ('task = "music"\nremote = "https://a.example"', "another Atelier has all tasks"),
        ('task = "chat"\nremote = "https://a.example"\noptions = { speaks = "ollama" }', "one of openai, atelier"),
        ('task = "chat"\nremote = "https://a.example"\noptions = { key = "sk-abc123" }', "not the key itself"),
        ('task = "chat"\nremote = "https://a.example"\nstarter = true', "no starter"),
        ('task = "chat"\nremote = "https://a.example"\nfiles = ["x.gguf"]', "no files here"),
    ],
)
def test_what_a_remote_model_cannot_be_is_named(home: Home, table: str, complaint: str) -> None:
    catalog = own(home, f"[models.far]\n{table}\n")
    assert catalog.cards == {}
    assert complaint in "\n".join(complaints(catalog))


def test_a_remote_model_needs_a_task_and_an_address(home: Home) -> None:
    catalog = own(home, '[models.far]\ntask = "chat"\nremote = "https://llm.example.org/v1/"\n')
    card = catalog.get("far")
    assert (card.host, card.source.address, card.has_files) == ("llm.example.org", "https://llm.example.org/v1", False)
    assert card.needed == 0


def test_one_of_ours_may_be_remote_and_strangers_see_it(home: Home, tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(
        '[models.far]\ntitle = "Far"\ntask = "music"\nremote = "https://a.example"\n'
        'licence = "MIT"\ncommercial = true\n'
        'licence_url = "https://a.example/licence"\nlanguages = ["en"]\nsummary = { en = "Far.", zh-CN = "远。" }\n'
        'options = { speaks = "atelier" }\n',
        encoding="utf-8",
    )
    home.own_models.write_text('[models.mine]\ntask = "chat"\nremote = "https://b.example"\n')
    catalog = Catalog.load(home, public=True, builtin=ours)
    assert complaints(catalog) == []
    assert set(catalog.cards) == {"far"}, "what a person wrote into models.toml is not the public's"
