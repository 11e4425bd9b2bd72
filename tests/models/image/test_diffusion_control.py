"""Pictures that are held to other pictures: ControlNets through the diffusion engine."""

import io
from dataclasses import replace

import pytest
import tiny_checkpoints
import tiny_controls
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from tiny import Recorder, card, load
from tiny_pipelines import pixels

from studio.catalog.card import Source
from studio.engines.image import control, control_heads
from studio.engines.image.diffusion import DiffusionEngine
from studio.errors import StudioError
from studio.request_parts import Control
from studio.requests import ImageRequest

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=3, guidance_scale=4.0, count=1, seed=5)


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def drawing(box=(8, 8, 40, 30), size=(64, 48)) -> bytes:
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle(box, fill="black")
    return png(picture)


EDGES = Control("edges", drawing(), "canny")


@pytest.fixture(scope="module")
def networks(tmp_path_factory, painters):
    """ControlNets of the tiny models: of Stable Diffusion in a folder and as files, and of XL."""
    home = tmp_path_factory.mktemp("controlnets")
    unet = painters("stable_diffusion")._family.pipe.unet
    tiny_controls.made_for(unet).save_pretrained(home / "edges")
    tiny_controls.in_diffusers_file(tiny_controls.made_for(unet), home / "edges-file.safetensors")
    tiny_controls.in_diffusers_file(tiny_controls.made_for(unet, seed=1), home / "other.safetensors")
    wide = painters("stable_diffusion_xl")._family.pipe.unet
    tiny_controls.made_for(wide).save_pretrained(home / "wide")
    return home


@pytest.fixture
def run(painters, networks):
    return lambda request, kind="stable_diffusion": painters(kind).run(request, Recorder(adapters=networks))


def test_a_control_moves_the_picture_and_leaves_no_trace(run):
    plain = pixels(run(ASK))
    steered = pixels(run(replace(ASK, controls=(EDGES,))))
    assert steered != plain
    assert pixels(run(replace(ASK, controls=(EDGES,)))) == steered
    assert pixels(run(ASK)) == plain
    elsewhere = replace(EDGES, image=drawing((30, 20, 60, 44)))
    assert pixels(run(replace(ASK, controls=(elsewhere,)))) != steered


def test_the_pixels_are_those_of_the_bare_pipeline(run, painters, networks):
    """The witness: diffusers' own pipeline, given the same map."""
    from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

    from studio.media.control_maps import control_map
    from studio.media.image import decode_image

    own = painters("stable_diffusion")._family.pipe
    network = ControlNetModel.from_pretrained(networks / "edges")
    bare = StableDiffusionControlNetPipeline(**own.components, controlnet=network, requires_safety_checker=False)
    bare.set_progress_bar_config(disable=True)
    bare.scheduler = type(own.scheduler).from_config(own.scheduler.config)
    expected = bare(
        ASK.prompt, image=control_map(decode_image(EDGES.image), "canny", (32, 32)), width=32, height=32,
        num_inference_steps=3, guidance_scale=4.0, generator=torch.Generator("cpu").manual_seed(5),
        controlnet_conditioning_scale=0.7, control_guidance_start=0.0, control_guidance_end=0.7, output_type="pil",
    ).images[0]  # fmt: skip
    request = replace(ASK, controls=(replace(EDGES, weight=0.7, end=0.7),))
    assert pixels(run(request)) == [expected.tobytes()]


def test_a_weight_of_nothing_is_no_control(run):
    assert pixels(run(replace(ASK, controls=(replace(EDGES, weight=0.0),)))) == pixels(run(ASK))


def test_weight_start_end_and_fit_each_count(run):
    made = [
        pixels(run(replace(ASK, controls=(replace(EDGES, **changes),))))[0]
        for changes in ({}, {"weight": 0.4}, {"start": 0.5}, {"end": 0.5}, {"fit": "fill"}, {"fit": "stretch"})
    ]
    assert len(set(made)) == len(made)


def test_a_batch_is_its_single_pictures(run):
    asked = replace(ASK, controls=(EDGES,))
    batch = run(replace(asked, count=2))
    assert pixels(batch) == [pixels(run(replace(asked, seed=5 + number)))[0] for number in range(2)]


def test_several_at_once_count_together(run):
    other = Control("other", drawing((30, 20, 60, 44)))
    both = pixels(run(replace(ASK, controls=(EDGES, other))))
    assert both != pixels(run(replace(ASK, controls=(EDGES,))))
    assert both != pixels(run(replace(ASK, controls=(other,))))
    twice = pixels(run(replace(ASK, controls=(EDGES, replace(EDGES, image=other.image)))))
    assert twice != both


