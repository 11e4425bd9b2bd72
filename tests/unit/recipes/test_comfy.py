"""ComfyUI's graphs become settings by following their links, whatever stands between the nodes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.recipes import comfyui, inspect
from studio.request_parts import Lora

Graph = dict[str, dict[str, Any]]
SEED = 1102676403634909


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def basic(**changes: dict[str, Any]) -> Graph:
    return {
        "3": node("KSampler", seed=SEED, steps=20, cfg=8.0, sampler_name="dpmpp_2m", scheduler="karras", denoise=1.0,
                  model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["5", 0]),
        "4": node("CheckpointLoaderSimple", ckpt_name="sd15.safetensors"),
        "5": node("EmptyLatentImage", width=512, height=768, batch_size=1),
        "6": node("CLIPTextEncode", text="a cat on a log", clip=["4", 1]),
        "7": node("CLIPTextEncode", text="blurry", clip=["4", 1]),
        "8": node("VAEDecode", samples=["3", 0], vae=["4", 2]),
        "9": node("SaveImage", filename_prefix="x", images=["8", 0]),
    } | changes  # fmt: skip


def read(graph: Any) -> dict[str, Any]:
    found = inspect.from_text(json.dumps(graph))
    assert found is not None
    assert (found.form, found.broken, found.wrong) == ("comfyui", False, ())
    return {**found.fields, "model": found.model, "unknown": found.unknown}


PLAIN = {
    "prompt": "a cat on a log", "negative_prompt": "blurry", "seed": SEED, "steps": 20, "guidance_scale": 8.0,
    "scheduler": "DPM++ 2M Karras", "width": 512, "height": 768, "model": "sd15.safetensors", "unknown": (),
}  # fmt: skip


def test_the_plain_graph_is_read() -> None:
    assert read(basic()) == PLAIN


def test_values_that_come_from_other_nodes_are_followed() -> None:
    graph = basic()
    graph["3"]["inputs"] |= {"seed": ["20", 0], "steps": ["21", 0], "sampler_name": ["22", 0]}
    graph["5"]["inputs"] |= {"width": ["23", 0]}
    graph["6"]["inputs"]["text"] = ["24", 0]
    graph |= {
        "20": node("Seed (rgthree)", seed=SEED), "21": node("PrimitiveInt", value=20),
        "22": node("Reroute", **{"": ["25", 0]}), "25": node("PrimitiveNode", value="dpmpp_2m"),
        "23": node("INTConstant", value=512),
        "24": node("StringConcatenate", string_a="a cat", string_b=["26", 0], delimiter=" "),
        "26": node("ShowText|pysssss", text=["27", 0]), "27": node("PrimitiveStringMultiline", value="on a log"),
    }  # fmt: skip
    said = read(graph)
    assert {name: said[name] for name in PLAIN if name != "unknown"} == {
        name: value for name, value in PLAIN.items() if name != "unknown"
    }


def test_the_advanced_sampler_and_a_refiner_give_the_first_of_both() -> None:
    def sampler(name: str, latent: str, start: int) -> dict[str, Any]:
        return node("KSamplerAdvanced", noise_seed=SEED, steps=25, cfg=7, sampler_name="euler", scheduler="normal",
                    add_noise="enable", start_at_step=start, end_at_step=20, return_with_leftover_noise="enable",
                    model=[name, 0], positive=["6", 0], negative=["7", 0], latent_image=[latent, 0])  # fmt: skip

    said = read(basic(**{
        "3": sampler("12", "10", 20), "10": sampler("4", "5", 0),
        "12": node("CheckpointLoaderSimple", ckpt_name="refiner.safetensors"),
    }))  # fmt: skip
    assert (said["seed"], said["steps"], said["scheduler"], said["model"]) == (SEED, 25, "Euler", "sd15.safetensors")
    assert said["width"] == 512


def flux(guider: dict[str, Any], **more: dict[str, Any]) -> Graph:
    return {
        "1": node("SamplerCustomAdvanced", noise=["2", 0], guider=["3", 0], sampler=["4", 0], sigmas=["5", 0],
                  latent_image=["6", 0]),
        "2": node("RandomNoise", noise_seed=SEED), "3": guider, "4": node("KSamplerSelect", sampler_name="euler"),
        "5": node("BasicScheduler", scheduler="simple", steps=28, denoise=1.0, model=["7", 0]),
        "6": node("EmptySD3LatentImage", width=1024, height=1024, batch_size=1),
        "7": node("LoraLoaderModelOnly", lora_name="styles\\ink.safetensors", strength_model=0.7, model=["8", 0]),
        "8": node("UNETLoader", unet_name="flux1-dev.safetensors", weight_dtype="default"),
        "9": node("FluxGuidance", conditioning=["10", 0], guidance=3.5),
        "10": node("CLIPTextEncode", text="a barn", clip=["11", 0]), "11": node("DualCLIPLoader", clip_name1="t5"),
        "12": node("VAEDecode", samples=["1", 0]), "13": node("SaveImage", images=["12", 0]), **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("guider", "guidance", "negative"),
    [
        (node("BasicGuider", model=["7", 0], conditioning=["9", 0]), 3.5, ""),
        (node("CFGGuider", model=["7", 0], positive=["10", 0], negative=["20", 0], cfg=4.0), 4.0, "snow"),
    ],
)
def test_the_custom_sampler_is_followed_through_its_parts(
    guider: dict[str, Any], guidance: float, negative: str
) -> None:
    said = read(flux(guider, **{"20": node("CLIPTextEncode", text="snow", clip=["11", 0])}))
    assert (said["prompt"], said["negative_prompt"], said["seed"], said["steps"]) == ("a barn", negative, SEED, 28)
    assert (said["guidance_scale"], said["scheduler"], said["width"]) == (guidance, "Euler", 1024)
    assert (said["model"], said["loras"]) == ("flux1-dev.safetensors", (Lora("ink", 0.7),))
    assert said["unknown"] == ("Schedule type: simple",)


def test_adaptations_are_taken_in_their_order_and_of_every_loader() -> None:
    graph = basic(**{
        "30": node("LoraLoader", lora_name="a.safetensors", strength_model=0.5, strength_clip=1, model=["4", 0]),
        "31": node("LoraLoader", lora_name="b.safetensors", strength_model=0.25, strength_clip=1, model=["30", 0]),
        "32": node("Power Lora Loader (rgthree)", model=["31", 0],
                   lora_1={"on": True, "lora": "c.safetensors", "strength": 0.9},
                   lora_2={"on": False, "lora": "d.safetensors", "strength": 1}),
    })  # fmt: skip
    graph["3"]["inputs"]["model"] = ["32", 0]
    assert read(graph)["loras"] == (Lora("a", 0.5), Lora("b", 0.25), Lora("c", 0.9))


def test_conditions_that_are_joined_or_controlled_keep_their_words() -> None:
    graph = basic(**{
        "40": node("ControlNetApplyAdvanced", positive=["41", 0], negative=["7", 0], image=["44", 0],
                   control_net=["43", 0]),
        "41": node("ConditioningCombine", conditioning_1=["6", 0], conditioning_2=["42", 0]),
        "42": node("CLIPTextEncode", text="at night"), "43": node("ControlNetLoader", control_net_name="canny"),
        "44": node("LoadImage", image="x.png"),
    })  # fmt: skip
    graph["3"]["inputs"] |= {"positive": ["40", 0], "negative": ["40", 1]}
    said = read(graph)
    assert (said["prompt"], said["negative_prompt"]) == ("a cat on a log, at night", "blurry")
    assert said["unknown"] == ("node: ConditioningCombine", "node: ControlNetApplyAdvanced", "node: ControlNetLoader")


def test_a_second_sampling_over_an_enlarged_picture_is_a_second_painting() -> None:
    graph = basic(**{
        "50": node("LatentUpscaleBy", samples=["3", 0], upscale_method="nearest-exact", scale_by=1.5),
        "51": node("KSampler", seed=3, steps=10, cfg=8, sampler_name="euler", scheduler="normal", denoise=0.5,
                   model=["4", 0], positive=["6", 0], negative=["7", 0], latent_image=["50", 0]),
        "8": node("VAEDecode", samples=["51", 0]),
    })  # fmt: skip
    said = read(graph)
    assert (said["seed"], said["steps"], said["hires_scale"], said["hires_strength"]) == (SEED, 20, 1.5, 0.5)
    assert (said["width"], said["height"]) == (768, 1152), "ours is the size of the finished picture"


def test_a_picture_to_start_from_gives_a_strength_and_no_size() -> None:
    graph = basic(**{"5": node("VAEEncode", pixels=["60", 0]), "60": node("LoadImage", image="x.png")})
    graph["3"]["inputs"]["denoise"] = 0.6
    said = read(graph)
    assert (said["strength"], "width" in said) == (0.6, False)


def test_words_of_models_with_two_encoders_are_found() -> None:
    for words in (
        node("CLIPTextEncodeSDXL", text_g="a cat on a log", text_l="a cat", width=1024, height=1024),
        node("CLIPTextEncodeFlux", clip_l="cat", t5xxl="a cat on a log", guidance=3.5),
        node("TextEncodeQwenImageEdit", prompt="a cat on a log", image=["9", 0]),
        node("smZ CLIPTextEncode", text="a cat on a log", parser="A1111"),
    ):
        assert read(basic(**{"6": words}))["prompt"] == "a cat on a log"


def test_tags_in_the_words_become_adaptations() -> None:
    said = read(basic(**{"6": node("CLIPTextEncode", text="a cat <lora:ink:0.4>")}))
    assert (said["prompt"], said["loras"]) == ("a cat", (Lora("ink", 0.4),))


# ---- as the editor keeps it

EDITOR = {
    "nodes": [
        {"id": 3, "type": "KSampler", "inputs": [
            {"name": "model", "link": 1}, {"name": "positive", "link": 4}, {"name": "negative", "link": 6},
            {"name": "latent_image", "link": 2}],
         "widgets_values": [SEED, "randomize", 20, 8, "dpmpp_2m", "karras", 1]},
        {"id": 4, "type": "CheckpointLoaderSimple", "widgets_values": ["sd15.safetensors"]},
        {"id": 5, "type": "EmptyLatentImage", "widgets_values": [512, 768, 1]},
        {"id": 6, "type": "CLIPTextEncode", "inputs": [{"name": "clip", "link": 3}, {"name": "text", "link": 10}],
         "widgets_values": [""]},
        {"id": 7, "type": "CLIPTextEncode", "inputs": [{"name": "clip", "link": 5}], "widgets_values": ["blurry"]},
        {"id": 8, "type": "VAEDecode", "inputs": [{"name": "samples", "link": 7}]},
        {"id": 9, "type": "SaveImage", "inputs": [{"name": "images", "link": 9}], "widgets_values": ["ComfyUI"]},
        {"id": 10, "type": "PrimitiveNode", "widgets_values": ["a cat on a log"]},
        {"id": 11, "type": "KSampler", "mode": 2, "widgets_values": [1, "fixed", 1, 1, "euler", "normal", 1]},
        {"id": 12, "type": "LoraLoader", "mode": 4, "inputs": [{"name": "model", "link": 11}],
         "widgets_values": ["off.safetensors", 1, 1]},
    ],
    "links": [[1, 12, 0, 3, 0, "MODEL"], [2, 5, 0, 3, 3, "LATENT"], [3, 4, 1, 6, 0, "CLIP"], [4, 6, 0, 3, 1, "C"],
              [5, 4, 1, 7, 0, "CLIP"], [6, 7, 0, 3, 2, "C"], [7, 3, 0, 8, 0, "LATENT"], [9, 8, 0, 9, 0, "IMAGE"],
              [10, 10, 0, 6, 1, "STRING"], [11, 4, 0, 12, 0, "MODEL"]],
    "version": 0.4,
}  # fmt: skip


def test_the_editors_graph_is_read_by_the_places_of_its_values() -> None:
    assert read(EDITOR) == PLAIN


def test_the_editors_graph_is_read_by_the_names_that_newer_ones_give() -> None:
    named = [{"name": name, "link": None, "widget": {"name": name}} for name in ("text", "extra")]
    graph = json.loads(json.dumps(EDITOR))
    graph["nodes"][4] |= {"type": "SomeTextEncode", "widgets_values": ["blurry", 1]}
    graph["nodes"][4]["inputs"] += named
    assert read(graph)["negative_prompt"] == "blurry"


# ---- hostile


def test_circles_and_many_ways_end() -> None:
    graph = basic(**{"6": node("A", conditioning=["7", 0], text=["6", 0]), "7": node("B", conditioning=["6", 0])})
    graph["5"] = node("C", samples=["3", 0], latent=["5", 0])
    comfyui.read_graph(graph)
    many = basic(**{
        str(100 + each): node(
            "ConditioningCombine", conditioning_1=[str(101 + each), 0], conditioning_2=[str(101 + each), 0]
        )
        for each in range(55)
    })  # fmt: skip
    many["3"]["inputs"]["positive"] = ["100", 0]
    comfyui.read_graph(many)
    joined = basic(**{
        str(100 + each): node("StringConcatenate", string_a=[str(101 + each), 0], string_b=[str(101 + each), 0])
        for each in range(55)
    })  # fmt: skip
    joined["6"]["inputs"]["text"] = ["100", 0]
    comfyui.read_graph(joined)
    long = {str(each): node("Reroute", samples=[str(each + 1), 0]) for each in range(comfyui.MAX_NODES + 500)}
    assert comfyui.read_graph(comfyui.graph(long) or {}) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["3", "6", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_value_in_any_place_is_followed_or_left(data: st.DataObject) -> None:
    graph = basic()
    for _ in range(3):
        one = data.draw(st.sampled_from(sorted(graph)))
        name = data.draw(st.sampled_from([*sorted(graph[one]["inputs"]), "guider", "text", ""]))
        graph[one]["inputs"][name] = data.draw(JSON | st.tuples(st.sampled_from("3456789"), st.just(0)).map(list))
    inspect.from_text(json.dumps(graph))
    editor = json.loads(json.dumps(EDITOR))
    each = data.draw(st.sampled_from(editor["nodes"]))
    each[data.draw(st.sampled_from(sorted(each)))] = data.draw(JSON)
    editor["links"][data.draw(st.integers(0, 9))] = data.draw(JSON)
    inspect.from_text(json.dumps(editor))
