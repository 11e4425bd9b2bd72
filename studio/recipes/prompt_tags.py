"""`<lora:name:weight>` and its kin in prompts that come from other programs' files: taken out, and told apart.

`<lyco:…>` is the older spelling of the same; a hypernetwork is something else, and nothing here has any. What a person
types is read by studio.tasks.image.prompt_template.
"""

from __future__ import annotations

import re
from typing import Any

from studio.recipes.untrusted import number

_LORA = re.compile(r" ?<(?:lora|lyco):([^:<>]{1,200})(?::([^:<>]{0,40}))?(?::[^<>]{0,40})?>", re.IGNORECASE)
_HYPERNET = re.compile(r" ?<hypernet:([^<>]{1,200})>", re.IGNORECASE)
_SUFFIXES = (".safetensors", ".ckpt", ".pt", ".sft", ".gguf")


def without_loras(prompt: str) -> tuple[str, list[dict[str, Any]]]:
    """The prompt without `<lora:name:weight>`, and those as {"name", "weight"}."""
    loras = []
    for name, weight in _LORA.findall(prompt):
        loras.append(lora(name, 1.0 if (value := number(weight.partition("=")[2] or weight)) is None else value))
    return _LORA.sub("", prompt).strip(" ") if loras else prompt, loras


def without_hypernets(prompt: str) -> tuple[str, list[str]]:
    """The prompt without `<hypernet:name:weight>`, and those as "Hypernet: name:weight"."""
    found = [f"Hypernet: {name}" for name in _HYPERNET.findall(prompt)]
    return _HYPERNET.sub("", prompt).strip(" ") if found else prompt, found


def lora(name: str, weight: object = 1.0) -> dict[str, Any]:
    """An adaptation as a field of a request, by the stem of its file."""
    return {"name": stem(name), "weight": 1.0 if (found := number(weight)) is None else found}


def stem(file: str) -> str:
    """The name of a model's file without its folder and its suffix."""
    name = re.split(r"[/\\]", file.strip())[-1].strip()
    suffix = next((each for each in _SUFFIXES if name.lower().endswith(each)), "")
    return name[: len(name) - len(suffix)] or name
