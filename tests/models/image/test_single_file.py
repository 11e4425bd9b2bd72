"""Checkpoints of one file, in the layout of their publishers: they load offline and paint what the folder paints."""

import shutil
from dataclasses import replace
from pathlib import Path
from types import FunctionType

import numpy as np
import original_layout as original
import pytest
import tiny_checkpoints
from tiny import CPU, Recorder, card, load
from tiny_pipelines import near, pixels

from studio.catalog import variants
from studio.catalog.card import Source
from studio.engines.image.diffusion import DiffusionEngine
from studio.engines.image.single_file import configs, loading
from studio.engines.image.single_file.tokenizer import clip_tokenizer
from studio.errors import StudioError
from studio.requests import ImageRequest
from studio.store.disk import families
from studio.store.disk.weights import read_weights

ENGINE = DiffusionEngine()
ASK = ImageRequest(
    prompt="a red heart, (blue:1.2) house",
    width=32,
    height=32,
    steps=2,
    guidance_scale=4.0,
    scheduler="",
    count=1,
    seed=5,
)
WHOLE = ("sd1", "sd2", "sdxl", "sd3")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Name -> (folder in diffusers' layout, file in the publishers')."""
    known: dict[str, tuple[Path, Path]] = {}

    def make(name):
        if name not in known:
            top = tmp_path_factory.mktemp(name)
            pipe = tiny_checkpoints.MADE[name]()
            pipe.save_pretrained(top / "folder")
            known[name] = (
                top / "folder",
                tiny_checkpoints.save(tiny_checkpoints.one_file(name, pipe), top / f"{name}.safetensors"),
            )
        return known[name]

    return make


@pytest.fixture(autouse=True)
def _slim_flux(monkeypatch):
    """The library's converter of FLUX.1 knows one width, 3072, which would take a gigabyte: here it is 64."""
    from diffusers.loaders import single_file_model, single_file_utils

    known = single_file_utils.convert_flux_transformer_checkpoint_to_diffusers
    numbers = tuple(64 if one == 3072 else one for one in known.__code__.co_consts)
    assert numbers != known.__code__.co_consts
    slim = FunctionType(known.__code__.replace(co_consts=numbers), known.__globals__)
    entry = single_file_model.SINGLE_FILE_LOADABLE_CLASSES["FluxTransformer2DModel"]
    monkeypatch.setitem(entry, "checkpoint_mapping_fn", slim)


def painted(files, ask=ASK, **changes):
    source = Source("local", path=str(files)) if files.is_file() else Source("local")
    model = load(ENGINE, files, tasks=("image",), source=source, **changes)
    (found,) = pixels(model.run(ask, Recorder()))
    model.close()
    return found


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_checkpoint_paints_what_the_folder_paints(made, name):
    folder, file = made(name)
    assert near(painted(file), painted(folder))


@pytest.mark.parametrize("name", ["flux1", "flux2", "z_image", "qwen_image"])
def test_a_network_that_paints_takes_the_rest_from_the_folder_of_the_whole_model(made, name):
    folder, file = made(name)
    assert near(painted(file, options={"rest": str(folder)}), painted(folder))


def test_qwen_image_is_guided_by_the_scale_that_its_pipeline_reads(made):
    folder, _ = made("qwen_image")
    weak, strong, other = (painted(folder, replace(ASK, **asked)) for asked in (
        {"guidance_scale": 1.0}, {"guidance_scale": 8.0}, {"guidance_scale": 8.0, "negative_prompt": "a blue square"},
    ))  # fmt: skip
    assert weak != strong
    assert strong != other


def states_of(file):
    from safetensors.torch import load_file

    return load_file(file)


def refusal(file, **changes):
    with pytest.raises(StudioError) as caught:
        painted(file, **changes)
    assert caught.value.what()
    assert caught.value.what("zh-CN")
    return caught.value.code, caught.value.params


