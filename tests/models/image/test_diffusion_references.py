"""Pictures that a model is shown beside the words: IP-Adapters through the diffusion engine."""

import io
from dataclasses import replace

import pytest
import tiny_pipelines
import tiny_references
import torch
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file
from tiny import Recorder, card, load
from tiny_pipelines import pixels

from studio.engines.image.diffusion import DiffusionEngine
from studio.errors import StudioError
from studio.request_parts import Reference
from studio.requests import ImageRequest

ENGINE = DiffusionEngine()
ASK = ImageRequest(prompt="a red heart", width=32, height=32, steps=3, guidance_scale=4.0, count=1, seed=5)


def drawn(box=(8, 8, 40, 30), size=(48, 48), colour="navy") -> Image.Image:
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle(box, fill=colour)
    return picture


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def half(left: bool) -> bytes:
    mask = Image.new("L", (32, 32), 0)
    mask.paste(255, (0, 0, 16, 32) if left else (16, 0, 32, 32))
    return png(mask)


PICTURE, OTHER = png(drawn()), png(drawn((30, 2, 46, 20), colour="red"))
SHOWN = Reference("plain", PICTURE)


@pytest.fixture(scope="module")
def home(tmp_path_factory, painters):
    """IP-Adapters of the tiny models, with an image encoder beside them."""
    home = tmp_path_factory.mktemp("ipadapters")
    tiny_references.encoder(home / "image_encoder")
    unet = painters("stable_diffusion")._family.pipe.unet
    for form in ("plain", "plus", "full"):
        tiny_references.adapter(unet, home / f"{form}.safetensors", form)
    tiny_references.adapter(painters("stable_diffusion_xl")._family.pipe.unet, home / "wide.safetensors")
    tiny_references.adapter(painters("latent_consistency")._family.pipe.unet, home / "quick.safetensors", "plus")
    return home


@pytest.fixture
def run(painters, home):
    return lambda request, kind="stable_diffusion": painters(kind).run(request, Recorder(adapters=home))


@pytest.fixture(scope="module")
def bare(folders, home):
    """diffusers' own pipeline, told of the same: the witness."""
    from diffusers import StableDiffusionPipeline

    def paint(names, scale, pictures, **changes):
        pipe = StableDiffusionPipeline.from_pretrained(folders["stable_diffusion"])
        pipe.set_progress_bar_config(disable=True)
        files = [f"{name}.safetensors" for name in names]
        pipe.load_ip_adapter([str(home)] * len(names), subfolder="", weight_name=files)
        pipe.set_ip_adapter_scale(scale)
        made = pipe(
            ASK.prompt, width=32, height=32, num_inference_steps=3, guidance_scale=4.0, output_type="pil",
            generator=torch.Generator("cpu").manual_seed(5), ip_adapter_image=pictures, **changes,
        ).images[0]  # fmt: skip
        return [made.tobytes()]

    return paint


def test_a_reference_moves_the_picture_and_leaves_no_trace(painters, run):
    model = painters("stable_diffusion")
    plain, small = pixels(run(ASK)), model.nbytes()
    attention = model._family.pipe.unet.attn_processors
    shown = pixels(run(replace(ASK, references=(SHOWN,))))
    assert shown != plain
    assert model.nbytes() > small
    assert model._family.pipe.unet.attn_processors == attention, "between runs it is the UNet that was loaded"
    assert pixels(run(replace(ASK, references=(SHOWN,)))) == shown
    assert pixels(run(replace(ASK, references=(replace(SHOWN, image=OTHER),)))) != shown
    assert pixels(run(ASK)) == plain
    assert model.nbytes() == small
    assert pixels(run(replace(ASK, references=(replace(SHOWN, weight=0.0),)))) == plain


def test_what_fails_while_it_paints_takes_the_references_off_too(painters, home):
    from studio.errors import Cancelled

    model = painters("stable_diffusion")
    plain = pixels(model.run(ASK, Recorder()))
    with pytest.raises(Cancelled):
        model.run(replace(ASK, references=(SHOWN,)), Recorder(stop_after=1, adapters=home))
    assert pixels(model.run(ASK, Recorder())) == plain


@pytest.mark.parametrize("form", ["plain", "plus", "full"])
def test_every_form_gives_the_pixels_of_the_bare_pipeline(run, bare, form):
    asked = replace(ASK, references=(Reference(form, PICTURE, 0.7),))
    assert pixels(run(asked)) == bare([form], 0.7, drawn())


def test_several_have_their_own_weights(run, bare):
    asked = replace(ASK, references=(Reference("plain", PICTURE, 0.7), Reference("plus", OTHER, 0.4)))
    other = drawn((30, 2, 46, 20), colour="red")
    assert pixels(run(asked)) == bare(["plain", "plus"], [0.7, 0.4], [drawn(), other])


