"""Pictures of other programs are read, or their program is named; only damage is called damage."""

from __future__ import annotations

import gzip
import io
import json
from typing import Any

import numpy as np
import piexif
import piexif.helper
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from studio.media import stealth
from studio.recipes import inspect, more_uis
from studio.request_parts import Lora

PICTURE = Image.new("RGB", (64, 64), "red")
FOOOCUS = {
    "adm_guidance": "(1.5, 0.8, 0.3)", "base_model": "juggernautXL_v8", "base_model_hash": "aeb7", "clip_skip": 2,
    "full_negative_prompt": ["blurry"], "full_prompt": ["a cat, sharp"], "guidance_scale": 4.0,
    "loras": [["sd_xl_offset", 0.1, "4852"]], "metadata_scheme": "fooocus", "negative_prompt": "blurry",
    "performance": "Speed", "prompt": "a cat", "resolution": "(896, 1152)", "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras", "seed": "3126078372", "steps": 30, "styles": "['Fooocus V2']", "version": "Fooocus v2.5.5",
}  # fmt: skip
FOOOCUS_LOG = {
    "Prompt": "a cat", "Negative Prompt": "blurry", "Performance": "Speed", "Steps": 30, "Resolution": "(896, 1152)",
    "Guidance Scale": 4.0, "Base Model": "juggernautXL_v8.safetensors", "Sampler": "dpmpp_2m_sde_gpu", "Seed": "5",
    "Scheduler": "karras", "LoRA 1": "sd_xl_offset.safetensors : 0.1", "Version": "Fooocus v2.1",
}  # fmt: skip
INVOKE = {
    "generation_mode": "sdxl_txt2img", "positive_prompt": "a cat", "negative_prompt": "blurry", "width": 832,
    "height": 1216, "seed": 2**31, "rand_device": "cpu", "cfg_scale": 5.5, "steps": 28, "scheduler": "dpmpp_2m_k",
    "clip_skip": 0, "model": {"key": "k", "hash": "h", "name": "Juggernaut XL", "base": "sdxl", "type": "main"},
    "loras": [{"model": {"name": "ink", "base": "sdxl"}, "weight": 0.75}], "app_version": "5.4.0", "hrf_strength": 0.4,
}  # fmt: skip
INVOKE_2 = {
    "model": "stable diffusion", "model_weights": "stable-diffusion-1.5", "model_hash": "c", "app_version": "v2.3.5",
    "image": {"prompt": [{"prompt": "a cat [blurry]", "weight": 1.0}], "steps": 50, "cfg_scale": 7.5, "height": 512,
              "width": 768, "seed": 42, "type": "txt2img", "sampler": "k_euler_a", "variations": []},
}  # fmt: skip
NOVELAI = {"steps": 28, "sampler": "k_dpmpp_2m", "noise_schedule": "karras", "seed": 77, "scale": 6.0, "uc": "lowres",
           "width": 832, "height": 1216, "prompt": "a cat", "sm": False, "cfg_rescale": 0.0}  # fmt: skip
NOVELAI_4 = {**NOVELAI, "prompt": "", "v4_prompt": {"caption": {"base_caption": "a cat", "char_captions": [
    {"char_caption": "girl, hat", "centers": []}]}}}  # fmt: skip
EASY = {
    "prompt": "a cat", "negative_prompt": "blurry", "seed": 5, "use_stable_diffusion_model": "sd-v1-5", "width": 512,
    "clip_skip": True, "sampler_name": "euler_a", "height": 768, "num_inference_steps": 25, "guidance_scale": 7.5,
    "use_lora_model": ["ink", "fog"], "lora_alpha": [0.5, 0.2], "use_face_correction": "GFPGANv1.4",
}  # fmt: skip
EASY_TEXT = {
    "Prompt": "a cat", "Negative Prompt": "blurry", "Seed": 5, "Stable Diffusion model": "sd-v1-5", "Width": 512,
    "Sampler": "euler_a", "Height": 768, "Steps": 25, "Guidance Scale": 7.5, "LoRA model": "ink, fog",
    "Clip Skip": True, "LoRA Strength": "0.5, 0.2", "Use Face Correction": "GFPGANv1.4",
}  # fmt: skip
DRAW = {"c": "a cat", "uc": "dog", "steps": 8, "seed": 77, "scale": 3, "size": "512x768", "sampler": "DPM++ 2M Karras",
        "model": "sd.ckpt", "lora": [{"model": "ink_f16.ckpt", "weight": 0.6}], "strength": 1}  # fmt: skip
