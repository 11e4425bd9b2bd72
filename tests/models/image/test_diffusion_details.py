"""Details of a finished picture painted again: found by a real detector's class, put back to the pixel."""

import io
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny_detectors
from PIL import Image
from tiny import CPU, Recorder, card
from tiny_pipelines import pixels

from studio.engines.image import details
from studio.engines.image.details import Detectors
from studio.errors import StudioError
from studio.request_parts import Detail, Region
from studio.requests import ImageRequest

ASK = ImageRequest(prompt="a red heart", width=64, height=64, steps=3, guidance_scale=4.0, seed=5, mask_padding=4)
FACE = Detail("faces", 0.8)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    home = tmp_path_factory.mktemp("detectors")
    tiny_detectors.yolos(home / "faces", [((0.5, 0.25, 0.25, 0.25), 0.9), ((0.5, 0.26, 0.25, 0.25), 0.8)])
    tiny_detectors.yolos(home / "two", [((0.25, 0.25, 0.25, 0.25), 0.9), ((0.75, 0.75, 0.25, 0.25), 0.6)])
    boxes = [((0.25, 0.25, 0.25, 0.25), 0.9), ((0.75, 0.75, 0.25, 0.25), 0.9)]
    tiny_detectors.yolos(home / "mixed", boxes, ("cat", "left hand"))
    return home


@pytest.fixture
def small(painters, monkeypatch):
    """The tiny painters, with a size of their own that goes with it: details are painted at that."""

    def small(kind="stable_diffusion"):
        model = painters(kind)
        monkeypatch.setattr(model, "_card", replace(model._card, defaults={"width": 64, "height": 64}))
        return model

    return small


@pytest.fixture
def run(small, found):
    return lambda request, kind="stable_diffusion": small(kind).run(request, Recorder(adapters=found))


@pytest.fixture
def boxes(found):
    def boxes(name, confidence=0.5, size=(64, 64)):
        loaded = Detectors(card("diffusers"), CPU)
        detail = Detail(name, confidence=confidence)
        loaded.apply((detail,), (found,))
        return loaded.boxes(Image.new("RGB", size), detail)

    return boxes


def changed(made: bytes, before: bytes, size=(64, 64)) -> np.ndarray:
    """Where two pictures differ."""
    shape = (size[1], size[0], 3)
    return (np.frombuffer(made, np.uint8).reshape(shape) != np.frombuffer(before, np.uint8).reshape(shape)).any(-1)


def test_boxes_are_in_pixels_a_little_larger_and_each_thing_once(boxes):
    assert boxes("faces") == [(22, 6, 42, 26)]
    assert boxes("faces", size=(128, 64)) == [(44, 6, 84, 26)]
    assert len(boxes("two")) == 2
    assert len(boxes("two", 0.7)) == 1
    assert boxes("two", 0.95) == []


def test_of_a_detector_that_knows_hands_only_those_are_painted(boxes):
    assert boxes("mixed") == [(38, 38, 58, 58)]


def test_a_detail_is_painted_in_its_box_and_nothing_else_changes(run):
    plain = pixels(run(ASK))[0]
    made = pixels(run(replace(ASK, details=(FACE,))))[0]
    apart = changed(made, plain)
    assert apart[6:26, 22:42].mean() > 0.5
    apart[6:26, 22:42] = False
    assert not apart.any()
    assert pixels(run(replace(ASK, details=(FACE,))))[0] == made
    assert pixels(run(replace(ASK, details=(replace(FACE, strength=0.0),))))[0] == plain
    assert pixels(run(replace(ASK, details=(replace(FACE, prompt="hello world"),))))[0] != made
    assert pixels(run(ASK))[0] == plain


def test_every_box_and_every_detector_has_its_turn(run):
    plain = pixels(run(ASK))[0]
    both = changed(pixels(run(replace(ASK, details=(Detail("two", 0.8),))))[0], plain)
    assert both[8:24, 8:24].any()
    assert both[40:56, 40:56].any()
    more = changed(pixels(run(replace(ASK, details=(Detail("two", 0.8), FACE))))[0], plain)
    assert more[8:24, 26:40].any()
    assert more[40:56, 40:56].any()


def test_a_picture_that_is_there_keeps_its_size_and_all_but_the_box(run):
    given = Image.linear_gradient("L").resize((200, 120)).convert("RGB")
    out = io.BytesIO()
    given.save(out, "PNG")
    asked = replace(ASK, image=out.getvalue(), strength=0.0, details=(FACE,))
    output = run(asked)
    assert output.images[0].size == given.size
    apart = changed(output.images[0].tobytes(), given.tobytes(), given.size)
    assert apart.any()
    assert not apart[:, :60].any()
    assert not apart[60:].any()


@pytest.mark.parametrize("kind", ["latent_consistency", "stable_diffusion_xl"])
def test_other_painters_detail_too(run, kind):
    assert pixels(run(replace(ASK, details=(FACE,)), kind)) != pixels(run(ASK, kind))


def test_a_batch_is_its_single_pictures_with_regions_and_seams(run):
    white = io.BytesIO()
    Image.new("L", (8, 8), 255).save(white, "PNG")
    asked = replace(
        ASK, details=(FACE,), seamless="both", regions=(Region("hello world", white.getvalue()),), hires_scale=2.0,
        hires_strength=0.5,
    )  # fmt: skip
    batch = pixels(run(replace(asked, count=2)))
    assert batch == [pixels(run(replace(asked, seed=5 + number)))[0] for number in range(2)]
    other = replace(asked, details=(replace(FACE, prompt="a red heart"),))
    assert pixels(run(other))[0] != batch[0], "the prompt of the region counts in a detail of it"


def test_progress_counts_what_was_found(small, found):
    context = Recorder(adapters=found)
    small().run(replace(ASK, details=(Detail("two", 0.8),)), context)
    done, total = context.steps[-1]
    assert done == total > 3


def test_what_cannot_be_read_is_refused(small, found, tmp_path):
    for name, config in {
        "backbone": {"model_type": "detr", "architectures": ["DetrForObjectDetection"], "use_timm_backbone": True},
        "foreign": {
            "model_type": "owl",
            "architectures": ["OwlViTForObjectDetection"],
            "auto_map": {"AutoModel": "x.y"},
        },
    }.items():
        shutil.copytree(found / "faces", tmp_path / name)
        (tmp_path / name / "config.json").write_text(json.dumps(config))
    shutil.copytree(found / "faces", tmp_path / "damaged")
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"damaged")
    model = small()
    for name, code in (
        ("backbone", "detector_form"), ("foreign", "detector_form"), ("damaged", "broken_model"),
        ("nobody", "detector_missing"),
    ):  # fmt: skip
        with pytest.raises(StudioError) as refused:
            model.run(replace(ASK, details=(Detail(name),)), Recorder(adapters=tmp_path))
        assert refused.value.code == code, name
    before = model.nbytes()
    model.run(replace(ASK, details=(FACE,)), Recorder(adapters=found))
    assert model.nbytes() > before
    model.run(ASK, Recorder())
    assert model.nbytes() == before
    assert details.work(replace(ASK, details=(FACE, FACE))) == details.work(replace(ASK, details=(FACE,))) > 0
