"""A picture held to another one, all the way: asked for, painted by a real class, kept, restored, made again."""

import io
from dataclasses import replace

import pytest
import tiny_controls
import tiny_pipelines
import torch
from PIL import Image, ImageDraw

from studio.cli import words
from studio.errors import StudioError
from studio.paths import Home
from studio.recipes import inspect, recipe, reproduce
from studio.request_parts import Axis, Control
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings

MODEL = """[models.{id}]
title = "{id}"
tasks = ["image"]
engine = "diffusion"
path = "{path}"
"""


def drawing() -> bytes:
    picture = Image.new("RGB", (48, 48), "white")
    ImageDraw.Draw(picture).rectangle((8, 8, 30, 30), fill="black")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


ASK = ImageRequest(
    prompt="a red heart", model="tiny", width=64, height=64, steps=2, seed=5, count=1,
    controls=(Control("edges", drawing(), "canny", 0.8, 0.0, 0.9, "fill"),),
)  # fmt: skip


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with tiny models of Stable Diffusion and XL, and a ControlNet of each."""
    root = tmp_path_factory.mktemp("whole")
    made = Home.at(root / "home")
    for id, kind, network in (("tiny", "stable_diffusion", "edges"), ("wide", "stable_diffusion_xl", "broad")):
        torch.manual_seed(0)
        pipe = getattr(tiny_pipelines, kind)()
        pipe.save_pretrained(root / id)
        tiny_controls.made_for(pipe.unet).save_pretrained(made.controlnets / network)
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


def test_a_picture_names_its_controls_and_is_made_again_to_the_pixel(studio):
    assert studio.controlnets() == ("broad", "edges")
    artifact = painted(studio.submit(ASK))
    data = artifact.files[0].read_bytes()
    made = recipe.read_recipe(data)
    assert made["controlnets"].keys() == {"edges"}
    again = reproduce.request(made, studio.source)
    assert again.controls == ASK.controls
    second = painted(studio.submit(again))
    assert pixels(second.files[0]) == pixels(artifact.files[0])
    without = painted(studio.submit(replace(ASK, controls=())))
    assert pixels(without.files[0]) != pixels(artifact.files[0])
    found = inspect.read_settings(data)
    (control,) = found.fields["controls"]
    assert (control.model, control.preprocessor, control.weight, control.fit) == ("edges", "canny", 0.8, "fill")
    with Image.open(artifact.files[0]) as picture:
        assert 'ControlNet 0: "Module: canny, Model: edges, Weight: 0.8' in picture.info["parameters"]


def test_the_command_line_paints_the_same(studio, home, tmp_path, capsys, monkeypatch):
    artifact = painted(studio.submit(ASK))
    (tmp_path / "map.png").write_bytes(drawing())
    for name, value in {"HOME": str(home.root), "OFFLINE": "1", "LANGUAGE": "en"}.items():
        monkeypatch.setenv(f"STUDIO_{name}", value)
    out = tmp_path / "out.png"
    code = words.main([
        "image", "a red heart", "--model", "tiny", "--width", "64", "--height", "64", "--steps", "2", "--seed", "5",
        "--control", f"edges={tmp_path / 'map.png'}:canny:0.8:0:0.9:fill", "--out", str(out),
    ])  # fmt: skip
    assert code == 0, capsys.readouterr()
    assert pixels(out) == pixels(artifact.files[0])


@pytest.mark.parametrize(
    ("model", "network", "code"),
    [("tiny", "broad", "control_wrong"), ("wide", "edges", "control_wrong"), ("tiny", "x", "no_control")],
)
def test_what_does_not_fit_is_refused_before_anything_loads(home, model, network, code):
    with Studio(Settings(home=home.root, offline=True)) as fresh:
        asked = replace(ASK, model=model, controls=(Control(network, drawing()),))
        for start in (lambda: fresh.submit(asked), lambda: fresh.submit_grid(asked, Axis("steps", ("1,2",)), None)):
            with pytest.raises(StudioError) as caught:
                start()
            assert caught.value.code == code
        assert not fresh.jobs()
        assert not any(device.models for device in fresh.status().devices)