TENSOR = {
    "prompt": "a cat", "negativePrompt": "blurry", "width": 512, "height": 768, "seed": "5", "steps": 25, "cfgScale": 7,
    "samplerName": "dpmpp_2m", "clipSkip": 2, "baseModel": {"modelFileName": "x.safetensors"}, "models": [
        {"type": "BASE_MODEL", "modelFileName": "x"}, {"type": "LORA", "modelFileName": "ink", "weight": 0.8}],
}  # fmt: skip
RUINED = {
    "Prompt": "a cat", "Negative": "blurry", "steps": 30, "cfg": 8, "width": 1152, "height": 896, "seed": 5,
    "sampler_name": "dpmpp_2m", "scheduler": "karras", "base_model_name": "sd_xl.safetensors",
    "software": "RuinedFooocus", "loras": [["None", 0.5], ["ink.safetensors", 0.1]], "clip_skip": 1,
    "denoise": None, "base_model_hash": "31",
}  # fmt: skip


def png(texts: dict[str, Any], image: Image.Image = PICTURE) -> bytes:
    info, out = PngImagePlugin.PngInfo(), io.BytesIO()
    for key, text in texts.items():
        info.add_text(key, text if isinstance(text, str) else json.dumps(text))
    image.save(out, "PNG", pnginfo=info)
    return out.getvalue()


def webp(comment: str) -> bytes:
    out = io.BytesIO()
    PICTURE.save(out, "WEBP", exif=piexif.dump({"Exif": {37510: piexif.helper.UserComment.dump(comment, "unicode")}}))
    return out.getvalue()


def read(data: bytes) -> inspect.Restored:
    found = inspect.read_settings(data)
    assert found is not None
    assert (found.broken, found.wrong, found.unread) == (False, (), False)
    return found


