"""Pictures edited with words by the real classes, in the published layouts: engine, studio, command line, recipe."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny_editors
import torch
from PIL import Image
from tiny import Recorder, load
from tiny_pipelines import pixels

from studio.catalog.card import Card, Source
from studio.cli import words
from studio.engines.image.diffusion import DiffusionEngine
from studio.errors import StudioError
from studio.paths import Home
from studio.recipes import inspect, recipe, reproduce
from studio.request_parts import Control
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings
from studio.store.disk import look

SEVERAL = ("flux2_klein", "qwen_image_edit_plus")
MODEL = '[models.{id}]\ntitle = "{id}"\ntasks = ["image"]\nengine = "diffusion"\npath = "{path}"\n'


def named(kind: str) -> str:
    return "tiny-" + kind.replace("_", "-")


def png(width: int, height: int, seed: int = 0) -> bytes:
    out = io.BytesIO()
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    Image.fromarray(noise).save(out, "PNG")
    return out.getvalue()


ONE, TWO = png(128, 64), png(64, 96, 1)
ASK = ImageRequest(
    prompt="make it night", width=64, height=32, steps=2, guidance_scale=2.5, seed=5, strength=0.5,
    hires_strength=0.5, variation_seed=0, pictures=(ONE,),
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def small():
    with tiny_editors.small():
        yield


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    for kind in tiny_editors.KINDS:
        torch.manual_seed(0)
        made[kind] = tmp_path_factory.mktemp(kind)
        tiny_editors.make(kind).save_pretrained(made[kind])
    return made


@pytest.fixture(scope="module")
def editors(folders):
    models = {}

    def get(kind):
        if kind not in models:
            models[kind] = load(DiffusionEngine(), folders[kind])
        return models[kind]

    yield get
    for model in models.values():
        model.close()


@pytest.mark.parametrize("kind", tiny_editors.KINDS)
def test_the_studio_paints_what_the_bare_library_paints(editors, kind):
    model = editors(kind)
    batch = model.run(replace(ASK, count=2), Recorder())
    assert [picture.size for picture in batch.images] == [(64, 32)] * 2
    assert pixels(model.run(replace(ASK, seed=6), Recorder())) == pixels(batch)[1:]
    pipe = model._family.pipe
    pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config)
    scale = {"guidance_scale": 2.5}
    if kind.startswith("qwen"):
        scale = {"true_cfg_scale": 2.5, "negative_prompt": " "}
    if kind == "flux_kontext":
        scale["max_area"] = 64 * 32
    bare = pipe(
        prompt="make it night", image=Image.open(io.BytesIO(ONE)), width=64, height=32, num_inference_steps=2,
        generator=torch.Generator("cpu").manual_seed(5), **scale,
    ).images[0]  # fmt: skip
    assert pixels(batch)[0] == bare.tobytes()
    assert pixels(model.run(replace(ASK, pictures=(TWO,)), Recorder())) != pixels(batch)[:1]
    assert pixels(model.run(replace(ASK, prompt="hello world"), Recorder())) != pixels(batch)[:1]
    assert not batch.notes or batch.notes == (("no_guidance", {}),)


@pytest.mark.parametrize("kind", SEVERAL)
def test_every_picture_and_their_order_have_a_say(editors, kind):
    model = editors(kind)
    found = [pixels(model.run(replace(ASK, pictures=given), Recorder())) for given in ((ONE,), (ONE, TWO), (TWO, ONE))]
    assert found[0] != found[1] != found[2] != found[0]


def test_what_goes_in_may_be_tiny_transparent_and_moving(editors):
    out = io.BytesIO()
    frames = [Image.new("RGBA", (20, 12), (255, 0, 0, alpha)) for alpha in (90, 0)]
    frames[0].save(out, "PNG", save_all=True, append_images=frames[1:])
    made = editors("flux2_klein").run(replace(ASK, pictures=(out.getvalue(), ONE)), Recorder())
    assert {name for name, _ in made.notes} == {"flattened", "first_frame", "no_guidance"}


def test_words_alone_still_paint_and_a_kontext_keeps_the_size_that_was_asked_for(editors):
    for kind in ("flux2_klein", "flux_kontext"):
        made = editors(kind).run(replace(ASK, pictures=(), width=32, height=96), Recorder())
        assert made.images[0].size == (32, 96)


def test_memory_is_reserved_for_each_picture():
    card = Card(
        id="m", title="M", tasks=("image",), engine="diffusion", source=Source("local"), licence="", licence_url="",
        commercial=None, parameters=1, disk_bytes=1, memory_bytes=1, least_memory=1, languages=(), summary={},
    )  # fmt: skip
    large = replace(ASK, width=1024, height=1024)
    needs = [DiffusionEngine().work(card, replace(large, pictures=(ONE,) * count)) for count in range(5)]
    assert needs[0] == DiffusionEngine().work(card, replace(large, pictures=()))
    assert needs == sorted(needs)
    assert needs[4] > needs[0]
    assert DiffusionEngine().work(card, ASK) > 2_000_000_000, "reading takes more than so small a painting"


# All the way

WHOLE = replace(ASK, width=128, height=64)
"""Large enough for what people may ask for."""


@pytest.fixture(scope="module")
def home(folders, tmp_path_factory):
    made = Home.at(tmp_path_factory.mktemp("home"))
    tables = [MODEL.format(id=named(kind), path=folder) for kind, folder in folders.items()]
    made.own_models.write_text("".join(tables))
    return made


@pytest.fixture(scope="module")
def studio(home):
    with Studio(Settings(home=home.root, offline=True)) as studio:
        yield studio


def painted(job):
    last = list(job.events())[-1]
    assert last.kind == "done", last.error
    return last.artifact


def shown(file: Path) -> bytes:
    with Image.open(file) as picture:
        return picture.convert("RGB").tobytes()


def test_a_folder_says_by_itself_how_many_pictures_its_model_edits(studio, folders):
    counts = dict(zip(map(named, tiny_editors.KINDS), ((0, 4), (0, 1), (1, 1), (1, 3)), strict=True))
    assert {id: studio.catalog.get(id).pictures for id in counts} == counts
    found = look._folder(folders["qwen_image_edit_plus"], ["model_index.json"])
    assert found is not None
    assert (found.engine, found.weights.family, found.reason) == ("diffusion", "qwen-image", "")


def test_an_edited_picture_is_kept_with_its_pictures_restored_and_made_again(
    studio, home, tmp_path, capsys, monkeypatch
):
    model = "tiny-qwen-image-edit-plus"
    asked = replace(WHOLE, model=model, pictures=(ONE, TWO))
    artifact = painted(studio.submit(asked))
    data = artifact.files[0].read_bytes()
    made = recipe.read_recipe(data)
    again = reproduce.request(made, studio.source)
    assert again.pictures == asked.pictures
    assert shown(painted(studio.submit(again)).files[0]) == shown(artifact.files[0])
    assert inspect.read_settings(data).fields["pictures"] == (b"", b"")
    with Image.open(artifact.files[0]) as picture:
        told = inspect.from_text(picture.info["parameters"])
    assert (told.fields["pictures"], told.unknown) == ((b"", b""), ())
    for name, file in (("one.png", ONE), ("two.png", TWO)):
        (tmp_path / name).write_bytes(file)
    for name, value in {"HOME": str(home.root), "OFFLINE": "1", "LANGUAGE": "en"}.items():
        monkeypatch.setenv(f"STUDIO_{name}", value)
    out = tmp_path / "out.png"
    code = words.main([
        "image", "make it night", "--model", model, "--width", "128", "--height", "64", "--steps", "2", "--guidance",
        "2.5", "--seed", "5", "--picture", str(tmp_path / "one.png"), "--picture", str(tmp_path / "two.png"),
        "--out", str(out),
    ])  # fmt: skip
    assert code == 0, capsys.readouterr()
    assert shown(out) == shown(artifact.files[0])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"model": "tiny-qwen-image-edit", "pictures": ()}, "edit_nothing"),
        ({"model": "tiny-qwen-image-edit", "pictures": (ONE, TWO)}, "too_many_pictures"),
        ({"model": "tiny-flux-kontext", "image": ONE}, "edit_and_start"),
        ({"model": "tiny-flux2-klein", "pictures": (png(900, 100),)}, "picture_too_long"),
        ({"model": "painter-from-words"}, "no_editing"),
        ({"model": "tiny-flux2-klein", "pictures": (ONE,), "controls": (Control("edges", ONE),)}, "no_control"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_loads(home, folders, changes, code):
    extra = MODEL.format(id="painter-from-words", path=folders["flux2_klein"]) + "limits = { max_pictures = 0 }\n"
    written = home.own_models.read_text()
    home.own_models.write_text(written + extra)
    try:
        with Studio(Settings(home=home.root, offline=True)) as fresh:
            with pytest.raises(StudioError) as caught:
                fresh.submit(replace(WHOLE, **changes))
            assert caught.value.code == code
            assert not fresh.jobs()
            assert not any(device.models for device in fresh.status().devices)
    finally:
        home.own_models.write_text(written)
