"""Bodies of AUTOMATIC1111's clients in our words, without a studio."""

from __future__ import annotations

import json
from typing import Any

import pytest

from studio.api.sdapi import extensions, translate
from studio.api.sdapi.bodies import Painting, Repainting

SILLY_TAVERN: dict[str, Any] = {
    "prompt": "a fox", "negative_prompt": "people", "sampler_name": "DPM++ 2M", "scheduler": "karras", "steps": 20,
    "cfg_scale": 7, "width": 512, "height": 768, "restore_faces": False, "enable_hr": False, "hr_upscaler": "Latent",
    "hr_scale": 2, "hr_additional_modules": [], "denoising_strength": 0.7, "hr_second_pass_steps": 0, "seed": -1,
    "override_settings": {"CLIP_stop_at_last_layers": 1, "sd_vae": "Automatic"},
    "override_settings_restore_afterwards": True, "clip_skip": 1, "save_images": True, "send_images": True,
    "do_not_save_grid": False, "do_not_save_samples": False,
}  # fmt: skip
"""As SillyTavern sends it for somebody who changed nothing."""
OPEN_WEBUI = {"prompt": "a fox", "batch_size": 2, "width": 512, "height": 512, "steps": 50, "negative_prompt": "people"}
PHOTOSHOP: dict[str, Any] = {
    "prompt": "a fox", "negative_prompt": "", "steps": 20, "n_iter": 1, "batch_size": 1, "width": 512, "height": 512,
    "cfg_scale": 7, "sampler_index": "Euler a", "seed": "-1", "denoising_strength": 0.6, "mask_blur": 8,
    "inpaint_full_res": False, "inpaint_full_res_padding": 32, "inpainting_fill": 1, "inpainting_mask_invert": 0,
    "resize_mode": 0, "restore_faces": False, "tiling": False, "init_images": ["AAAA"], "mask": "BBBB",
    "alwayson_scripts": {}, "script_name": None, "script_args": [],
}  # fmt: skip


def words(given: dict[str, Any], **options: Any) -> translate.Words:
    body = Repainting if "init_images" in given else Painting
    return translate.words(body.model_validate(given), options)


def test_what_sillytavern_sends_is_understood_whole() -> None:
    found = words(SILLY_TAVERN)
    assert found.ignored == ()
    request = found.request
    assert (request.scheduler, request.steps, request.guidance_scale, request.seed) == ("DPM++ 2M Karras", 20, 7, None)
    assert (request.width, request.height, request.hires_scale, request.clip_skip) == (512, 768, 1, 0)
    assert request.strength is None


def test_what_open_webui_sends_is_understood_whole() -> None:
    found = words(OPEN_WEBUI)
    assert found.ignored == ()
    assert (found.request.count, found.request.steps, found.request.scheduler) == (2, 50, "")


def test_what_a_plugin_of_photoshop_sends_is_understood_whole() -> None:
    found = words(PHOTOSHOP)
    assert found.ignored == ()
    request = found.request
    assert (request.scheduler, request.seed, request.strength) == ("Euler a", None, 0.6)
    assert (request.masked_only, request.mask_padding, request.mask_blur) == (False, 32, 8)
    assert (found.pictures, found.mask, found.invert, found.stretched) == (("AAAA",), "BBBB", False, True)


@pytest.mark.parametrize(
    ("given", "size", "scale"),
    [
        ({"hr_scale": 2}, (1024, 1536), 2),
        ({}, (1024, 1536), 2),
        ({"hr_scale": 1.5}, (768, 1152), 1.5),
        ({"hr_resize_x": 768, "hr_resize_y": 0}, (768, 1152), 1.5),
        ({"hr_scale": 1}, (512, 768), 1),
    ],
)
def test_sides_of_a_second_painting_are_those_of_the_finished_picture(
    given: dict[str, Any], size: tuple[int, int], scale: float
) -> None:
    body = {"prompt": "x", "width": 512, "height": 768, "enable_hr": True, "denoising_strength": 0.4, **given}
    request = words(body).request
    assert ((request.width, request.height), request.hires_scale) == (size, scale)
    assert request.hires_strength == (0.4 if scale > 1 else None)


def test_a_settings_of_one_body_comes_before_what_was_set_for_all() -> None:
    body = {"prompt": "x", "override_settings": {"sd_model_checkpoint": "b", "CLIP_stop_at_last_layers": 2}}
    found = words(body, sd_model_checkpoint="a", sd_vae="vae/fine.safetensors")
    assert (found.model, found.request.clip_skip, found.request.vae) == ("b", 1, "fine")
    assert words({"prompt": "x"}, sd_model_checkpoint="a").model == "a"


