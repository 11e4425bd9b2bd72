"""Prompt, negative prompt and settings are found wherever they stand in a text, and nothing is dropped in silence."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.recipes import infotext, infotext_passages
from studio.recipes.untrusted import image_fields
from studio.request_parts import Lora

LINE = "Steps: 40, Sampler: Euler a, CFG scale: 7, Seed: 9, Size: 512x512"
PLAIN = f"a tree\nNegative prompt: grass\n{LINE}"


def read(text: str) -> dict[str, object]:
    found = infotext.parse(text)
    assert found is not None
    fields, wrong = image_fields(found.fields)
    assert not wrong
    return {**fields, "unknown": found.unknown}


WAYS = {
    "as ever": PLAIN,
    "with Windows' line breaks": PLAIN.replace("\n", "\r\n"),
    "with old Macs' line breaks": PLAIN.replace("\n", "\r"),
    "with blanks around": f"\n  {PLAIN}  \n\0",
    "with blank lines between": PLAIN.replace("\n", "\n\n"),
    "in one line": PLAIN.replace("\n", " "),
    "in one line, breaks as dots": PLAIN.replace("\n", "."),
    "in one line, with commas": "a tree, Negative prompt: grass, " + LINE,
    "negative prompt on the prompt's line": f"a tree Negative prompt: grass\n{LINE}",
    "settings on the negative prompt's line": f"a tree\nNegative prompt: grass {LINE}",
    "negative prompt in other letters": PLAIN.replace("Negative prompt", "Negative Prompt"),
    "a template behind": f"{PLAIN}\nTemplate: a {{tree|bush}} with __bird__, [a|b]\nNegative Template: grass",
    "a line break inside a setting": PLAIN.replace(", Size", ', Wildcard prompt: "a __tree__\nwith: leaves", Size'),
    "line breaks inside a setting, the rest behind": PLAIN + ', Wildcard prompt: "a\nb, c: d, e: f\ng", Version: v1',
    "settings inside a setting": PLAIN.replace(", Size", ', Wildcard prompt: "x\nSteps: 1, Seed: 2, Size: 3x3", Size'),
    "settings in another order": "a tree\nNegative prompt: grass\nSize: 512x512, Seed: 9, CFG scale: 7, "
    "Sampler: Euler a, Steps: 40",
    "negative prompt among the settings": f'a tree\n{LINE}, Negative prompt: "grass"',
}


@pytest.mark.parametrize("way", WAYS)
def test_the_passages_are_found(way: str) -> None:
    said = read(WAYS[way])
    assert str(said["prompt"]).rstrip(",") == "a tree"
    assert str(said["negative_prompt"]).rstrip(",") == "grass"
    assert (said["seed"], said["steps"], said["width"], said["scheduler"]) == (9, 40, 512, "Euler a")
    assert said["unknown"] == ()


@pytest.mark.parametrize(
    "prompt",
    [
        "a staircase, Steps: 20, old", "Steps: five to heaven", "Steps: 5, up\na tree", 'a 5" tall tree, "quoted: yes"',
        "a sign that says Seed: 3", "text: 'Model: T', painted", "a, b: c, d: e",
    ],
)  # fmt: skip
def test_words_that_look_like_settings_stay_in_the_prompt(prompt: str) -> None:
    for negative in ("", "\nNegative prompt: grass"):
        said = read(f"{prompt}{negative}\n{LINE}")
        assert (said["prompt"], said["seed"]) == (prompt, 9)


def test_a_prompt_that_has_steps_in_one_line_keeps_them() -> None:
    said = read(f"a staircase, Steps: 20, old Negative prompt: grass {LINE}")
    assert (said["prompt"], said["negative_prompt"], said["steps"]) == ("a staircase, Steps: 20, old", "grass", 40)


def test_lines_behind_the_settings_are_told() -> None:
    said = read(f"{PLAIN}\nMystery: 1, 2 and 3\nmore of it\nDynamic thresholding enabled: True")
    assert said["unknown"] == ("Mystery: 1, 2 and 3\nmore of it", "Dynamic thresholding enabled: True")


def test_a_text_without_a_negative_prompt_has_none() -> None:
    assert (read(f"a tree\n{LINE}")["negative_prompt"], read(LINE)["prompt"]) == ("", "")


def test_prompts_of_several_lines_keep_them() -> None:
    said = read(f"a tree\nwith: leaves\n\nBREAK\na bird\nNegative prompt: grass\n\nsnow\n{LINE}")
    assert said["prompt"] == "a tree\nwith: leaves\n\nBREAK\na bird"
    assert said["negative_prompt"] == "grass\n\nsnow"


# ---- the words of single programs

SDNEXT = """a tree
Negative prompt: grass
Steps: 20, Size: 512x512, Sampler: Euler a, Scheduler: EulerAncestralDiscreteScheduler, Seed: 42, CFG scale: 6.0, \
CLiP-skip: 2, App: SD.Next, Version: 058a7f0, Pipeline: StableDiffusionPipeline, Operations: txt2img; hires, \
Variation seed: 99, Variation strength: 0.3, Refine: True, HiRes mode: 1, Hires upscaler: Latent Nearest, \
Hires scale: 2.0, Hires size: 1024x1024, Hires force: True, Hires steps: 10, Hires strength: 0.4"""


def test_sdnexts_spellings_are_understood() -> None:
    said = read(SDNEXT)
    assert {name: said[name] for name in ("clip_skip", "variation", "variation_seed", "hires_scale", "width")} == {
        "clip_skip": 1, "variation": 0.3, "variation_seed": 99, "hires_scale": 2.0, "width": 1024,
    }  # fmt: skip
    assert (said["hires_strength"], "strength" in said, said["unknown"]) == (0.4, False, ("Hires steps: 10",))


@pytest.mark.parametrize("name", ["Clip skip", "CLIP skip", "CLiP-skip", "clip-skip"])
def test_a_name_counts_in_any_letters(name: str) -> None:
    assert read(f"{PLAIN}, {name}: 2")["clip_skip"] == 1


def test_a_fixed_second_size_is_one() -> None:
    said = read(PLAIN.replace("512x512", "512x512, Hires fixed: 768x1024, Hires strength: 0.3"))
    assert (said["width"], said["height"], said["hires_scale"]) == (768, 1024, 1.5)


def test_a_second_painting_that_is_no_larger_is_told_and_left_out() -> None:
    said = read(f"{PLAIN}, Hires upscale: 0.4000000000000001, Denoising strength: 0.3")
    assert ("hires_scale" in said, said["unknown"]) == (False, ("Hires upscale: 0.4000000000000001",))


@pytest.mark.parametrize(
    ("written", "loras"),
    [
        ('Lora weights: "ink: 0.1, fog: 0.5"', (Lora("ink", 0.1), Lora("fog", 0.5))),
        ('Lora hashes: "ink: abc: 0.3"', (Lora("ink", 0.3),)),
        ('Lora hashes: "ink: abc"', None),
    ],
)
def test_adaptations_beside_the_prompt_are_taken(written: str, loras: tuple[Lora, ...] | None) -> None:
    assert read(f"{PLAIN}, {written}").get("loras") == loras


def test_tags_become_adaptations_by_the_stem_of_their_file_and_hypernetworks_are_told() -> None:
    said = read(f"a tree <lyco:moss:0.3> <lora:folder/ink.safetensors:0.5> <hypernet:oil:0.5>\n{LINE}")
    assert (said["prompt"], said["loras"]) == ("a tree", (Lora("moss", 0.3), Lora("ink", 0.5)))
    assert said["unknown"] == ("Hypernet: oil:0.5",)


@pytest.mark.parametrize(
    ("written", "ours"),
    [
        ("Sampler: DPM++ 2M, Schedule type: Karras", "DPM++ 2M Karras"),
        ("Sampler: DPM++ 2M SDE Karras, Scheduler: karras", "DPM++ 2M SDE Karras"),
        ("Sampler: Undefined, Scheduler: normal", None),
        ("Scheduler: EulerAncestralDiscreteScheduler", "Euler a"),
        ("Sampler: UniPC, Sampler sigma: karras", "UniPC"),
    ],
)
def test_samplers_are_found_under_the_names_that_programs_use(written: str, ours: str | None) -> None:
    assert read(f"a\nSteps: 20, {written}, Seed: 5, Size: 64x64").get("scheduler") == ours


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='ab:," \n\\SteQ123', max_size=120), st.integers(0, 120))
def test_taking_apart_never_raises_and_loses_no_prompt(noise: str, at: int) -> None:
    text = PLAIN[: at % len(PLAIN)] + noise + PLAIN[at % len(PLAIN) :]
    infotext_passages.split(text)
    infotext_passages.split(noise)
    whole = infotext_passages.split(f"a tree {noise.replace(':', ' ')}\n{LINE}")
    assert whole.prompt.startswith("a tree")


@pytest.mark.parametrize(
    "part",
    ["Steps: 1, ", "Negative prompt: ", 'a: "', "a: 1, ", "\nSteps: 1, Seed: 2, a: 3", '\nSteps: 1, b: 2, a: "x', "\n"],
)
def test_hostile_texts_take_no_time(part: str) -> None:
    began = time.thread_time()
    infotext.parse(part * (190_000 // len(part)))
    infotext.parse("x\n" + part * (190_000 // len(part)) + "\nTemplate: x")
    assert time.thread_time() - began < 6
