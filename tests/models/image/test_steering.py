"""T2I-Adapters, Union ControlNets and those of Z-Image through the diffusion engine, and maps of depth."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_checkpoints
import tiny_controls
import tiny_pipelines
import tiny_steering
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file
from tiny import Recorder, card, load
from tiny_pipelines import pixels

from studio.engines.image import control, control_heads
from studio.engines.image.diffusion import DiffusionEngine
from studio.engines.shared import depth
from studio.errors import StudioError
from studio.media.control_maps import control_map
from studio.media.image import decode_image
from studio.request_parts import Control
from studio.requests import ImageRequest

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=64, height=64, steps=3, guidance_scale=4.0, count=1, seed=5)


def drawing(box: tuple[int, int, int, int] = (8, 8, 40, 30), size: tuple[int, int] = (64, 48)) -> bytes:
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle(box, fill="black")
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


EDGES = Control("adapter", drawing(), "canny")
SHOWN = control_map(decode_image(EDGES.image), "canny", (64, 64))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models with the levels of the published ones, and what steers them."""
    root = tmp_path_factory.mktemp("steering")
    torch.manual_seed(0)
    pipes = {"sd": tiny_steering.stable_diffusion(), "xl": tiny_steering.stable_diffusion_xl()}
    pipes["flux"] = tiny_checkpoints.flux1()
    pipes["z"] = tiny_pipelines.z_image()
    for name, pipe in pipes.items():
        pipe.save_pretrained(root / name)
    nets = root / "nets"
    tiny_steering.adapter().save_pretrained(nets / "adapter")
    tiny_steering.adapter("light_adapter").save_pretrained(nets / "light")
    tiny_steering.adapter(colours=1, seed=1).save_pretrained(nets / "grey")
    tiny_steering.adapter("full_adapter_xl").save_pretrained(nets / "adapter-xl")
    for kind, file in (("full_adapter", "a"), ("light_adapter", "l"), ("full_adapter_xl", "x")):
        tiny_steering.in_makers_file(tiny_steering.adapter(kind), nets / f"{file}-makers.safetensors")
        tiny_controls.in_diffusers_file(tiny_steering.adapter(kind), nets / f"{file}-diffusers.safetensors")
    tiny_controls.made_for(pipes["sd"].unet, (4, 8, 8, 8)).save_pretrained(nets / "edges")
    tiny_controls.made_for(pipes["xl"].unet, (4, 8, 8, 8)).save_pretrained(nets / "edges-xl")
    union = tiny_steering.union(pipes["xl"].unet)
    union.save_pretrained(nets / "union")
    config = nets / "union" / "config.json"  # as the published one calls itself
    config.write_text(config.read_text().replace("ControlNetUnionModel", "ControlNetModel"))
    tiny_controls.in_diffusers_file(union, nets / "union-file.safetensors")
    tiny_steering.union(pipes["xl"].unet, 8).save_pretrained(nets / "promax")
    flux = tiny_steering.flux_union(pipes["flux"].transformer)
    flux.save_pretrained(nets / "flux-union")
    tiny_controls.in_diffusers_file(flux, nets / "flux-union-file.safetensors")
    tiny_steering.flux_union(pipes["flux"].transformer, 0).save_pretrained(nets / "flux-plain")
    for kind, name in (("", "z-first"), ("control_noise_refiner", "z-later"), ("control_layers", "z-second")):
        made = tiny_steering.z_image_control(pipes["z"].transformer, kind)
        made.save_pretrained(nets / name)
        tiny_controls.in_diffusers_file(made, nets / f"{name}-file.safetensors")
    return root


@pytest.fixture(scope="module")
def models(home: Path) -> Iterator[Any]:
    loaded: dict[str, Any] = {}

    def get(name: str) -> Any:
        if name not in loaded:
            loaded[name] = load(ENGINE, home / name)
        return loaded[name]

    yield get
    for model in loaded.values():
        model.close()


@pytest.fixture
def run(models: Any, home: Path) -> Any:
    return lambda request, name="sd": models(name).run(request, Recorder(adapters=home / "nets"))


def named(name: str, **changes: Any) -> ImageRequest:
    return replace(ASK, controls=(replace(EDGES, model=name, **changes),))