def test_a_mask_has_the_defaults_that_it_has_there() -> None:
    request = words({"prompt": "x", "init_images": ["A"], "mask": "B"}).request
    assert (request.masked_only, request.mask_padding, request.mask_blur, request.strength) == (True, 0, 4, 0.75)


def test_relatives_tiles_and_a_refiner() -> None:
    request = words({"prompt": "x", "seed": 7, "subseed": 9, "subseed_strength": 0.3, "tiling": True}).request
    assert (request.seed, request.variation, request.variation_seed, request.seamless) == (7, 0.3, 9, "both")
    request = words({"prompt": "x", "refiner_checkpoint": "xl-refiner", "refiner_switch_at": 0.7}).request
    assert (request.refiner, request.refiner_at) == ("xl-refiner", 0.7)


@pytest.mark.parametrize(
    ("given", "ignored"),
    [
        ({"restore_faces": True}, "restore_faces"),
        ({"eta": 0.3}, "eta"),
        ({"sampler_name": "DPM adaptive"}, "sampler_name=DPM?adaptive"),
        ({"sampler_name": "Euler", "scheduler": "Beta"}, "scheduler=Beta"),
        ({"override_settings": {"eta_noise_seed_delta": 31337}}, "override_settings.eta_noise_seed_delta"),
        ({"alwayson_scripts": {"Sag": {"args": [True, 0.7]}}}, "alwayson_scripts.Sag"),
        ({"enable_hr": True, "hr_prompt": "y"}, "hr_prompt"),
        ({"schlüssel, böse\r\n": 1}, "schl?ssel??b?se??"),
    ],
)
def test_what_would_have_changed_the_picture_is_named(given: dict[str, Any], ignored: str) -> None:
    assert words({"prompt": "x", **given}).ignored == (ignored,)


@pytest.mark.parametrize(
    "given",
    [
        {"hr_prompt": "y"}, {"eta": 1.0}, {"script_args": []}, {"force_task_id": "a"},
        {"alwayson_scripts": {"Sag": {"args": [False]}}}, {"comments": {}},
    ],
)  # fmt: skip
def test_what_would_not_is_not(given: dict[str, Any]) -> None:
    assert words({"prompt": "x", **given}).ignored == ()


def test_controlnets_and_details_are_read_as_in_their_texts() -> None:
    unit = {
        "enabled": True, "module": "canny", "model": "control_canny [d14c016b]", "weight": 0.8, "image": "AAAA",
        "resize_mode": "Just Resize", "guidance_start": 0.1, "guidance_end": 0.9, "control_mode": "Balanced",
    }  # fmt: skip
    face = {"ad_model": "faces", "ad_prompt": "smiling", "ad_denoising_strength": 0.3}
    found = extensions.read({"ControlNet": {"args": [{"enabled": False}, unit]}, "ADetailer": {"args": [True, face]}})
    assert found.ignored == ()
    (one,) = found.units
    assert (one.control.model, one.control.preprocessor, one.control.weight) == ("control_canny", "canny", 0.8)
    assert (one.control.start, one.control.end, one.control.fit, one.picture) == (0.1, 0.9, "stretch", "AAAA")
    (detail,) = found.fields["details"]
    assert (detail.detector, detail.prompt, detail.strength) == ("faces", "smiling", 0.3)


@pytest.mark.parametrize("args", [None, 5, "x", [5], [{"model": 5}], [{"model": "a", "weight": "b"}], [[]], [True, {}]])
def test_extensions_of_any_form_raise_nothing(args: Any) -> None:
    extensions.read({"controlnet": {"args": args}, "adetailer": {"args": args}, "x": args})


def test_a_body_comes_back_without_its_pictures_and_as_json_can_say_it() -> None:
    told = translate.echo(Repainting.model_validate({**PHOTOSHOP, "more": [float("nan")]}))
    assert (told["init_images"], told["mask"], told["more"]) == (None, None, [None])
    assert json.loads(json.dumps(told, allow_nan=False))["prompt"] == "a fox"
    kept = translate.echo(Repainting.model_validate({**PHOTOSHOP, "include_init_images": True}))
    assert kept["init_images"] == ["AAAA"]


def test_every_sampler_that_is_listed_is_understood() -> None:
    for name in [one["name"] for one in translate.samplers()]:
        for schedule in [one["name"] for one in translate.schedulers()]:
            found = words({"prompt": "x", "sampler_name": name, "scheduler": schedule})
            assert found.request.scheduler.removesuffix(" Karras") == name
            known = schedule == "automatic" or found.request.scheduler.endswith("Karras")
            assert bool(found.ignored) != known or schedule == "automatic"
