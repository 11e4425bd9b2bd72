"""What is offered where memory does not suffice."""

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image
from tiny_card import tiny_card

from studio.catalog import variants
from studio.catalog.card import Card, Source
from studio.jobs import memory_need, suggestions
from studio.request_parts import Message
from studio.requests import CaptionRequest, ChatRequest, ImageRequest, MusicRequest, UpscaleRequest
from studio.tasks import limits

GB = 1_000_000_000


def card(**changes):
    return tiny_card(Source("bundled"), 1, **changes)


PAINTER = card(
    id="painter", title="Painter", engine="diffusion", tasks=("image",), parameters=2 * GB, memory_bytes=5 * GB,
    least_memory=5 * GB, starter=False, limits={"max_width": 2048, "max_height": 2048, "multiple": 16},
    defaults={}, options={},
)  # fmt: skip
SISTERS = [variants.derived(PAINTER, name) for name in ("offload", "int8", "int4", "offload-int8")]
ASK = ImageRequest(
    prompt="a heart", model="painter", width=1024, height=768, steps=20, guidance_scale=7.0, count=1, seed=1,
    strength=0.6, hires_strength=0.5, variation_seed=0,
)  # fmt: skip


def need(target: Card, request: Any) -> tuple[int, int]:
    """4 GB of weights, fewer in variants; 3 kB a pixel, a quarter of that in tiles; 10 MB a second of sound."""
    weights = {"": 4, "offload": 3, "int8": 2, "int4": 1.2, "offload-int8": 1.5}[target.variant] * GB
    if target.base == "small":
        weights = GB // 2
    if isinstance(request, ImageRequest):
        return int(weights), (request.width or 0) * (request.height or 0) * (750 if request.tiling else 3000)
    if isinstance(request, MusicRequest):
        return int(weights), int((request.duration or 0) * 10_000_000)
    return int(weights), request.max_tokens * 1_000_000


def offered(request: Any = ASK, target=PAINTER, sisters=SISTERS, others=(), room=6.0, spent=False):
    return suggestions.rungs(request, target, sisters, others, room=int(room * GB), spent=spent, need=need)


def kinds(*args, **more):
    return [offer.kind for offer in offered(*args, **more)]


def test_the_order_is_from_what_changes_the_result_least():
    assert kinds() == ["tiles", "smaller", "offload", "int8", "int4"]


def test_the_size_is_the_largest_of_its_shape_that_fits():
    changes = next(offer for offer in offered(room=5.0) if offer.kind == "smaller").changes
    width, height = changes["width"], changes["height"]
    assert width % 16 == height % 16 == 0
    assert width / height == pytest.approx(4 / 3, rel=0.05)
    larger = replace(ASK, width=width + 48, height=height + 32)
    assert need(PAINTER, replace(ASK, **changes))[1] <= GB < need(PAINTER, larger)[1]


def test_what_would_not_fit_is_not_offered():
    for offer in offered(room=4.2):
        changed = next((sister for sister in SISTERS if sister.id == offer.changes.get("model")), PAINTER)
        rest = {name: value for name, value in offer.changes.items() if name != "model"}
        assert sum(need(changed, replace(ASK, **rest))) <= 4.2 * GB


def test_nothing_is_offered_where_nothing_fits():
    assert offered(room=0.1) == ()


def test_what_is_so_already_is_not_offered():
    assert "tiles" not in kinds(replace(ASK, tiling=True))
    small = variants.derived(PAINTER, "int8")
    assert [kind for kind in kinds(replace(ASK, model=small.id), small, room=4.0) if "int" in kind] == ["int4"]


def test_both_at_once_only_where_one_does_not_suffice():
    assert "offload-int8" not in kinds()
    assert "offload-int8" in kinds(sisters=[SISTERS[3]], room=4.0)


def test_after_memory_ran_out_the_work_has_to_halve_or_the_weights_to_shrink():
    found = {offer.kind: offer.changes for offer in offered(room=20, spent=True)}
    assert list(found) == ["tiles", "smaller", "offload", "int8", "int4"]
    assert found["smaller"]["width"] * found["smaller"]["height"] <= 1024 * 768 / 2


def test_the_largest_other_model_that_fits_comes_last_without_the_values_it_does_not_take():
    small = replace(PAINTER, id="small", title="Small", limits={"max_width": 512, "max_height": 512, "max_steps": 8})
    huge = replace(PAINTER, id="huge", title="Huge")
    found = offered(others=[huge, small], room=4.0)[-1]
    assert found.kind == "other"
    assert found.changes == {"model": "small", "width": None, "height": None, "steps": None}
    assert found.said("en") == "Use Small"
    assert found.said("zh-CN") == "改用 Small"