@pytest.mark.parametrize(("name", "model"), [("adapter", "sd"), ("light", "sd"), ("grey", "sd"), ("adapter-xl", "xl")])
def test_adapted_pixels_are_those_of_the_bare_pipeline(
    run: Any, models: Any, home: Path, name: str, model: str
) -> None:
    """The witness: diffusers' own pipelines for adapters, which know only words and no begin or end."""
    import diffusers

    kinds: Any = {"sd": diffusers.StableDiffusionAdapterPipeline, "xl": diffusers.StableDiffusionXLAdapterPipeline}
    own = models(model)._family.pipe
    parts = {part: each for part, each in own.components.items() if part != "image_encoder" or model == "xl"}
    parts |= {"requires_safety_checker": False} if model == "sd" else {}
    bare = kinds[model](**parts, adapter=diffusers.T2IAdapter.from_pretrained(home / "nets" / name))
    bare.set_progress_bar_config(disable=True)
    bare.scheduler = type(own.scheduler).from_config(own.scheduler.config)
    shown = SHOWN.convert("L") if name == "grey" else SHOWN
    expected = bare(
        ASK.prompt, image=shown, width=64, height=64, num_inference_steps=3, guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(5), adapter_conditioning_scale=0.7, output_type="np",
    ).images[0]  # fmt: skip
    (got,) = run(named(name, weight=0.7), model).images
    assert np.abs(np.asarray(got).astype(int) - (expected * 255).round()).max() <= 1
    assert pixels(run(named(name, weight=0.7), model)) == [got.tobytes()]
    assert got.tobytes() != pixels(run(ASK, model))[0]


def test_two_adapters_are_what_diffusers_makes_of_two(run: Any, models: Any, home: Path) -> None:
    from diffusers import MultiAdapter, StableDiffusionAdapterPipeline, T2IAdapter

    own = models("sd")._family.pipe
    both = MultiAdapter([T2IAdapter.from_pretrained(home / "nets" / name) for name in ("adapter", "light")])
    parts: Any = {part: each for part, each in own.components.items() if part != "image_encoder"}
    bare = StableDiffusionAdapterPipeline(**parts, adapter=both, requires_safety_checker=False)
    bare.set_progress_bar_config(disable=True)
    bare.scheduler = type(own.scheduler).from_config(own.scheduler.config)
    expected = bare(
        ASK.prompt, image=[SHOWN, SHOWN], width=64, height=64, num_inference_steps=3, guidance_scale=4.0,
        generator=torch.Generator("cpu").manual_seed(5), adapter_conditioning_scale=[0.7, 0.4], output_type="np",
    ).images[0]  # fmt: skip
    controls = replace(EDGES, weight=0.7), replace(EDGES, model="light", weight=0.4)
    (got,) = run(replace(ASK, controls=controls)).images
    assert np.abs(np.asarray(got).astype(int) - (expected * 255).round()).max() <= 1


@pytest.mark.parametrize(
    ("file", "folder", "model"),
    [("a-makers", "adapter", "sd"), ("a-diffusers", "adapter", "sd"), ("l-makers", "light", "sd"),
     ("l-diffusers", "light", "sd"), ("x-makers", "adapter-xl", "xl"), ("x-diffusers", "adapter-xl", "xl"),
     ("union-file", "union", "xl"), ("flux-union-file", "flux-union", "flux"), ("z-first-file", "z-first", "z"),
     ("z-later-file", "z-later", "z"), ("z-second-file", "z-second", "z")],
)  # fmt: skip
def test_one_file_is_the_same_as_its_folder(run: Any, file: str, folder: str, model: str) -> None:
    asked = named(folder)
    whole = pixels(run(asked, model))
    assert pixels(run(named(file), model)) == whole
    assert whole != pixels(run(ASK, model))


