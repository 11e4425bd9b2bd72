"""Adapters, Unions and depth all the way: asked for, painted, kept, made again, from the command line, as text."""

import io
from dataclasses import replace

import pytest
import tiny_pipelines
import tiny_steering
import torch
from PIL import Image, ImageDraw

from studio.cli import words
from studio.errors import StudioError
from studio.paths import Home
from studio.recipes import inspect, recipe, reproduce
from studio.request_parts import Control
from studio.requests import ImageRequest
from studio.service import Studio
from studio.settings import Settings

MODEL = """[models.{id}]
title = "{id}"
tasks = ["image"]
engine = "diffusion"
path = "{path}"
"""


def drawing():
    picture = Image.new("RGB", (48, 48), "white")
    ImageDraw.Draw(picture).rectangle((8, 8, 30, 30), fill="black")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


ASK = ImageRequest(prompt="a red heart", model="sd", width=64, height=64, steps=2, seed=5, count=1)
BY = {
    "sd": (Control("adapter", drawing(), "depth", 0.8, 0.0, 0.9, "fill"),),
    "xl": (Control("adapter-xl", drawing(), "canny"), Control("union", drawing(), "canny")),
    "z": (Control("z-net", drawing(), "canny"),),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    root = tmp_path_factory.mktemp("whole")
    made = Home.at(root / "home")
    torch.manual_seed(0)
    pipes = {
        "sd": tiny_steering.stable_diffusion(), "xl": tiny_steering.stable_diffusion_xl(),
        "z": tiny_pipelines.z_image(),
    }  # fmt: skip
    for id, pipe in pipes.items():
        pipe.save_pretrained(root / id)
        with made.own_models.open("a") as file:
            file.write(MODEL.format(id=id, path=root / id))
    nets = made.controlnets
    tiny_steering.in_makers_file(tiny_steering.adapter(), nets / "adapter.safetensors")
    tiny_steering.adapter("full_adapter_xl").save_pretrained(nets / "adapter-xl")
    tiny_steering.union(pipes["xl"].unet).save_pretrained(nets / "union")
    tiny_steering.in_diffusers_file(tiny_steering.z_image_control(pipes["z"].transformer), nets / "z-net.safetensors")
    tiny_steering.depth(made.preprocessors / "Depth-Anything-V2-Small-hf")
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


@pytest.mark.parametrize("id", BY)
def test_a_picture_names_what_steered_it_and_is_made_again_to_the_pixel(studio, id):
    assert studio.controlnets() == ("adapter", "adapter-xl", "union", "z-net")
    asked = replace(ASK, model=id, controls=BY[id])
    artifact = painted(studio.submit(asked))
    data = artifact.files[0].read_bytes()
    made = recipe.read_recipe(data)
    deep = {"Depth-Anything-V2-Small-hf"} if id == "sd" else set()
    assert made["controlnets"].keys() == {one.model for one in BY[id]} | deep
    again = reproduce.request(made, studio.source)
    assert again.controls == asked.controls
    assert pixels(painted(studio.submit(again)).files[0]) == pixels(artifact.files[0])
    assert pixels(painted(studio.submit(replace(asked, controls=()))).files[0]) != pixels(artifact.files[0])
    with Image.open(artifact.files[0]) as picture:
        text = picture.info["parameters"]
    for found in (inspect.read_settings(data), inspect.from_text(text)):
        assert found.fields["controls"] == tuple(replace(one, image=b"") for one in asked.controls)


def test_the_map_of_depth_that_is_shown_is_the_one_that_steers(studio):
    shown = io.BytesIO()
    studio.depth_map(Image.open(io.BytesIO(drawing())).convert("RGB").resize((64, 64))).save(shown, "PNG")
    by = replace(BY["sd"][0], fit="crop", image=drawing())
    size = io.BytesIO()
    Image.open(io.BytesIO(drawing())).convert("RGB").resize((64, 64)).save(size, "PNG")
    deep = painted(studio.submit(replace(ASK, controls=(replace(by, image=size.getvalue()),))))
    plain = painted(studio.submit(replace(ASK, controls=(replace(by, image=shown.getvalue(), preprocessor=""),))))
    assert pixels(deep.files[0]) == pixels(plain.files[0])


def test_the_command_line_paints_the_same(studio, home, tmp_path, capsys, monkeypatch):
    artifact = painted(studio.submit(replace(ASK, controls=BY["sd"])))
    (tmp_path / "map.png").write_bytes(drawing())
    for name, value in {"HOME": str(home.root), "OFFLINE": "1", "LANGUAGE": "en"}.items():
        monkeypatch.setenv(f"STUDIO_{name}", value)
    out = tmp_path / "out.png"
    code = words.main([
        "image", "a red heart", "--model", "sd", "--width", "64", "--height", "64", "--steps", "2", "--seed", "5",
        "--control", f"adapter={tmp_path / 'map.png'}:depth:0.8:0:0.9:fill", "--out", str(out),
    ])  # fmt: skip
    assert code == 0, capsys.readouterr()
    assert pixels(out) == pixels(artifact.files[0])


@pytest.mark.parametrize(
    ("model", "network", "preprocessor", "code"),
    [("sd", "adapter-xl", "canny", "control_wrong"), ("xl", "adapter", "canny", "control_wrong"),
     ("sd", "union", "canny", "control_wrong"), ("xl", "union", "", "control_mode"),
     ("z", "union", "", "control_wrong"), ("sd", "z-net", "canny", "control_wrong")],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_anything_loads(home, model, network, preprocessor, code):
    with Studio(Settings(home=home.root, offline=True)) as fresh:
        asked = replace(ASK, model=model, controls=(Control(network, drawing(), preprocessor),))
        with pytest.raises(StudioError) as caught:
            fresh.submit(asked)
        assert caught.value.code == code
        assert not fresh.jobs()
        assert not any(device.models for device in fresh.status().devices)