def test_weights_of_eight_bits_are_widened_while_they_are_read(made, tmp_path):
    import torch

    _, file = made("sdxl")
    narrow = {
        name: tensor.to(torch.float8_e4m3fn) if tensor.ndim > 1 and "diffusion_model" in name else tensor
        for name, tensor in states_of(file).items()
    }
    wide = {name: tensor.to(torch.float32) for name, tensor in narrow.items()}
    short = tiny_checkpoints.save(narrow, tmp_path / "fp8.safetensors")
    assert read_weights(short).dtype == "F32"  # the rest of this tiny one weighs more
    assert near(painted(short), painted(tiny_checkpoints.save(wide, tmp_path / "wide.safetensors")))


def test_eight_bits_that_come_with_scales_are_refused(made, tmp_path):
    import torch

    states = states_of(made("flux1")[1]) | {"scaled_fp8": torch.zeros(2, dtype=torch.float32)}
    scaled = tiny_checkpoints.save(states, tmp_path / "scaled.safetensors")
    assert refusal(scaled)[0] == "packed_weights"


def test_a_checkpoint_without_a_decoder_names_it_and_takes_one_that_lies_beside_it(made, tmp_path):
    folder, file = made("sd1")
    states = states_of(file)
    bare = {name: tensor for name, tensor in states.items() if not name.startswith("first_stage_model.")}
    inner = {name.removeprefix("first_stage_model."): states[name] for name in states.keys() - bare.keys()}
    lacking = tiny_checkpoints.save(bare, tmp_path / "lacking.safetensors")
    beside = tiny_checkpoints.save(inner, tmp_path / "vae.safetensors")
    assert refusal(lacking) == ("missing_part", {"model": "Tiny", "part": "disk.part.vae"})
    assert near(painted(lacking, options={"vae": str(beside)}), painted(folder))
    assert near(painted(lacking, options={"rest": str(folder)}), painted(folder))


@pytest.mark.parametrize(
    ("marks", "metadata"),
    [(("v_pred", "ztsnr"), {}), ((), {"modelspec.prediction_type": "v", "ss_zero_terminal_snr": "True"})],
)
def test_what_a_network_was_taught_to_predict_sets_its_sampler(made, tmp_path, marks, metadata):
    import torch

    states = states_of(made("sdxl")[1]) | {name: torch.zeros(0) for name in marks}
    marked = tiny_checkpoints.save(states, tmp_path / "marked.safetensors", metadata)
    as_folder = tmp_path / "folder"
    tiny_checkpoints.sdxl(
        prediction_type="v_prediction", rescale_betas_zero_snr=True, timestep_spacing="trailing"
    ).save_pretrained(as_folder)
    assert near(painted(marked), painted(as_folder))
    assert painted(marked) != painted(made("sdxl")[1])


def test_the_person_may_say_what_a_network_predicts(made, tmp_path):
    tiny_checkpoints.sd2("epsilon").save_pretrained(tmp_path)
    assert near(painted(made("sd2")[1], options={"prediction": "epsilon"}), painted(tmp_path))
    assert refusal(made("sd2")[1], options={"prediction": "noise"})[0] == "not_a_choice"