def test_masks_are_those_of_diffusers(run, bare):
    """Two pictures through one IP-Adapter, each in its half."""
    from diffusers.image_processor import IPAdapterMaskProcessor

    left, right = (Reference("plus", PICTURE, 0.7, mask=half(True)), Reference("plus", OTHER, 0.4, mask=half(False)))
    asked = replace(ASK, references=(left, right))
    masks = [Image.open(io.BytesIO(half(left))) for left in (True, False)]
    made = IPAdapterMaskProcessor().preprocess(masks, height=32, width=32).reshape(1, 2, 32, 32)
    other = drawn((30, 2, 46, 20), colour="red")
    expected = bare(
        ["plus"], [[0.7, 0.4]], [[drawn(), other]], cross_attention_kwargs={"ip_adapter_masks": [made]},
    )  # fmt: skip
    assert pixels(run(asked)) == expected
    assert pixels(run(replace(asked, references=asked.references[:1]))) != expected


def test_start_and_end_each_count(run):
    made = [
        pixels(run(replace(ASK, references=(replace(SHOWN, **changes),))))[0]
        for changes in ({}, {"weight": 0.4}, {"start": 0.3}, {"end": 0.5}, {"mask": half(True)}, {"mask": half(False)})
    ]
    assert len(set(made)) == len(made)
    nowhere = replace(
        ASK, references=(replace(SHOWN, start=0.9, end=0.95),)
    )  # between the last step's beginning and end
    assert pixels(run(nowhere)) == pixels(run(ASK))


def test_a_batch_is_its_single_pictures(run):
    asked = replace(ASK, references=(SHOWN,))
    assert pixels(run(replace(asked, count=2))) == [pixels(run(replace(asked, seed=5 + one)))[0] for one in range(2)]


@pytest.mark.parametrize(
    ("kind", "name"), [("stable_diffusion", "plus"), ("stable_diffusion_xl", "wide"), ("latent_consistency", "quick")]
)
def test_over_pictures_and_masks_and_enlarged(run, kind, name):
    start, mask = png(drawn((0, 0, 20, 20), (32, 32))), half(True)
    shown = (Reference(name, PICTURE, 1.0, mask=half(True)),)
    for changes in (
        {},
        {"image": start},
        {"image": start, "mask": mask},
        {"hires_scale": 2.0},
        {"guidance_scale": 1.0},
    ):
        request = replace(ASK, strength=0.9, hires_strength=0.9, steps=4, **changes)
        assert pixels(run(replace(request, references=shown), kind)) != pixels(run(request, kind)), changes


def test_beside_a_controlnet_and_words_that_change(painters, home):
    import tiny_controls

    from studio.request_parts import Control

    model = painters("stable_diffusion")
    tiny_controls.made_for(model._family.pipe.unet, (16, 32)).save_pretrained(home / "edges")
    steered = replace(ASK, prompt="a [red:blue:0.5] heart", controls=(Control("edges", PICTURE, "canny"),))
    both = replace(steered, references=(SHOWN,))
    made = {name: pixels(model.run(one, Recorder(adapters=home)))[0] for name, one in {"c": steered, "b": both}.items()}
    assert made["c"] != made["b"]