NAI = {"Title": "AI generated image", "Description": "a cat", "Software": "NovelAI", "Source": "NovelAI Diffusion V3"}
CASES: dict[str, tuple[bytes, str, dict[str, Any], str, str]] = {
    "Fooocus": (png({"parameters": FOOOCUS, "fooocus_scheme": "fooocus"}), "fooocus", {
        "negative_prompt": "blurry", "seed": 3126078372, "steps": 30, "guidance_scale": 4.0, "width": 896,
        "height": 1152, "clip_skip": 1, "scheduler": "DPM++ 2M SDE Karras", "loras": (Lora("sd_xl_offset", 0.1),)},
        "juggernautXL_v8", "styles: ['Fooocus V2']"),
    "Fooocus, in EXIF": (webp(json.dumps(FOOOCUS)), "fooocus", {"seed": 3126078372}, "juggernautXL_v8", ""),
    "Fooocus' log": (png({"parameters": FOOOCUS_LOG}), "fooocus", {
        "negative_prompt": "blurry", "seed": 5, "steps": 30, "width": 896, "loras": (Lora("sd_xl_offset", 0.1),)},
        "juggernautXL_v8.safetensors", ""),
    "Ruined Fooocus": (png({"parameters": RUINED}), "fooocus", {
        "negative_prompt": "blurry", "seed": 5, "guidance_scale": 8.0, "width": 1152, "scheduler": "DPM++ 2M Karras"},
        "sd_xl.safetensors", ""),
    "InvokeAI": (png({"invokeai_metadata": INVOKE, "invokeai_graph": {"id": "x"}}), "invokeai", {
        "negative_prompt": "blurry", "seed": 2**31, "steps": 28, "guidance_scale": 5.5, "width": 832, "height": 1216,
        "clip_skip": 0, "scheduler": "DPM++ 2M Karras", "loras": (Lora("ink", 0.75),)},
        "Juggernaut XL", "hrf_strength: 0.4"),
    "InvokeAI 2": (png({"sd-metadata": INVOKE_2, "Dream": '"a cat" -s 50'}), "invokeai", {
        "negative_prompt": "blurry", "seed": 42, "steps": 50, "width": 768, "height": 512, "scheduler": "Euler a"},
        "stable-diffusion-1.5", ""),
    "NovelAI": (png({**NAI, "Comment": NOVELAI}), "novelai", {
        "negative_prompt": "lowres", "seed": 77, "steps": 28, "guidance_scale": 6.0, "width": 832,
        "scheduler": "DPM++ 2M Karras"}, "NovelAI Diffusion V3", ""),
    "NovelAI 4": (png({**NAI, "Comment": NOVELAI_4}), "novelai", {"seed": 77}, NAI["Source"], "girl, hat"),
    "Easy Diffusion, a text each": (png({name: str(value) for name, value in EASY.items()}), "easydiffusion", {
        "negative_prompt": "blurry", "seed": 5, "steps": 25, "guidance_scale": 7.5, "width": 512, "height": 768,
        "clip_skip": 1, "scheduler": "Euler a", "loras": (Lora("ink", 0.5), Lora("fog", 0.2))},
        "sd-v1-5", "use face correction: GFPGANv1.4"),
    "Easy Diffusion, for people": (png({name: str(value) for name, value in EASY_TEXT.items()}), "easydiffusion", {
        "negative_prompt": "blurry", "seed": 5, "steps": 25, "loras": (Lora("ink", 0.5), Lora("fog", 0.2))},
        "sd-v1-5", ""),
    "Easy Diffusion, in EXIF": (webp(json.dumps(EASY)), "easydiffusion", {
        "seed": 5, "steps": 25, "loras": (Lora("ink", 0.5), Lora("fog", 0.2))}, "sd-v1-5", ""),
    "Easy Diffusion, without a model": (png({"prompt": "a cat", "num_inference_steps": "9", "seed": "5"}),
        "easydiffusion", {"steps": 9, "seed": 5}, "", ""),
    "Draw Things": (webp(json.dumps(DRAW)), "drawthings", {
        "negative_prompt": "dog", "seed": 77, "steps": 8, "guidance_scale": 3.0, "width": 512, "height": 768,
        "scheduler": "DPM++ 2M Karras", "loras": (Lora("ink_f16", 0.6),)}, "sd.ckpt", ""),
    "Tensor.Art": (png({"generation_data": json.dumps(TENSOR) + "\0"}), "tensorart", {
        "negative_prompt": "blurry", "seed": 5, "steps": 25, "clip_skip": 1, "scheduler": "DPM++ 2M",
        "loras": (Lora("ink", 0.8),)}, "x.safetensors", ""),
}  # fmt: skip


@pytest.mark.parametrize("program", CASES)
def test_a_program_is_read_and_named(program: str) -> None:
    data, form, fields, model, unknown = CASES[program]
    found = read(data)
    assert (found.form, found.fields["prompt"], found.model) == (form, "a cat", model)
    assert {name: found.fields.get(name) for name in fields} == fields
    assert not unknown or any(unknown in one for one in found.unknown), found.unknown


@pytest.mark.parametrize(
    ("texts", "form", "program"),
    [
        ({"workflow": {"nodes": [], "links": []}}, "comfyui", "ComfyUI"),
        ({"prompt": {"1": {"class_type": "LoadImage", "inputs": {}}}}, "comfyui", "ComfyUI"),
        ({"invokeai_graph": {"id": "x", "nodes": {}}}, "invokeai", "InvokeAI"),
        ({"Dream": '"a cat" -s 50 -S 1'}, "invokeai", "InvokeAI"),
        ({"Software": "NovelAI"}, "novelai", "NovelAI"),
        ({"Description": "a cat --v 5 Job ID: 1-2-3", "Author": "x"}, "midjourney", "Midjourney"),
        ({"parameters": {"something": "else", "version": 3}}, "other", "?"),
    ],
)
def test_a_program_that_left_nothing_to_read_is_named_and_not_called_damaged(
    texts: dict[str, Any], form: str, program: str
) -> None:
    found = inspect.read_settings(png(texts))
    assert found is not None
    assert (found.form, found.program, found.unread, found.broken, found.fields) == (form, program, True, False, {})


@pytest.mark.parametrize(
    "texts",
    [
        {"Comment": "a holiday", "Software": "GIMP"}, {"Description": "my cat", "Title": "Cat"}, {"prompt": "hello"},
        {"Comment": '{"steps": 4}'}, {"Author": "x", "Comment": "{"}, {"prompt": "a cat", "seed": "5"},
    ],
)  # fmt: skip
def test_what_is_no_programs_is_nothing(texts: dict[str, str]) -> None:
    assert inspect.read_settings(png(texts)) is None