@pytest.mark.parametrize("kind", ["stable_diffusion", "stable_diffusion_xl"])
def test_over_pictures_and_masks_and_enlarged(run, kind):
    edges = replace(EDGES, model="edges" if kind == "stable_diffusion" else "wide")
    start = drawing((0, 0, 20, 20), (32, 32))
    half = Image.new("L", (32, 32), 0)
    half.paste(255, (0, 0, 32, 16))
    mask = png(half)
    for changes in ({}, {"image": start}, {"image": start, "mask": mask}, {"hires_scale": 2.0}):
        request = replace(ASK, strength=0.9, hires_strength=0.9, steps=4, **changes)
        plain, steered = run(request, kind), run(replace(request, controls=(edges,)), kind)
        assert pixels(steered) != pixels(plain), changes
    below = (0, 16, 32, 32)
    painted = run(replace(ASK, strength=0.9, image=start, mask=mask, controls=(edges,)), kind).images[0]
    source = Image.open(io.BytesIO(start)).convert("RGB")
    assert painted.crop(below).tobytes() == source.crop(below).tobytes()


def test_latent_consistency_and_other_numbers_of_channels(painters, tmp_path):
    for kind in ("latent_consistency", "icons"):
        model = painters(kind)
        unet = model._family.pipe.unet
        channels = (4, 8) if kind == "latent_consistency" else (4, 4, 8, 8, 8)
        tiny_controls.made_for(unet, channels).save_pretrained(tmp_path / kind)
        context = Recorder(adapters=tmp_path)
        asked = replace(ASK, controls=(replace(EDGES, model=kind),))
        assert pixels(model.run(asked, context)) != pixels(model.run(ASK, context))
        half = Image.new("L", (32, 32), 0)
        half.paste(255, (0, 0, 32, 16))
        over = replace(asked, image=drawing(size=(32, 32)), mask=png(half), strength=0.9, steps=4)
        assert model.run(over, context).images


def test_one_file_is_the_same_as_its_folder(run):
    folder = pixels(run(replace(ASK, controls=(EDGES,))))
    assert pixels(run(replace(ASK, controls=(replace(EDGES, model="edges-file"),)))) == folder


def test_variations_of_one_picture_are_steered_as_well(run):
    asked = replace(ASK, variation=0.4, variation_seed=3, controls=(EDGES,))
    assert pixels(run(asked)) != pixels(run(replace(asked, variation_seed=4)))


def test_only_what_the_last_picture_used_is_in_memory(painters, run):
    model = painters("stable_diffusion")
    run(ASK)
    bare = model.nbytes()
    run(replace(ASK, controls=(EDGES,)))
    one = model.nbytes()
    assert one > bare
    run(replace(ASK, controls=(replace(EDGES, model="other"),)))
    assert model.nbytes() == one
    model.park()
    assert model.nbytes() == bare
    model.place()


@pytest.mark.parametrize(
    ("kind", "name", "code"),
    [
        ("stable_diffusion", "wide", "control_wrong"),
        ("stable_diffusion_xl", "edges", "control_wrong"),
        ("stable_diffusion_xl", "edges-file", "control_wrong"),
        ("z_image", "edges", "control_wrong"),
        ("sana_sprint", "edges", "control_not_taken"),
        ("stable_diffusion", "nobody", "control_missing"),
        ("stable_diffusion", "../edges", "control_missing"),
    ],
)
def test_what_does_not_fit_is_refused_from_headers(folders, networks, kind, name, code):
    request = replace(ASK, controls=(Control(name, drawing()),))
    with pytest.raises(StudioError) as caught:
        ENGINE.check_controls(card("diffusion"), folders[kind], request, (networks,))
    assert caught.value.code == code


def test_files_that_are_no_controlnets_are_named(folders, tmp_path):
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 64)
    save_file({"lllite_unet_x.weight": torch.zeros(2)}, tmp_path / "lite.safetensors")
    save_file({"adapter.body.0.out_conv.weight": torch.zeros(2)}, tmp_path / "t2i.safetensors")
    save_file({"task_embedding": torch.zeros(2)}, tmp_path / "union.safetensors")
    save_file(
        {"lora_controlnet": torch.zeros(2), "input_hint_block.0.weight": torch.zeros(2)}, tmp_path / "low.safetensors"
    )
    save_file({"control_model.label_emb.0.0.weight": torch.zeros(2)}, tmp_path / "xl.safetensors")
    save_file({"something": torch.zeros(2)}, tmp_path / "thing.safetensors")
    said = {}
    for name in ("broken", "lite", "t2i", "union", "low", "xl", "thing"):
        with pytest.raises(StudioError) as caught:
            control.check(
                card("diffusion"), folders["stable_diffusion"], replace(ASK, controls=(Control(name, drawing()),)),
                (tmp_path,),
            )  # fmt: skip
        said[name] = caught.value.params.get("form", caught.value.code)
    assert said == {
        "broken": "bad_file", "lite": "ControlNet-LLLite", "t2i": "bad_file", "union": "bad_file",
        "low": "Control-LoRA", "xl": "ControlNet XL, label_emb", "thing": "?",
    }  # fmt: skip


