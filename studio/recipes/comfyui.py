"""ComfyUI's graphs as settings: from the node that samples, its links are followed to words, size, model and seed.

Two forms are known: the one that is queued ({id: {"class_type", "inputs"}}, key `prompt`), and the editor's
({"nodes", "links"}, key `workflow`), whose values lie in a list by place. Nodes that nobody here knows are passed
through where a link of the right name leads on, and named. A second painting over an enlarged first one counts as
such. Takes bounded time on any graph: no node is asked twice on one way, and no way is longer than MAX_DEPTH.

What is read is unchecked: studio.recipes.untrusted judges the values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from studio.recipes import comfyui_workflow
from studio.recipes.infotext import Found
from studio.recipes.prompt_tags import lora, without_loras
from studio.recipes.sampler_names import sampler
from studio.recipes.untrusted import number

MAX_JSON = 4_000_000
MAX_NODES = 3_000
MAX_DEPTH = 60
MAX_STEPS = 20_000
_MAX_LORAS = 32

_SAMPLING = {"sampler_name", "steps", "cfg"}
_SAMPLERS = ("SamplerCustom", "SamplerCustomAdvanced")
_VALUES = ("value", "seed", "noise_seed", "text", "string", "prompt", "int", "float", "number", "Number", "result")
_TEXTS = ("text", "prompt", "t5xxl", "text_g", "clip_g", "text_l", "clip_l", "string", "value")
_CONDITIONS = ("conditioning", "conditioning_1", "conditioning_2", "conditioning_to", "conditioning_from", "cond", "")
_MODELS = ("ckpt_name", "unet_name", "base_ckpt_name", "model_name", "gguf_name", "diffusion_name")
_LATENT = ("samples", "latent_image", "latent", "image", "images", "pixels", "")
_PARTS = ("noise", "guider", "sampler", "sigmas")
_KNOWN = ("KSampler", "KSamplerAdvanced", "CLIPTextEncode", "CLIPTextEncodeFlux", "CLIPTextEncodeSDXL",
    "CLIPTextEncodeSD3", "CheckpointLoaderSimple", "UNETLoader", "VAELoader", "CLIPLoader", "DualCLIPLoader",
    "VAEDecode",
    "TripleCLIPLoader", "VAEDecodeTiled", "VAEEncode", "VAEEncodeForInpaint", "LoadImage", "LoraLoader", "SaveImage",
    "LoraLoaderModelOnly", "EmptyLatentImage", "EmptySD3LatentImage", "EmptyFlux2LatentImage", "RandomNoise",
    "KSamplerSelect", "BasicScheduler", "BasicGuider", "CFGGuider", "FluxGuidance", "PreviewImage", "LatentUpscaleBy",
    "LatentUpscale", "Reroute", "PrimitiveNode", "PrimitiveInt", "PrimitiveFloat", "PrimitiveString", "Note",
    "PrimitiveStringMultiline", "ConditioningZeroOut", "SaveAnimatedWEBP", "MarkdownNote", "UnetLoaderGGUF", *_SAMPLERS,
)  # fmt: skip


def graph(said: Any) -> dict[str, Any] | None:
    """The queued form of a decoded graph of either form; None where it is none."""
    if not isinstance(said, dict):
        return None
    if isinstance(said.get("nodes"), list):
        said = comfyui_workflow.queued(said)
    nodes = {
        str(id): node
        for id, node in list(said.items())[:MAX_NODES]
        if isinstance(node, dict) and isinstance(node.get("class_type"), str) and isinstance(node.get("inputs"), dict)
    }
    return nodes or None


def read_graph(nodes: Mapping[str, Any]) -> Found | None:
    """The settings in a graph; None where nothing in it samples."""
    return _Graph(nodes).read()


class _Graph:
    def __init__(self, nodes: Mapping[str, Any]) -> None:
        self._nodes = nodes
        self._left = MAX_STEPS

    def read(self) -> Found | None:
        last = self._last()
        if last is None:
            return None
        first, between = self._first(last)
        fields, unknown = self._settings(first), []
        fields |= self._words(first)
        size = self._size(first)
        fields |= size
        started = not size and self._reach(first, "latent_image", lambda node: node["class_type"] == "LoadImage")
        strength = self._value(first, "denoise", ("sigmas",))
        if strength is not None and started:
            fields["strength"] = strength
        if first is not last:
            unknown += self._second(last, between, fields)
        name, missing = self._sampler(first)
        fields |= {"scheduler": name} if name else {}
        model, loras = self._model(first)
        if isinstance(fields.get("prompt"), str):
            fields["prompt"], tagged = without_loras(fields["prompt"])
            loras = [*loras, *tagged]
        if loras:
            fields["loras"] = loras[:_MAX_LORAS]
        others = sorted({node["class_type"] for node in self._nodes.values()} - {*_KNOWN})
        unknown += [f"node: {name[:60]}" for name in others]
        return Found(fields, model, (*missing, *unknown))

    # ---- which node samples

    def _samples(self, node: Mapping[str, Any]) -> bool:
        return node["class_type"] in _SAMPLERS or node["inputs"].keys() >= _SAMPLING

    def _last(self) -> Mapping[str, Any] | None:
        """The node whose picture is kept: reached from one that saves or shows, else the last that there is."""
        for kind in ("Save", "Preview"):
            for node in (each for each in self._nodes.values() if kind in each["class_type"]):
                if found := next((each for each in self._upstream(node) if self._samples(each)), None):
                    return found
        sampling = [node for node in self._nodes.values() if self._samples(node)]
        return sampling[-1] if sampling else None

    def _first(self, last: Mapping[str, Any]) -> tuple[Mapping[str, Any], list[Mapping[str, Any]]]:
        """The first of several samplings, and the nodes between it and the one behind it."""
        first, between = last, []
        for _ in range(4):
            passed, found = [], None
            for node in self._upstream(self._node(first["inputs"].get("latent_image")), _LATENT, with_start=True):
                if self._samples(node):
                    found = node
                    break
                passed.append(node)
            if found is None:
                break
            first, between = found, passed
        return first, between

    # ---- what it is asked for

    def _settings(self, node: Mapping[str, Any]) -> dict[str, Any]:
        wanted = {
            "seed": self._value(node, "seed", _PARTS), "steps": self._value(node, "steps", _PARTS),
            "guidance_scale": self._value(node, "cfg", _PARTS),
        }  # fmt: skip
        if wanted["seed"] is None:
            wanted["seed"] = self._value(node, "noise_seed", _PARTS)
        guidance = None
        for condition in (node, self._node(node["inputs"].get("guider"))):
            for each in self._upstream(condition, ("positive", *_CONDITIONS)) if condition else ():
                guidance = guidance if guidance is not None else self._value(each, "guidance")
        if guidance is not None and (wanted["guidance_scale"] is None or number(wanted["guidance_scale"]) == 1):
            wanted["guidance_scale"] = guidance  # models that were taught to follow one number
        return {name: value for name, value in wanted.items() if value is not None}

    def _sampler(self, node: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
        name, schedule = self._value(node, "sampler_name", _PARTS), self._value(node, "scheduler", _PARTS)
        return sampler(name, schedule if isinstance(schedule, str) else "") if isinstance(name, str) else ("", ())

    def _words(self, node: Mapping[str, Any]) -> dict[str, Any]:
        sources = (node, self._node(node["inputs"].get("guider")))
        found = {}
        for field, names in (("prompt", ("positive", "conditioning")), ("negative_prompt", ("negative",))):
            links = [one["inputs"][name] for one in sources if one for name in names if name in one["inputs"]]
            found[field] = self._text(links[0], names[0], 0) if links else ""
        return found

    def _text(self, link: object, side: str, depth: int) -> str:
        """The words that a condition is made of; `side` is "positive" or "negative"."""
        node = self._node(link)
        self._left -= 1
        if node is None or depth > MAX_DEPTH or self._left < 0 or node["class_type"] == "ConditioningZeroOut":
            return link if isinstance(link, str) else ""
        inputs = node["inputs"]
        for name in (side, *(_TEXTS if side not in inputs else ())):
            value = inputs.get(name)
            if isinstance(value, str):
                if value.strip():
                    return value
            elif name != side and self._node(value) is not None and (words := self._string(value, depth + 1)):
                return words
        names = (side,) if side in inputs else _CONDITIONS
        parts = (
            self._text(inputs[name], side, depth + 1) for name in names if self._node(inputs.get(name)) is not None
        )
        return ", ".join(dict.fromkeys(part for part in parts if part))

    def _string(self, link: object, depth: int) -> str:
        """The text that a link brings, joined where a node joins several."""
        node = self._node(link)
        self._left -= 1
        if node is None or depth > MAX_DEPTH or self._left < 0:
            return link if isinstance(link, str) else ""
        inputs = node["inputs"]
        kind = node["class_type"].casefold()
        if "concat" in kind or "join" in kind:
            parts = [
                self._string(value, depth + 1)
                for name, value in inputs.items()
                if name.startswith(("string", "text")) or name in ("a", "b", "c", "d")
            ]
            return str(inputs.get("delimiter", inputs.get("separator", " "))).join(filter(None, parts))
        for name in (*_TEXTS, "positive", "wildcard_text", "Text", "STRING", ""):
            if name in inputs and (found := self._string(inputs[name], depth + 1)):
                return found
        return ""

    def _size(self, node: Mapping[str, Any]) -> dict[str, Any]:
        for each in self._upstream(self._node(node["inputs"].get("latent_image")), with_start=True):
            width, height = self._value(each, "width"), self._value(each, "height")
            if number(width) and number(height) and each["class_type"] != "LoadImage":
                return {"width": width, "height": height}
        return {}

    def _model(self, node: Mapping[str, Any]) -> tuple[str, list[dict[str, Any]]]:
        sources = (node, self._node(node["inputs"].get("guider")))
        start = next((self._node(one["inputs"]["model"]) for one in sources if one and "model" in one["inputs"]), None)
        loras: list[dict[str, Any]] = []
        for each in self._upstream(start, ("model", "lora_stack", "optional_lora_stack", ""), with_start=True):
            loras += list(self._loras(each))
            if name := next(
                (self._value(each, key) for key in _MODELS if isinstance(self._value(each, key), str)), None
            ):
                return str(name), loras[::-1]
        return "", loras[::-1]

    def _loras(self, node: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        name = self._value(node, "lora_name")
        if isinstance(name, str) and name not in ("", "None"):
            weight = self._value(node, "strength_model")
            yield lora(name, self._value(node, "lora_model_strength") if weight is None else weight)
        for value in node["inputs"].values():  # as rgthree's loader has them
            if isinstance(value, dict) and value.get("on") is True and isinstance(value.get("lora"), str):
                yield lora(value["lora"], value.get("strength", 1.0))

    def _second(self, last: Mapping[str, Any], between: list[Mapping[str, Any]], fields: dict[str, Any]) -> list[str]:
        """A second painting, put into `fields`; told where it cannot be."""
        strength = self._value(last, "denoise", ("sigmas",))
        scale = None
        for node in between:
            by, width = number(self._value(node, "scale_by")), number(self._value(node, "width"))
            before = number(fields.get("width"))
            scale = scale or by or (width / before if width and before else None)
        sides = {name: number(fields.get(name)) for name in ("width", "height")}
        if not scale or scale <= 1 or not all(sides.values()):
            return ["second sampling"] if between or strength not in (None, 1, 1.0) else []
        fields |= {name: round((side or 0) * scale / 8) * 8 for name, side in sides.items()} | {"hires_scale": scale}
        fields |= {"hires_strength": strength} if strength is not None else {}
        return []

    # ---- links

    def _node(self, link: object) -> Mapping[str, Any] | None:
        """The node that a link comes from; None for what is a value."""
        if isinstance(link, list) and len(link) == 2 and isinstance(link[0], str | int) and isinstance(link[1], int):
            return self._nodes.get(str(link[0]))
        return None

    def _value(self, node: Mapping[str, Any], name: str, through: tuple[str, ...] = ()) -> Any:
        """A value of a node, followed to where it was typed; also of the nodes that its links `through` lead to."""
        if name in node["inputs"]:
            value = node["inputs"][name]
            for _ in range(MAX_DEPTH):
                if (source := self._node(value)) is None:
                    break
                inputs = source["inputs"]
                value = next((inputs[key] for key in (name, *_VALUES, "") if key in inputs), None)
            return value if isinstance(value, str | int | float) else None
        for link in through:
            if (part := self._node(node["inputs"].get(link))) is not None and name in part["inputs"]:
                return self._value(part, name)
        return None

    def _reach(self, node: Mapping[str, Any], link: str, wanted: Any) -> bool:
        return any(wanted(each) for each in self._upstream(self._node(node["inputs"].get(link)), with_start=True))

    def _upstream(
        self, node: Mapping[str, Any] | None, names: tuple[str, ...] | None = None, with_start: bool = False
    ) -> Iterator[Mapping[str, Any]]:
        """Every node that a node is made from, the nearest first, each once; by links of these names only."""
        if node is None:
            return
        waiting, seen = [node], {id(node)}
        while waiting and self._left > 0:
            each = waiting.pop(0)
            self._left -= 1
            if with_start or each is not node:
                yield each
            for name, link in each["inputs"].items():
                source = self._node(link) if names is None or name in names else None
                if source is not None and id(source) not in seen:
                    seen.add(id(source))
                    waiting.append(source)
