"""Text-to-image pipelines through the diffusion engine."""

import json
import shutil
from dataclasses import replace

import pytest
import tiny_pipelines
import torch
from tiny import Recorder, card, load
from tiny_pipelines import KINDS, pixels

from studio.engines.image.diffusion import DiffusionEngine
from studio.errors import Cancelled, StudioError
from studio.requests import ImageRequest
from studio.tasks.image.schedulers import SCHEDULERS

ENGINE = DiffusionEngine()
ASK = ImageRequest(
    prompt="a red heart",
    width=32,
    height=32,
    steps=2,
    guidance_scale=4.0,
    scheduler="",
    count=1,
    seed=5,
)


@pytest.fixture(scope="module")
def painter(folders):
    model = load(ENGINE, folders["stable_diffusion"], options={"preview": "vae"})
    yield model
    model.close()


@pytest.mark.parametrize("kind", KINDS)
def test_every_pipeline_paints_what_the_seed_says(folders, kind):
    model = load(ENGINE, folders[kind])
    context = Recorder()
    first = model.run(ASK, context)
    assert first.images[0].size == (32, 32)
    assert first.images[0].mode == "RGB"
    assert first.seeds == (5,)
    assert first.finish == "stop"
    assert context.steps[-1][0] == context.steps[-1][1] >= 2
    assert pixels(model.run(ASK, Recorder())) == pixels(first)
    assert pixels(model.run(replace(ASK, seed=6), Recorder())) != pixels(first)
    assert ENGINE.weights(card("diffusion"), folders[kind]) == pytest.approx(model.nbytes(), rel=0.02)
    model.close()


@pytest.mark.parametrize("kind", KINDS)
def test_stop_between_steps_leaves_the_pipeline_usable(folders, kind):
    model = load(ENGINE, folders[kind])
    expected = pixels(model.run(ASK, Recorder()))
    with pytest.raises(Cancelled):
        model.run(ASK, Recorder(stop_after=1))
    assert pixels(model.run(ASK, Recorder())) == expected
    model.close()


def test_a_batch_is_the_same_as_single_pictures(painter):
    batch = painter.run(replace(ASK, count=3), Recorder())
    singles = [painter.run(replace(ASK, seed=5 + number), Recorder()) for number in range(3)]
    assert pixels(batch) == [pixels(single)[0] for single in singles]
    assert batch.seeds == (5, 6, 7)


def test_finished_pictures_are_kept_when_stopped(painter):
    whole = Recorder()
    painter.run(replace(ASK, count=3), whole)
    per_picture = len(whole.steps) // 3
    context = Recorder(stop_after=per_picture + 1)
    output = painter.run(replace(ASK, count=3), context)
    assert output.finish == "cancelled"
    assert output.seeds == (5,)
    assert len(output.images) == 1


@pytest.mark.parametrize("name", SCHEDULERS)
def test_every_scheduler_by_name_paints_and_leaves_no_trace(painter, name):
    before = pixels(painter.run(ASK, Recorder()))
    request = replace(ASK, scheduler=name, steps=4)
    output = painter.run(request, Recorder())
    assert pixels(output) == pixels(painter.run(request, Recorder()))
    assert pixels(painter.run(ASK, Recorder())) == before


@pytest.mark.parametrize(("kind", "name"), [("z_image", "Euler"), ("z_image", "DPM++ 2M Karras"), ("icons", "Restart")])
def test_a_scheduler_that_a_model_does_not_know_gives_way_to_its_own_and_that_is_said(folders, kind, name):
    """Settings are restored from pictures that other models made."""
    model = load(ENGINE, folders[kind])
    own = model.run(ASK, Recorder())
    output = model.run(replace(ASK, scheduler=name), Recorder())
    assert output.notes == (*own.notes, ("own_scheduler", {"name": name}))
    assert pixels(output) == pixels(own)
    model.close()


def test_a_negative_prompt_changes_the_picture_or_is_said_to_be_left_out(painter, folders):
    plain = painter.run(ASK, Recorder())
    negative = painter.run(replace(ASK, negative_prompt="hello world"), Recorder())
    assert pixels(plain) != pixels(negative)
    assert negative.notes == ()
    turbo = painter.run(replace(ASK, negative_prompt="hello world", guidance_scale=0.0), Recorder())
    assert turbo.notes == (("no_negative", {}),)
    klein = load(ENGINE, folders["flux2_klein"]).run(replace(ASK, negative_prompt="blur"), Recorder())
    assert klein.notes == (("no_negative", {}), ("no_guidance", {}))