def test_a_slimmed_network_is_read_off_its_shapes(tmp_path):
    """As controlnet-canny-sdxl-1.0-small: no attention in any block. The witness is the class's own configuration."""
    from diffusers import ControlNetModel

    network = ControlNetModel(
        block_out_channels=(16, 32, 32), down_block_types=("DownBlock2D",) * 3, mid_block_type="UNetMidBlock2D",
        layers_per_block=2, norm_num_groups=8, conditioning_embedding_out_channels=(4, 8, 8, 16),
    )  # fmt: skip
    tiny_controls.in_diffusers_file(network, tmp_path / "small.safetensors")
    head = control_heads.read_head("small", tmp_path / "small.safetensors")
    for name, value in head.config.items():
        told = network.config[name]
        told = [told] * len(value) if isinstance(value, list) and isinstance(told, int) else told
        assert (list(told) if isinstance(told, tuple | list) else told) == value, name
    assert "cross_attention_dim" not in head.config


UNETS = {
    "sd1": {"attention_head_dim": 8},
    "sd2": {"attention_head_dim": (1, 2), "use_linear_projection": True},
}


@pytest.mark.parametrize("family", UNETS)
def test_files_in_their_makers_layout_are_read_whole(family, tmp_path):
    """Names and forms of the published files, made by tests/models/original_layout.py; each weight is where it was."""
    unet = tiny_checkpoints._unet(**UNETS[family])
    network = tiny_controls.made_for(unet, (4, 4, 8, 8))
    tiny_controls.in_makers_file(network, tmp_path / "made.safetensors")
    head = control_heads.read_head("made", tmp_path / "made.safetensors")
    read = control._read(head, unet.config, torch.float32)
    states, expected = read.state_dict(), network.state_dict()
    assert states.keys() == expected.keys()
    assert all(torch.equal(states[name], tensor) for name, tensor in expected.items())
    for name in ("attention_head_dim", "use_linear_projection", "cross_attention_dim"):
        told, meant = read.config[name], network.config[name]
        assert (tuple(told) if isinstance(told, list) else told) == meant


def test_a_checkpoint_of_one_file_is_compared_by_its_shapes(tmp_path):
    made = tiny_checkpoints.sd1()
    file = tmp_path / "whole.safetensors"
    tiny_checkpoints.save(tiny_checkpoints.one_file("sd1", made), file)
    tiny_controls.in_makers_file(tiny_controls.made_for(made.unet, (4, 4, 8, 8)), tmp_path / "fits.safetensors")
    wide = tiny_checkpoints.sdxl().unet
    tiny_controls.in_diffusers_file(tiny_controls.made_for(wide), tmp_path / "wide.safetensors")
    asked = card("diffusion", source=Source("local", path=str(file)))
    ENGINE.check_controls(asked, file, replace(ASK, controls=(Control("fits", drawing()),)), (tmp_path,))
    with pytest.raises(StudioError) as caught:
        ENGINE.check_controls(asked, file, replace(ASK, controls=(Control("wide", drawing()),)), (tmp_path,))
    assert caught.value.code == "control_wrong"


@pytest.mark.parametrize("kind", ["sd3", "flux1", "qwen_image"])
def test_transformers_are_steered_as_well(kind, tmp_path):
    made = tiny_checkpoints.MADE[kind]()
    made.save_pretrained(tmp_path / "model")
    tiny_controls.made_for_transformer(made.transformer).save_pretrained(tmp_path / "homes" / "edges")
    model = load(ENGINE, tmp_path / "model")
    context = Recorder(adapters=tmp_path / "homes")
    asked = replace(ASK, controls=(EDGES,))
    steered = pixels(model.run(asked, context))
    assert steered != pixels(model.run(ASK, context))
    assert steered == pixels(model.run(asked, context))
    both = replace(asked, controls=(EDGES, replace(EDGES, image=drawing((30, 20, 60, 44)))))
    over = replace(asked, image=drawing(size=(32, 32)), strength=0.8)
    refused = {"sd3": [over], "flux1": [], "qwen_image": [both, over]}[kind]
    for request in [one for one in (both, over) if one not in refused]:
        assert pixels(model.run(request, context)) != steered
    for request in refused:
        for check in (
            lambda request=request: model.run(request, context),
            lambda request=request: ENGINE.check_controls(
                card("diffusion"), tmp_path / "model", request, (tmp_path / "homes",)
            ),
        ):
            with pytest.raises(StudioError) as caught:
                check()
            assert caught.value.code == ("control_several" if request is both else "control_over")
    model.close()
