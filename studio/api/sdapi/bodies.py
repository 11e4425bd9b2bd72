"""Bodies of AUTOMATIC1111's addresses, as its clients send them. What is not named here is taken along and looked at by
studio.api.sdapi.translate, which says what it could not use."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from studio.api.asking import OPEN


class Painting(BaseModel):
    """Pictures from words. Numbers that are left out are the model's own."""

    model_config = OPEN
    prompt: str = ""
    negative_prompt: str | None = None
    styles: list[str] | None = None
    seed: int | None = None
    subseed: int | None = None
    subseed_strength: float | None = None
    batch_size: int | None = None
    n_iter: int | None = None
    steps: int | None = None
    cfg_scale: float | None = None
    width: int | None = None
    height: int | None = None
    sampler_name: str | None = None
    sampler_index: str | int | None = None
    scheduler: str | None = None
    tiling: bool | None = None
    denoising_strength: float | None = None
    enable_hr: bool | None = None
    hr_scale: float | None = None
    hr_resize_x: int | None = None
    hr_resize_y: int | None = None
    refiner_checkpoint: str | None = None
    refiner_switch_at: float | None = None
    clip_skip: int | None = None
    override_settings: dict[str, Any] | None = None
    alwayson_scripts: dict[str, Any] | None = None
    send_images: bool | None = None
    do_not_save_samples: bool | None = None


class Repainting(Painting):
    """Pictures from a picture, or in a part of one."""

    init_images: list[str] | None = None
    mask: str | None = None
    mask_blur: float | None = None
    mask_blur_x: float | None = None
    mask_blur_y: float | None = None
    inpaint_full_res: bool | None = None
    inpaint_full_res_padding: int | None = None
    inpainting_mask_invert: int | None = None
    resize_mode: int | None = None
    include_init_images: bool | None = None


class Picture(BaseModel):
    """One of several, with a name that says nothing."""

    model_config = OPEN
    data: str = ""


class Enlarging(BaseModel):
    """One picture, larger, or several."""

    model_config = OPEN
    image: str = ""
    pictures: list[Picture] = Field([], alias="imageList")
    resize_mode: int | None = None
    upscaling_resize: float | None = None
    upscaling_resize_w: int | None = None
    upscaling_resize_h: int | None = None
    upscaler_1: str | None = None


class Looked(BaseModel):
    """A picture that is read."""

    model_config = OPEN
    image: str = ""


class Interrogation(BaseModel):
    """A picture that is put into words: "clip" as a prompt, "deepdanbooru" as tags, or the id of a model."""

    model_config = OPEN
    image: str = ""
    model: str | None = None