def test_big_pictures_are_decoded_in_tiles(folders):
    model = load(ENGINE, folders["stable_diffusion"], options={"tile_above": 1000})
    model.run(ASK, Recorder())
    assert model._family.pipe.vae.use_tiling
    model.run(replace(ASK, width=16, height=16), Recorder())
    assert not model._family.pipe.vae.use_tiling


def test_numbers_that_are_none_are_an_error(folders):
    model = load(ENGINE, folders["stable_diffusion"])
    with torch.no_grad():
        next(model._family.pipe.vae.decoder.parameters()).fill_(float("nan"))
    with pytest.raises(StudioError) as caught:
        model.run(ASK, Recorder())
    assert caught.value.code == "bad_output"


def test_half_precision_files_are_found_by_their_name(tmp_path):
    pipe = tiny_pipelines.stable_diffusion().to(dtype=torch.float16)
    pipe.save_pretrained(tmp_path, variant="fp16")
    model = load(ENGINE, tmp_path)
    assert model._family.pipe.unet.dtype == torch.float32
    assert model.run(ASK, Recorder()).images
    assert ENGINE.weights(card("diffusion"), tmp_path) == pytest.approx(model.nbytes(), rel=0.02)


def test_pipelines_that_nobody_looked_at_are_refused(folders, tmp_path):
    shutil.copytree(folders["stable_diffusion"], tmp_path, dirs_exist_ok=True)
    index = json.loads((tmp_path / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps(index | {"_class_name": "StableVideoDiffusionPipeline"}))
    with pytest.raises(StudioError, match="StableVideoDiffusionPipeline"):
        load(ENGINE, tmp_path)


@pytest.mark.parametrize("change", [{"unet": ["evil", "Model"]}, {"_class_name": ["evil", "Pipeline"]}])
def test_code_of_the_folder_does_not_run(folders, tmp_path, change):
    shutil.copytree(folders["stable_diffusion"], tmp_path, dirs_exist_ok=True)
    mark = tmp_path / "mark"
    for place in (tmp_path, tmp_path / "unet"):
        (place / "evil.py").write_text(f"open({str(mark)!r}, 'w')\nclass Model: pass\n")
    index = json.loads((tmp_path / "model_index.json").read_text())
    (tmp_path / "model_index.json").write_text(json.dumps(index | change))
    with pytest.raises(StudioError) as caught:
        load(ENGINE, tmp_path)
    assert caught.value.code == "custom_code"
    assert not mark.exists()


def test_a_pickle_in_place_of_weights_is_not_opened(folders, tmp_path):
    shutil.copytree(folders["stable_diffusion"], tmp_path, dirs_exist_ok=True)
    weights = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    mark = tmp_path / "mark"
    weights.with_suffix(".bin").write_bytes(b"cbuiltins\nopen\n(V" + str(mark).encode() + b"\nVw\ntR.")
    weights.unlink()
    with pytest.raises(StudioError) as caught:
        load(ENGINE, tmp_path)
    assert caught.value.code in ("broken_model", "missing_files")
    assert not mark.exists()


def test_a_missing_index_is_named(tmp_path):
    with pytest.raises(StudioError, match=r"model_index\.json"):
        load(ENGINE, tmp_path)


@pytest.mark.parametrize("kind", ["stable_diffusion", "icons"])
def test_on_a_processor_the_channels_of_a_pixel_lie_side_by_side(folders, kind):
    """From the first convolution to the last: what is handed on in another order is sorted each time."""
    model = load(DiffusionEngine(), folders[kind])
    orders = []
    for part in (model._family.pipe.unet, model._family.pipe.vae.decoder):
        part.conv_norm_out.register_forward_hook(
            lambda _, given, __: orders.append(given[0].is_contiguous(memory_format=torch.channels_last))
        )
    model.run(ASK, Recorder())
    assert len(orders) > 1
    assert all(orders)
