"""A picture that was shown another one, all the way: asked for, painted by a real class, kept, restored, made again."""

import io
from dataclasses import replace

import pytest
import tiny_pipelines
import tiny_references
import torch
from PIL import Image, ImageDraw

from studio.cli import words
from studio.errors import StudioError
from studio.paths import Home
from studio.recipes import inspect, recipe, reproduce
from studio.request_parts import Axis, Reference
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings

MODEL = """[models.{id}]
title = "{id}"
tasks = ["image"]
engine = "diffusion"
path = "{path}"
"""


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def drawing() -> bytes:
    picture = Image.new("RGB", (48, 48), "white")
    ImageDraw.Draw(picture).rectangle((8, 8, 30, 30), fill="navy")
    return png(picture)


HALF = Image.new("L", (64, 64), 0)
HALF.paste(255, (0, 0, 32, 64))
ASK = ImageRequest(
    prompt="a red heart", model="tiny", width=64, height=64, steps=2, seed=5, count=1,
    references=(Reference("face", drawing(), 0.8, 0.0, 0.9, mask=png(HALF)),),
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with tiny models of Stable Diffusion and XL, an IP-Adapter of each, and their image encoder."""
    root = tmp_path_factory.mktemp("whole")
    made = Home.at(root / "home")
    tiny_references.encoder(made.ipadapters / "image_encoder")
    for id, kind, adapter in (("tiny", "stable_diffusion", "face"), ("wide", "stable_diffusion_xl", "broad")):
        torch.manual_seed(0)
        pipe = getattr(tiny_pipelines, kind)()
        pipe.save_pretrained(root / id)
        tiny_references.adapter(pipe.unet, made.ipadapters / f"{adapter}.safetensors", "plus")
        with made.own_models.open("a") as file:
            file.write(MODEL.format(id=id, path=root / id))
    return made


@pytest.fixture(scope="module")
def studio(home):
    with Studio(Settings(home=home.root, offline=True)) as studio:
        yield studio


def painted(job):
    last = list(job.events())[-1]
    assert last.kind == "done", last.error
    return last.artifact


def pixels(file):
    with Image.open(file) as picture:
        return picture.convert("RGB").tobytes()


def test_a_picture_names_its_references_and_is_made_again_to_the_pixel(studio):
    assert studio.ipadapters() == ("broad", "face")
    before = painted(studio.submit(replace(ASK, references=())))
    artifact = painted(studio.submit(ASK))
    data = artifact.files[0].read_bytes()
    made = recipe.read_recipe(data)
    assert made["ipadapters"].keys() == {"face", "face/image_encoder"}
    again = reproduce.request(made, studio.source)
    assert again.references == ASK.references
    second = painted(studio.submit(again))
    assert pixels(second.files[0]) == pixels(artifact.files[0])
    after = painted(studio.submit(replace(ASK, references=())))
    assert pixels(before.files[0]) == pixels(after.files[0]) != pixels(artifact.files[0])
    (shown,) = inspect.read_settings(data).fields["references"]
    assert (shown.model, shown.weight, shown.end, shown.use) == ("face", 0.8, 0.9, "")
    with Image.open(artifact.files[0]) as picture:
        assert 'ControlNet 0: "Module: ip-adapter-auto, Model: face, Weight: 0.8' in picture.info["parameters"]


def test_the_command_line_paints_the_same(studio, home, tmp_path, capsys, monkeypatch):
    artifact = painted(studio.submit(ASK))
    (tmp_path / "face.png").write_bytes(drawing())
    (tmp_path / "half.png").write_bytes(png(HALF))
    for name, value in {"HOME": str(home.root), "OFFLINE": "1", "LANGUAGE": "en"}.items():
        monkeypatch.setenv(f"STUDIO_{name}", value)
    out = tmp_path / "out.png"
    code = words.main([
        "image", "a red heart", "--model", "tiny", "--width", "64", "--height", "64", "--steps", "2", "--seed", "5",
        "--reference", f"face={tmp_path / 'face.png'}:0.8:0:0.9", "--reference-mask", f"1={tmp_path / 'half.png'}",
        "--out", str(out),
    ])  # fmt: skip
    assert code == 0, capsys.readouterr()
    assert pixels(out) == pixels(artifact.files[0])


@pytest.mark.parametrize(
    ("model", "changes", "code"),
    [
        ("tiny", {"model": "broad"}, "reference_wrong"), ("wide", {"model": "face"}, "reference_wrong"),
        ("tiny", {"model": "x"}, "no_reference"), ("tiny", {"use": "style"}, "reference_use"),
        ("tiny", {"mask": png(Image.new("L", (8, 8), 0))}, "mask_empty"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_loads(home, model, changes, code):
    with Studio(Settings(home=home.root, offline=True)) as fresh:
        asked = replace(ASK, model=model, references=(replace(ASK.references[0], **changes),))
        for start in (lambda: fresh.submit(asked), lambda: fresh.submit_grid(asked, Axis("steps", ("1,2",)), None)):
            with pytest.raises(StudioError) as caught:
                start()
            assert caught.value.code == code
        assert not fresh.jobs()
        assert not any(device.models for device in fresh.status().devices)