def test_cut_json_of_a_program_is_damage() -> None:
    for key in ("invokeai_metadata", "generation_data", "parameters"):
        found = inspect.read_settings(png({key: json.dumps(FOOOCUS)[:80]}))
        assert found is not None
        assert (found.broken, found.unread) == (True, False)


@pytest.mark.parametrize("seed", [-7, 2**64, 10**30, "many", 1.5])
def test_a_value_that_cannot_be_is_named_and_the_rest_restored(seed: Any) -> None:
    found = inspect.read_settings(png({"invokeai_metadata": {**INVOKE, "seed": seed}}))
    assert found is not None
    assert (found.fields["prompt"], "seed" in found.fields, found.broken) == ("a cat", False, False)
    assert found.wrong == (f"seed: {seed}",)


# ---- hidden in pixels


def hidden(text: str, mark: str, form: str = "PNG", size: tuple[int, int] = (67, 90)) -> bytes:
    """A picture with a text in its lowest bits, written as the extension's own source describes it."""
    body = gzip.compress(text.encode()) if mark.endswith("comp") else text.encode()
    bits = np.unpackbits(np.frombuffer(mark.encode() + (len(body) * 8).to_bytes(4, "big") + body, np.uint8))
    pixels = np.full((size[1], size[0], 4), 254, np.uint8)
    channels = pixels[:, :, 3:] if "png" in mark else pixels[:, :, :3]
    flat = channels.transpose(1, 0, 2).reshape(-1).copy()
    flat[: len(bits)] = 254 | bits
    channels[:] = flat.reshape(size[0], size[1], -1).transpose(1, 0, 2)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, form, **({"lossless": True, "exact": True} if form == "WEBP" else {}))
    return out.getvalue()


A1111 = "a cät\nNegative prompt: dog\nSteps: 20, Sampler: Euler, CFG scale: 7, Seed: 5, Size: 64x64"
MARKS = ("stealth_pnginfo", "stealth_pngcomp", "stealth_rgbinfo", "stealth_rgbcomp")


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
@pytest.mark.parametrize("mark", MARKS)
def test_settings_hidden_in_pixels_are_read(mark: str, form: str) -> None:
    found = read(hidden(A1111, mark, form))
    assert (found.form, found.fields["prompt"], found.fields["seed"]) == ("a1111", "a cät", 5)


def test_novelais_hidden_texts_are_read() -> None:
    text = json.dumps({**NAI, "Comment": json.dumps(NOVELAI)})
    found = read(hidden(text, "stealth_pngcomp"))
    assert (found.form, found.fields["prompt"], found.fields["seed"], found.model) == (
        "novelai",
        "a cat",
        77,
        NAI["Source"],
    )


def test_pixels_that_lie_about_what_they_hide_are_nothing() -> None:
    bomb = hidden("x" * 30_000_000, "stealth_pngcomp", size=(600, 600))
    assert len(stealth.text(bomb)) <= stealth.MAX_TEXT
    whole = bytearray(b"stealth_pnginfo" + b"\xff\xff\xff\xff")
    bits = np.unpackbits(np.frombuffer(bytes(whole), np.uint8))
    pixels = np.full((90, 67, 4), 255, np.uint8)
    column = pixels[:, :, 3].T.copy().reshape(-1)
    column[: len(bits)] = 254 | bits
    pixels[:, :, 3] = column.reshape(67, 90).T
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    assert stealth.text(out.getvalue()) == ""
    for size in ((1, 1), (3, 2), (200, 1)):
        out = io.BytesIO()
        Image.new("RGBA", size).save(out, "PNG")
        assert stealth.text(out.getvalue()) == ""


# ---- hostile

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([FOOOCUS, FOOOCUS_LOG, RUINED, INVOKE, INVOKE_2, NOVELAI_4, EASY, DRAW, TENSOR]), st.data())
def test_any_value_in_any_place_is_read_or_left(whole: dict[str, Any], data: st.DataObject) -> None:
    odd = {**whole, data.draw(st.sampled_from(sorted(whole))): data.draw(JSON)}
    inspect.from_text(json.dumps(odd))
    more_uis.novelai(NAI, odd)
    more_uis.easy_diffusion({name: str(value) for name, value in odd.items()})
