"""The inside of pipelines: the same pixels as a run, the latents of the pipeline's own callback, attention that sums to
one, and a space that is the autoencoder's own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny import Recorder

from studio.errors import StudioError
from studio.requests import ImageRequest

ASKED = ImageRequest(
    prompt="red heart", negative_prompt="", width=64, height=64, steps=4, guidance_scale=1.0, seed=3, count=1
)


@pytest.fixture(params=["icons", "stable_diffusion"])
def model(request: pytest.FixtureRequest, painters: Callable[[str], Any]) -> Any:
    return painters(request.param)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_a_painting_is_what_a_run_makes_before_and_after(model: Any, guidance: float) -> None:
    asked = replace(ASKED, guidance_scale=guidance)
    before = model.run(asked, Recorder()).images[0].tobytes()
    assert model.painting(asked, Recorder()).picture.tobytes() == before
    assert model.run(asked, Recorder()).images[0].tobytes() == before


def test_the_steps_are_those_of_the_pipelines_own_callback(model: Any) -> None:
    import torch

    pipe, seen = model._family.pipe, []

    def keep(_: Any, step: int, time: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        seen.append((float(time), tensors["latents"].clone()))
        return tensors

    pipe.scheduler = model._family.scheduler("")
    pipe(
        prompt=ASKED.prompt, width=64, height=64, num_inference_steps=4, guidance_scale=1.0,
        generator=torch.Generator("cpu").manual_seed(3), callback_on_step_end=keep, output_type="pil",
    )  # fmt: skip
    painting = model.painting(ASKED, Recorder())
    assert [step.time for step in painting.steps] == [time for time, _ in seen]
    after = [latents for _, latents in seen[:-1]]
    with torch.inference_mode():
        decoded = pipe.vae.decode(torch.cat(after) / pipe.vae.config.scaling_factor, return_dict=False)[0]
    own = pipe.image_processor.postprocess(decoded, output_type="pil")
    for step, picture in zip(painting.steps[1:], own, strict=True):
        assert np.abs(np.asarray(step.noisy, int) - np.asarray(picture, int)).max() <= 1


def test_attention_sums_to_one_at_every_place(model: Any) -> None:
    painting = model.painting(replace(ASKED, guidance_scale=3.0), Recorder())
    assert painting.attention.shape[0] == len(painting.steps)
    assert painting.attention.sum(axis=1) == pytest.approx(1, abs=1e-4)
    assert painting.attention.min() >= 0
    assert [word.text for word in painting.words] == ["red", "heart"]


def test_the_attention_is_what_the_layers_compute(model: Any) -> None:
    """Diffusers' own slow processor, which materialises the probabilities, sees the same."""
    import torch
    from diffusers.models.attention_processor import Attention, AttnProcessor

    seen: list[torch.Tensor] = []
    unet = model._family.pipe.unet
    layer = next(part for name, part in unet.named_modules() if name.endswith("attn2"))
    before, scores = layer.processor, Attention.get_attention_scores
    painting = model.painting(ASKED, Recorder())

    def kept(self: Any, *args: Any) -> torch.Tensor:
        found = scores(self, *args)
        if self is layer:
            seen.append(found)
        return found

    layer.set_processor(AttnProcessor())
    Attention.get_attention_scores = kept
    try:
        model.run(ASKED, Recorder())
    finally:
        Attention.get_attention_scores = scores
        layer.set_processor(before)
    from studio.engines.image.inside import Attention as Watched

    watched = Watched(unet)
    with watched.watching():
        model.run(ASKED, Recorder())
    mine = watched._seen[watched._layers.index(layer)]
    assert len(mine) == len(seen) == len(painting.steps)
    for one, other in zip(mine, seen, strict=True):
        assert one.numpy() == pytest.approx(other.mean(dim=0).T.numpy(), abs=1e-5)


def test_no_guidance_leaves_the_words_aside(model: Any) -> None:
    without = model.painting(replace(ASKED, guidance_scale=0.0), Recorder())
    empty = model.run(replace(ASKED, prompt="", guidance_scale=1.0), Recorder())
    assert without.picture.tobytes() == empty.images[0].tobytes()
    assert without.words == ()


def test_the_space_is_the_autoencoders_own(model: Any) -> None:
    import torch

    pipe, picture = model._family.pipe, Image.linear_gradient("L").resize((64, 64)).convert("RGB")
    latents = model.encode([picture, picture], Recorder())
    with torch.inference_mode():
        own = (
            pipe.vae.encode(pipe.image_processor.preprocess(picture)).latent_dist.mode()
            * pipe.vae.config.scaling_factor
        )
    assert latents[1] == pytest.approx(own[0].numpy(), abs=1e-5)
    back = model.decode(latents, Recorder())
    assert [one.size for one in back] == [(64, 64)] * 2


def test_stop_is_heard_and_leaves_the_model_as_it_was(model: Any) -> None:
    from studio.errors import Cancelled

    before = model.run(ASKED, Recorder()).images[0].tobytes()
    with pytest.raises(Cancelled):
        model.painting(ASKED, Recorder(stop_after=2))
    unet = model._family.pipe.unet
    assert not any(part._forward_pre_hooks for name, part in unet.named_modules() if name.endswith("attn2"))
    assert model.run(ASKED, Recorder()).images[0].tobytes() == before


def test_a_pipeline_without_such_an_inside_says_so(painters: Callable[[str], Any]) -> None:
    with pytest.raises(StudioError) as error:
        painters("z_image").painting(ASKED, Recorder())
    assert error.value.code == "not_open_none"