def test_what_is_no_checkpoint_says_what_it_is(made, tmp_path):
    import torch

    whole = made("sd1")[1].read_bytes()
    lora = {
        "lora_unet_down_blocks_0.lora_down.weight": torch.zeros(4, 8),
        "lora_unet_down_blocks_0.alpha": torch.ones(1),
    }
    larger = {
        "body.0.rdb1.conv1.weight": torch.zeros(1, 1, 3, 3), "conv_first.weight": torch.zeros(1, 3, 3, 3),
        "conv_last.weight": torch.zeros(3, 1, 3, 3),
    }  # fmt: skip
    cases = {
        "lora": tiny_checkpoints.save(lora, tmp_path / "lora.safetensors"),
        "upscaler": tiny_checkpoints.save(larger, tmp_path / "esrgan.safetensors"),
        "cut": _written(tmp_path / "cut.safetensors", whole[: len(whole) // 2]),
        "web_page": _written(tmp_path / "page.safetensors", b"<!DOCTYPE html><html>Please sign in</html>"),
        "zip": _written(tmp_path / "zip.safetensors", b"PK\x03\x04" + b"\0" * 400),
    }
    for kind, file in cases.items():
        assert refusal(file) == ("not_a_checkpoint", {"file": file.name, "kind": f"disk.kind.{kind}"})
    torch.save({"state_dict": lora}, tmp_path / "renamed.ckpt")
    pickled = (tmp_path / "renamed.ckpt").rename(tmp_path / "renamed.safetensors")
    assert refusal(pickled) == ("unsafe_file", {"file": "renamed.safetensors"})


def _written(file, data):
    file.write_bytes(data)
    return file


def test_flux_as_comfyui_keeps_it_needs_but_a_tokenizer_from_elsewhere(made, tmp_path):
    folder, file = made("flux1")
    pipe = tiny_checkpoints.flux1()
    readers = [
        tiny_checkpoints.save(original.clip(pipe.text_encoder, ""), tmp_path / "clip_l.safetensors"),
        tiny_checkpoints.save(pipe.text_encoder_2.state_dict(), tmp_path / "t5xxl.safetensors"),
    ]
    options = {
        "vae": str(tiny_checkpoints.save(original.vae(pipe.vae, ""), tmp_path / "ae.safetensors")),
        "text_encoders": [str(reader) for reader in readers],
    }
    assert refusal(file, options=options) == ("missing_part", {"model": "Tiny", "part": "disk.part.tokenizer"})
    shutil.copytree(folder / "tokenizer_2", tmp_path / "rest" / "tokenizer_2")
    assert near(painted(file, options={**options, "rest": str(tmp_path / "rest")}), painted(folder))


def test_all_of_stable_diffusion_3_in_one_file_takes_its_third_reader_too(tmp_path):
    pipe = tiny_checkpoints.sd3(t5=True)
    pipe.save_pretrained(tmp_path / "folder")
    third = {f"text_encoders.t5xxl.transformer.{name}": one for name, one in pipe.text_encoder_3.state_dict().items()}
    file = tiny_checkpoints.save(tiny_checkpoints.one_file("sd3", pipe) | third, tmp_path / "all.safetensors")
    assert near(painted(file, options={"rest": str(tmp_path / "folder")}), painted(tmp_path / "folder"))


def differences(found, whole):
    one, other = (np.frombuffer(picture, np.uint8).astype(int) for picture in (found, whole))
    return np.abs(one - other)


@pytest.mark.parametrize(
    ("name", "packed"), [("flux1", "F32"), ("flux1", "Q8_0"), ("z_image", "Q8_0"), ("qwen_image", "F32")]
)
def test_a_network_in_gguf_paints(made, tmp_path, name, packed):
    folder, file = made(name)
    made_of = as_gguf(file, tmp_path / f"{name}.gguf", packed)
    rest = {"options": {"rest": str(folder), "dtype": "float32"}}
    found, whole = painted(made_of, **rest), painted(folder, options={"dtype": "float32"})
    if packed == "F32":
        assert near(found, whole)
    else:
        assert differences(found, whole).max() > 0
        assert differences(found, whole).mean() < 4


def as_gguf(file, target, packed):
    """The same tensors as llama.cpp's own library writes them."""
    import gguf

    writer = gguf.GGUFWriter(target, {"flux1": "flux", "z_image": "lumina2", "qwen_image": "qwen_image"}[file.stem])
    for key, tensor in states_of(file).items():
        data = tensor.float().numpy()
        kind = gguf.GGMLQuantizationType.F32
        if (
            packed != "F32"
            and data.ndim == 2
            and data.shape[-1] % 32 == 0
            and "embedder" not in key
            and "pad" not in key
        ):
            kind = gguf.GGMLQuantizationType[packed]
            data = gguf.quants.quantize(data, kind)
        writer.add_tensor(key.removeprefix("model.diffusion_model."), data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return target


def test_sizes_samplers_and_tokens_are_told_without_loading(made):
    folder, file = made("sdxl")
    one = card("diffusion", tasks=("image",), source=Source("local", path=str(file)))
    model = ENGINE.load(one, file, CPU, lambda _: None)
    assert ENGINE.weights(one, file) == pytest.approx(model.nbytes(), rel=0.02)
    model.close()
    assert ENGINE.samples(one, file, "Euler a")
    assert not ENGINE.samples(one, file, "no such sampler")
    words = "a red heart, " * 30
    assert ENGINE.tokens(one, file, words) == ENGINE.tokens(card("diffusion"), folder, words)
    flow = card("diffusion", source=Source("local", path=str(made("flux1")[1])))
    assert not ENGINE.samples(flow, made("flux1")[1], "Euler a")


def test_a_checkpoint_of_the_hub_lies_in_its_folder_beside_what_it_lacks(tmp_path):
    (tmp_path / "rest").mkdir()
    (tmp_path / "x.safetensors").write_bytes(b"")
    one = card("diffusion", source=Source("hub", repo="owner/x", files=("x.safetensors",)))
    assert loading.checkpoint(one, tmp_path) == tmp_path / "x.safetensors"
    assert loading.checkpoint(one, tmp_path / "x.safetensors") == tmp_path / "x.safetensors"
    assert loading.rest_of(one, tmp_path) == tmp_path / "rest"
    whole = card("diffusion", source=Source("hub", repo="owner/x", files=("a", "b")))
    assert loading.checkpoint(whole, tmp_path) is None


def test_packed_weights_have_no_variants_in_fewer_bits():
    assert variants.of(card("diffusion", source=Source("local", path="/x/a.gguf"))) == ()
    assert "int8" in variants.of(card("diffusion", source=Source("local", path="/x/a.safetensors")))


def test_clip_reads_as_it_was_published():
    """The numbers that stand in every introduction to CLIP."""
    assert clip_tokenizer()("a photo of a cat").input_ids == [49406, 320, 1125, 539, 320, 2368, 49407]
    assert clip_tokenizer("!")("cat", padding="max_length", max_length=4).input_ids[-1] == 0


def published():
    """Configurations of published networks, as their folders have them: name -> (class, what is not the default)."""
    shared = {"use_linear_projection": True, "norm_num_groups": 32}
    levels = ("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",), ("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3
    wide = {"block_out_channels": (320, 640, 1280, 1280), "down_block_types": levels[0], "up_block_types": levels[1]}
    return {
        "sd1": {**wide, "cross_attention_dim": 768, "attention_head_dim": 8},
        "sd2": {**wide, **shared, "cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20]},
        "sdxl": {
            **shared, "block_out_channels": (320, 640, 1280), "cross_attention_dim": 2048,
            "attention_head_dim": [5, 10, 20], "transformer_layers_per_block": [1, 2, 10],
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
            "projection_class_embeddings_input_dim": 2816,
        },
    }  # fmt: skip


@pytest.mark.parametrize("name", ["sd1", "sd2", "sdxl"])
def test_the_published_networks_are_told_from_their_shapes(name):
    import torch
    from diffusers import UNet2DConditionModel

    settings = published()[name]
    with torch.device("meta"):
        model = UNet2DConditionModel(**settings)
    shapes = {key: tuple(one.shape) for key, one in original.settle_upsamplers(original.unet(model)).items()}
    assert families.denoiser(shapes) == families.Denoiser(name)
    told = configs.read.unet(families.bare(shapes, original.UNET), 8 if name == "sd1" else 0)
    with torch.device("meta"):
        again = UNet2DConditionModel(**{**configs.family(name)["unet"], **told})
    differing = {
        key: (model.config[key], again.config[key]) for key in settings if _listed(model.config[key], again.config[key])
    }
    assert differing == {}
    assert {key: one.shape for key, one in again.state_dict().items()} == {
        key: one.shape for key, one in model.state_dict().items()
    }


def _listed(one, other):
    return list(one) != list(other) if isinstance(one, list | tuple) else one != other