@pytest.mark.parametrize(
    ("name", "model"),
    [("adapter", "sd"), ("adapter-xl", "xl"), ("union", "xl"), ("flux-union", "flux"), ("z-later", "z")],
)
def test_weight_begin_and_end_count_and_nothing_is_left_behind(run: Any, name: str, model: str) -> None:
    plain = pixels(run(ASK, model))
    made = [
        pixels(run(named(name, **changes), model))[0]
        for changes in ({}, {"weight": 0.4}, {"start": 0.3}, {"end": 0.5}, {"fit": "fill"})
    ]
    assert len({*made, *plain}) == len(made) + 1
    if model != "flux":  # whose pipeline throws the dice for the map first
        assert pixels(run(named(name, start=0.95), model)) == plain, "no step lies within"
    assert pixels(run(named(name, weight=0.0), model)) == plain
    assert pixels(run(ASK, model)) == plain
    batch = run(replace(named(name), count=2), model)
    assert pixels(batch) == [pixels(run(replace(named(name), seed=5 + number), model))[0] for number in range(2)]


@pytest.mark.parametrize("size", [(64, 64), (72, 88)])
@pytest.mark.parametrize(("name", "net", "model"), [("adapter", "edges", "sd"), ("adapter-xl", "union", "xl")])
def test_adapters_go_with_pictures_masks_sizes_and_controlnets(
    run: Any, name: str, net: str, model: str, size: tuple[int, int]
) -> None:
    half = Image.new("L", size, 0)
    half.paste(255, (0, 0, size[0], size[1] // 2))
    mask = io.BytesIO()
    half.save(mask, "PNG")
    start = drawing((0, 0, 20, 20), size)
    small = replace(ASK, width=size[0], height=size[1], strength=0.9, hires_strength=0.9, steps=4)
    for changes in ({}, {"image": start}, {"image": start, "mask": mask.getvalue()}, {"hires_scale": 2.0}):
        asked = replace(small, **changes)
        one = replace(asked, controls=(replace(EDGES, model=name),))
        both = replace(asked, controls=(replace(EDGES, model=name), replace(EDGES, model=net)))
        found = [pixels(run(each, model))[0] for each in (asked, one, both)]
        assert len(set(found)) == 3, changes


@pytest.mark.parametrize(
    ("name", "preprocessor", "mode"),
    [("union", "canny", 3), ("union", "scribble", 2), ("promax", "tile", 6)],
)
def test_a_union_is_told_what_its_map_is(
    run: Any, models: Any, home: Path, name: str, preprocessor: str, mode: int
) -> None:
    """The witness: diffusers' own pipeline for it, with its makers' number for this kind of map."""
    from diffusers import ControlNetUnionModel, StableDiffusionXLControlNetUnionPipeline

    own = models("xl")._family.pipe
    network = ControlNetUnionModel.from_pretrained(home / "nets" / name)
    bare = StableDiffusionXLControlNetUnionPipeline(**own.components, controlnet=network, add_watermarker=False)
    bare.set_progress_bar_config(disable=True)
    bare.scheduler = type(own.scheduler).from_config(own.scheduler.config)
    shown = control_map(decode_image(EDGES.image), preprocessor, (64, 64))
    expected = bare(
        ASK.prompt, control_image=[shown], control_mode=[mode], width=64, height=64, num_inference_steps=3,
        guidance_scale=4.0, generator=torch.Generator("cpu").manual_seed(5), controlnet_conditioning_scale=0.7,
        control_guidance_end=0.7, output_type="np",
    ).images[0]  # fmt: skip
    (got,) = run(named(name, preprocessor=preprocessor, weight=0.7, end=0.7), "xl").images
    assert np.abs(np.asarray(got).astype(int) - (expected * 255).round()).max() <= 1


def test_unions_stand_among_others_and_over_pictures(run: Any) -> None:
    union, plain = replace(EDGES, model="union"), replace(EDGES, model="edges-xl")
    made = [
        pixels(run(replace(ASK, controls=controls), "xl"))[0]
        for controls in ((union,), (plain,), (union, plain), (union, replace(union, preprocessor="scribble")))
    ]
    assert len(set(made)) == 4
    asked = replace(ASK, image=drawing(size=(64, 64)), strength=0.9, steps=4)
    assert pixels(run(replace(asked, controls=(union,)), "xl")) != pixels(run(asked, "xl"))


def test_the_mode_of_flux_counts_also_where_several_steer_over_a_picture(run: Any) -> None:
    """Two over a picture steered by nothing: diffusers takes as many as it is told modes of."""
    union, plain = replace(EDGES, model="flux-union"), replace(EDGES, model="flux-plain")
    assert pixels(run(named("flux-union"), "flux")) != pixels(run(named("flux-union", preprocessor="tile"), "flux"))
    over = replace(ASK, image=drawing(size=(64, 64)), strength=0.9, steps=4)
    made = [
        pixels(run(replace(over, controls=controls), "flux"))[0]
        for controls in ((), (plain,), (plain, plain), (union, plain), (replace(union, preprocessor="tile"), plain))
    ]
    assert len(set(made)) == 5
    shown = {
        one: control_map(decode_image(EDGES.image), one, (64, 64)).tobytes() for one in ("canny", "luminance", "tile")
    }
    assert len(set(shown.values())) == 3


@pytest.mark.parametrize("name", ["z-first", "z-second", "z-later"])
def test_z_image_is_steered_as_by_the_bare_pipeline(run: Any, models: Any, home: Path, name: str) -> None:
    from diffusers import ZImageControlNetModel, ZImageControlNetPipeline

    own = models("z")._family.pipe
    bare = ZImageControlNetPipeline(
        **own.components, controlnet=ZImageControlNetModel.from_pretrained(home / "nets" / name)
    )
    bare.set_progress_bar_config(disable=True)
    bare.scheduler = type(own.scheduler).from_config(own.scheduler.config)
    expected = bare(
        ASK.prompt, control_image=SHOWN, width=64, height=64, num_inference_steps=3, guidance_scale=4.0,
        negative_prompt="", generator=torch.Generator("cpu").manual_seed(5), controlnet_conditioning_scale=0.7,
        output_type="np",
    ).images[0]  # fmt: skip
    (got,) = run(named(name, weight=0.7), "z").images
    assert np.abs(np.asarray(got).astype(int) - (expected * 255).round()).max() <= 1


def test_what_a_model_shares_with_its_controlnet_is_counted_once(run: Any, models: Any) -> None:
    model = models("z")
    run(ASK, "z")
    bare = model.nbytes()
    run(named("z-first"), "z")
    own = control_bytes = model.nbytes() - bare
    (network,) = model._controls._networks.values()
    shared = sum(each.numel() * each.element_size() for each in network.parameters())
    assert 0 < control_bytes < shared
    run(replace(named("z-first"), seed=6), "z")
    assert model.nbytes() - bare == own


@pytest.mark.parametrize(
    ("model", "name", "changes", "code"),
    [
        ("sd", "adapter-xl", {}, "control_wrong"), ("xl", "adapter", {}, "control_wrong"),
        ("sd", "x-makers", {}, "control_wrong"), ("xl", "a-makers", {}, "control_wrong"),
        ("xl", "l-diffusers", {}, "control_wrong"), ("flux", "adapter", {}, "control_wrong"),
        ("z", "adapter", {}, "control_wrong"), ("sd", "union", {}, "control_wrong"),
        ("sd", "union-file", {}, "control_wrong"), ("z", "flux-union", {}, "control_wrong"),
        ("sd", "z-first-file", {}, "control_wrong"), ("flux", "z-later", {}, "control_wrong"),
        ("xl", "union", {"preprocessor": ""}, "control_mode"),
        ("xl", "union-file", {"preprocessor": "tile"}, "control_mode"),
        ("xl", "promax", {"preprocessor": "color_grid"}, "control_mode"),
        ("flux", "flux-union-file", {"preprocessor": "lineart"}, "control_mode"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_from_headers(
    home: Path, model: str, name: str, changes: dict[str, str], code: str
) -> None:
    with pytest.raises(StudioError) as caught:
        ENGINE.check_controls(card("diffusion"), home / model, named(name, **changes), (home / "nets",))
    assert caught.value.code == code
    if code == "control_mode":
        assert "canny" in str(caught.value.params["known"])


def test_several_and_over_a_picture_are_refused_of_z_image(home: Path) -> None:
    one = replace(EDGES, model="z-first")
    for asked, code in (
        (replace(ASK, controls=(one, one)), "control_several"),
        (replace(ASK, controls=(one,), image=drawing(), strength=0.5), "control_over"),
    ):
        with pytest.raises(StudioError) as caught:
            ENGINE.check_controls(card("diffusion"), home / "z", asked, (home / "nets",))
        assert caught.value.code == code


def test_shapes_of_the_published_files_are_read_as_their_configurations(tmp_path: Path) -> None:
    """Configurations as published: those of T2I-Adapter in diffusers' converter, of Z-Image as its makers'."""
    from diffusers import T2IAdapter

    with torch.device("meta"):
        made = {
            "t2iadapter_canny_sd15v2": T2IAdapter(in_channels=1),
            "t2iadapter_color_sd14v1": T2IAdapter(
                channels=[320, 640, 1280], num_res_blocks=4, adapter_type="light_adapter"
            ),
            "t2i-adapter_xl_canny": T2IAdapter(downscale_factor=16, adapter_type="full_adapter_xl"),
        }
    for name, network in made.items():
        states = {each: tensor.shape for each, tensor in network.state_dict().items()}
        found = control_heads.control_shapes.of_adapter({each: tuple(shape) for each, shape in states.items()})
        assert found == {key: network.config[key] for key in found}, name
    thirty = {"n_layers": 30, "n_refiner_layers": 2, "in_channels": 16}
    for count, wide, places in ((6, 16, range(0, 30, 5)), (15, 33, range(0, 30, 2))):
        config = control_heads.control_shapes.placed(
            {"control_layers_places": range(count), "control_in_dim": wide}, thirty
        )
        assert config["control_layers_places"] == list(places)
        assert config["control_refiner_layers_places"] == ([0, 1] if wide == 33 else [])


def test_a_second_one_of_z_image_leaves_what_it_never_learned(home: Path, tmp_path: Path) -> None:
    """As diffusers' converter: refiners of its own whose first matrix is all zeros are not there."""
    from safetensors.torch import load_file

    states = load_file(home / "nets" / "z-later-file.safetensors")
    states["control_noise_refiner.0.before_proj.weight"].zero_()
    save_file(states, tmp_path / "untaught.safetensors")
    head = control_heads.read_head("untaught", tmp_path / "untaught.safetensors")
    model = {"n_layers": 1, "n_refiner_layers": 1, "in_channels": 16, "norm_eps": 1e-5, "qk_norm": True}
    read = control._read(head, model, torch.float32)
    assert read.config.add_control_noise_refiner == "control_layers"
    assert not any(name.startswith("control_noise_refiner") for name in read.state_dict())


def test_depth_is_what_the_library_sees(tmp_path: Path) -> None:
    """The witness: transformers' own pipeline, on the same folder."""
    import transformers

    place = tiny_steering.depth(tmp_path / "any")
    picture = Image.effect_noise((60, 44), 90).convert("RGB")
    network = transformers.AutoModelForDepthEstimation.from_pretrained(place)
    reader: Any = transformers.DPTImageProcessorPil.from_pretrained(place)
    seen: Any = transformers.pipeline("depth-estimation", model=network, image_processor=reader)
    made = depth.depth(place, picture)
    assert (made.size, made.mode) == (picture.size, "RGB")
    apart = np.asarray(made)[..., 0].astype(int) - np.asarray(seen(picture)["depth"]).astype(int)
    assert np.abs(apart).max() <= 1
    assert np.asarray(made).std() > 5, "the witness sees something"
    turned = np.asarray(depth.depth(tiny_steering.depth(tmp_path / "metres", metric=True), picture))[..., 0]
    assert turned.max() == 255
    (tmp_path / "any" / "model.safetensors").write_bytes(b"\xff" * 64)
    with pytest.raises(StudioError) as caught:
        depth.depth(place, picture)
    assert caught.value.code == "bad_file"


def test_a_map_of_depth_steers(run: Any, models: Any, home: Path, tmp_path: Path) -> None:
    asked = named("edges", preprocessor="depth")
    with pytest.raises(StudioError) as caught:
        models("sd").run(asked, Recorder(adapters=home / "nets"))
    assert caught.value.code == "no_depth"
    place = tiny_steering.depth(home / "nets" / "deep")
    shown = control_map(decode_image(EDGES.image), "depth", (64, 64), "crop", lambda one: depth.depth(place, one))
    out = io.BytesIO()
    shown.save(out, "PNG")
    assert pixels(run(asked)) == pixels(run(named("edges", preprocessor="", image=out.getvalue())))