def test_music_gets_shorter():
    player = card(id="player", engine="musicgen", tasks=("music",), starter=False, limits={}, defaults={}, options={})
    ask = MusicRequest(prompt="a reel", model="player", duration=60.0, bars=16, tempo=120.0, seed=1, count=1,
                       steps=1, guidance_scale=3.0, temperature=1.0, top_k=50)  # fmt: skip
    offer = offered(ask, player, (), room=4.4)[0]
    assert offer.kind == "shorter"
    assert offer.changes == {"duration": 33.0, "bars": 0}
    assert offer.said("en") == "Make 33 s"


def test_answers_get_shorter():
    talker = card(id="talker", engine="text", tasks=("chat",), starter=False, limits={}, defaults={}, options={})
    ask = ChatRequest(messages=(Message("user", "hi"),), model="talker", max_tokens=1024, temperature=0.7, top_p=1.0,
                      top_k=0, min_p=0.0, repetition_penalty=1.0, seed=1)  # fmt: skip
    assert offered(ask, talker, (), room=4.3)[0].changes == {"max_tokens": 256}


# ---- enlarging and captions, by the estimates of the engines themselves

SWIN = card(id="swin", title="Swin", engine="upscaler", tasks=("upscale",), starter=False,
            limits={"min_scale": 2, "max_scale": 4}, defaults={}, options={})  # fmt: skip
LANCZOS = card(id="lanczos", title="Lanczos", engine="resample", tasks=("upscale",), limits={}, defaults={}, options={})


def picture(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("L", (width, height)).save(file, "PNG")
    return file.getvalue()


def estimated(target: Card, request: Any) -> tuple[int, int]:
    weights = {"swin": 48_000_000, "lanczos": 1}.get(target.base, GB // (2 if target.variant else 1))
    return weights, memory_need.engine(target.engine).work(target, request)


def helped(request: Any, target: Card, room: float, others=(), sisters=(), spent=False):
    request = limits.resolve(replace(request, model=target.id), target, lambda: 1)
    return suggestions.rungs(request, target, sisters, others, room=int(room * GB), spent=spent, need=estimated)


def test_enlarging_is_offered_in_the_largest_tiles_that_fit_and_then_without_the_model():
    found = helped(UpscaleRequest(image=picture(600, 400), scale=4), SWIN, 1.0, [LANCZOS])
    assert [(offer.kind, offer.changes) for offer in found] == [
        ("small_tiles", {"tile": 128}),
        ("other", {"model": "lanczos"}),
    ]
    assert found[0].said("en") == "Tiles of 128 pixels"
    (again, *_) = helped(UpscaleRequest(image=picture(600, 400), scale=4, tile=128), SWIN, 1.0, spent=True)
    assert again.changes == {"tile": 64}


def test_tiles_that_are_no_smaller_than_the_picture_or_than_those_of_the_model_are_not_offered():
    assert helped(UpscaleRequest(image=picture(60, 60), scale=4), SWIN, 9.0) == ()
    least = replace(SWIN, options={"tile": 64})
    assert helped(UpscaleRequest(image=picture(600, 400), scale=4), least, 9.0) == ()


def test_a_smaller_scale_is_offered_only_where_the_engine_needs_less_for_it():
    ask = UpscaleRequest(image=picture(600, 400), scale=4)
    assert [offer.changes for offer in helped(ask, LANCZOS, 0.01)] == [{"scale": 2}]
    assert "scale" not in [offer.kind for offer in helped(ask, SWIN, 9.0)]


def test_a_model_that_does_not_enlarge_so_much_is_not_offered():
    double = replace(SWIN, id="double", limits={"min_scale": 2, "max_scale": 2}, options={"tile": 64})
    ask = UpscaleRequest(image=picture(600, 400), scale=4)
    assert "other" not in [offer.kind for offer in helped(ask, SWIN, 9.0, [double])]
    assert "other" in [offer.kind for offer in helped(replace(ask, scale=2), SWIN, 9.0, [double])]


def test_captions_get_a_smaller_model_and_no_fewer_words_since_those_take_no_less():
    captioner = card(id="captioner", engine="caption", tasks=("caption",), starter=False, limits={}, defaults={},
                     options={}, parameters=GB // 2)  # fmt: skip
    int8 = variants.derived(captioner, "int8")
    found = helped(CaptionRequest(image=picture(9, 9)), captioner, 1.0, sisters=[int8])
    assert [offer.changes for offer in found] == [{"model": "captioner@int8"}]