CROSS, FLAT = "CrossAttnDownBlock2D", "DownBlock2D"
FORMED = {
    "stable_diffusion": {"block_out_channels": (8, 16, 16, 16), "down_block_types": (CROSS, CROSS, CROSS, FLAT)},
    "stable_diffusion_xl": {
        "block_out_channels": (8, 16, 16), "down_block_types": (FLAT, CROSS, CROSS),
        "transformer_layers_per_block": (1, 1, 2),
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def formed(tmp_path_factory):
    """Models whose UNets have the levels of the published ones."""
    from diffusers import UNet2DConditionModel

    home = tmp_path_factory.mktemp("formed")
    tiny_references.encoder(home / "image_encoder")
    for kind, levels in FORMED.items():
        torch.manual_seed(0)
        pipe = getattr(tiny_pipelines, kind)()
        rising = tuple(level.replace("Down", "Up") for level in reversed(levels["down_block_types"]))
        config = {**pipe.unet.config, **levels, "up_block_types": rising, "layers_per_block": 2}
        pipe.register_modules(unet=UNet2DConditionModel(**config))
        pipe.save_pretrained(home / kind)
        tiny_references.adapter(pipe.unet, home / f"{kind}.safetensors")
    return home


STYLE, LAYOUT = {"up": {"block_0": [0.0, 0.6, 0.0]}}, {"down": {"block_2": [0.0, 0.6]}}
DOCUMENTED = {
    ("stable_diffusion_xl", "style"): STYLE,
    ("stable_diffusion_xl", "composition"): LAYOUT,
    ("stable_diffusion", "composition"): {"down": {"block_2": [0.15, 0.6]}},
    ("stable_diffusion", "style"): {
        "down": {"block_0": 0.6, "block_1": 0.6}, "mid": 0.6, "up": {"block_2": 0.6, "block_3": 0.6},
    },
}  # fmt: skip


@pytest.mark.parametrize(("kind", "use"), DOCUMENTED)
def test_style_and_composition_are_the_documented_blocks(formed, kind, use):
    """Witness: `set_ip_adapter_scale` of diffusers with its documented dictionaries."""
    from diffusers import AutoPipelineForText2Image

    model = load(ENGINE, formed / kind)
    made = pixels(
        model.run(replace(ASK, references=(Reference(kind, PICTURE, 0.6, use=use),)), Recorder(adapters=formed))
    )
    pipe = AutoPipelineForText2Image.from_pretrained(formed / kind)
    pipe.set_progress_bar_config(disable=True)
    pipe.load_ip_adapter(str(formed), subfolder="", weight_name=f"{kind}.safetensors")
    pipe.set_ip_adapter_scale(DOCUMENTED[kind, use])
    assert made == [
        pipe(
            ASK.prompt, width=32, height=32, num_inference_steps=3, guidance_scale=4.0, output_type="pil",
            generator=torch.Generator("cpu").manual_seed(5), ip_adapter_image=drawn(),
        ).images[0].tobytes()
    ]  # fmt: skip
    assert made != pixels(
        model.run(replace(ASK, references=(Reference(kind, PICTURE, 0.6),)), Recorder(adapters=formed))
    )
    model.close()


@pytest.mark.parametrize(
    ("kind", "shown", "code"),
    [
        ("stable_diffusion", Reference("wide", PICTURE), "reference_wrong"),
        ("stable_diffusion_xl", Reference("plain", PICTURE), "reference_wrong"),
        ("z_image", Reference("plain", PICTURE), "reference_not_taken"),
        ("stable_diffusion", Reference("nobody", PICTURE), "reference_missing"),
        ("stable_diffusion", Reference("../plain", PICTURE), "reference_missing"),
        ("stable_diffusion", Reference("plain", PICTURE, use="style"), "reference_use"),
    ],
)
def test_what_does_not_fit_is_refused_from_headers(folders, home, painters, kind, shown, code):
    asked = replace(ASK, references=(shown,))
    with pytest.raises(StudioError) as caught:
        ENGINE.check_references(card("diffusion"), folders[kind], asked, (home,))
    assert caught.value.code == code
    with pytest.raises(StudioError) as caught:
        painters(kind).run(asked, Recorder(adapters=home))
    assert caught.value.code == code


def test_files_that_are_read_no_further_are_named(folders, home, tmp_path):
    """Faces told apart by a network of their own, those for FLUX.1, damaged ones, and one without its encoder."""
    one = torch.zeros(2, 2)
    made = {
        "face": {"image_proj.proj.0.weight": one, "image_proj.proj.2.weight": one, "image_proj.norm.weight": one[0]},
        "faceplus": {"image_proj.perceiver_resampler.proj_in.weight": one, "image_proj.proj.0.weight": one},
        "lora": {"image_proj.proj.weight": one, "ip_adapter.0.to_k_lora.down.weight": one},
        "flux": {"ip_adapter_proj_model.proj.weight": one,
                 "double_blocks.0.processor.ip_adapter_double_stream_k_proj.weight": one},
        "thing": {"something": one},
    }  # fmt: skip
    for name, tensors in made.items():
        save_file({key: tensor.clone() for key, tensor in tensors.items()}, tmp_path / f"{name}.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"\xff" * 64)
    save_file(load_file(home / "plain.safetensors"), tmp_path / "alone.safetensors")
    said = {}
    for name in (*made, "broken", "alone"):
        with pytest.raises(StudioError) as caught:
            ENGINE.check_references(
                card("diffusion"), folders["stable_diffusion"], replace(ASK, references=(Reference(name, PICTURE),)),
                (tmp_path,),
            )  # fmt: skip
        said[name] = caught.value.params.get("form", caught.value.code)
    assert said == {
        "face": "FaceID", "faceplus": "FaceID", "lora": "FaceID", "flux": "FLUX.1", "thing": "?", "broken": "bad_file",
        "alone": "reference_encoder",
    }  # fmt: skip
    tiny_references.encoder(tmp_path / "image_encoder", whole=8)  # of another width
    tiny_references.encoder(tmp_path / "image_encoder_2")
    asked = replace(ASK, references=(Reference("alone", PICTURE),))
    ENGINE.check_references(card("diffusion"), folders["stable_diffusion"], asked, (tmp_path,))


def test_memory_is_reserved_for_each_and_for_the_encoder():
    heavy = card("diffusion", memory_bytes=1_000_000_000)
    first = ENGINE.work(heavy, replace(ASK, references=(SHOWN,))) - ENGINE.work(heavy, ASK)
    second = ENGINE.work(heavy, replace(ASK, references=(SHOWN, replace(SHOWN, model="plus")))) - ENGINE.work(
        heavy, ASK
    )
    assert (first, second) == (720_000_000, 840_000_000)
    assert ENGINE.work(heavy, replace(ASK, references=(SHOWN, SHOWN))) == first + ENGINE.work(heavy, ASK)


def test_parking_takes_them_along(painters, home):
    model = painters("stable_diffusion")
    model.run(ASK, Recorder())
    small = model.nbytes()
    model.run(replace(ASK, references=(SHOWN,)), Recorder(adapters=home))
    model.park()
    assert model.nbytes() == small
    model.place()
