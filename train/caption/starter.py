"""The trained parts put together as the checkpoint that the studio loads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studio.engines.caption.networks.lite import Pixelwise
from studio.engines.caption.networks.observer import STRANGERS, ObserverConfig, ObserverModel, Photographed, register
from train.caption import augment, data, drawing, groups, names, sentences, speaker
from train.caption.drawing import Filter
from train.caption.lite import fill

SIDE = 224
"""Pixels a side of what the encoder gets: what EfficientNet-Lite0 was trained on."""


@torch.no_grad()
def packed(loose: nn.Module, tight: nn.Module) -> None:
    """Weights of a trained part into one of the same shape that keeps the wide ones in eight bits."""
    for name, part in tight.named_children():
        trained: Any = getattr(loose, name)
        if isinstance(part, Pixelwise):
            fill(part, trained.weight, trained.bias)
        elif isinstance(trained, Filter):
            part.load_state_dict({"weight": trained.weight, "bias": trained.bias})
        elif list(part.children()):
            packed(trained, part)
        else:
            part.load_state_dict(trained.state_dict())


def average(file: Path, model: nn.Module) -> nn.Module:
    """The model with the averaged weights of its run, or the last ones where none were kept."""
    state = torch.load(file, map_location="cpu", weights_only=True)
    model.load_state_dict(state["average"] or state["model"])
    return model.eval()


def observer(folder: Path, lite: Any) -> ObserverModel:
    """The encoder of what lies trained in `folder`."""
    _, entries = data.load(folder)
    things = names.things(entries)
    trained: Any = average(folder / "drawing.pt", drawing.Both(lite, len(things)))
    said, _, _ = speaker.build(folder)
    told: Any = average(folder / "speaker.pt", said)
    judge = Photographed()
    judge.load_state_dict(torch.load(folder / "photographs.pt", weights_only=True))
    classes = lite.classify.weight.shape[0]
    made = ObserverModel(
        ObserverConfig(things=len(things), classes=classes, groups=len(groups.GROUPS), kinds=len(augment.KINDS),
                       colours=len(augment.COLOURS))
    )  # fmt: skip
    made.lite.load_state_dict(lite.state_dict())
    packed(trained.drawing, made.drawing)
    recall = torch.load(folder / "recall.pt", weights_only=True)
    fill(made.recall, recall["weight"], recall["bias"])
    made.shades.load_state_dict(trained.colours.state_dict())
    made.photographed.load_state_dict(judge.state_dict())
    of_class = groups.of_class()
    made.group.copy_(torch.tensor([of_class.get(index, -1) for index in range(classes)]))  # pyright: ignore
    for part in ("names", "kinds", "colours"):
        getattr(made, part).load_state_dict(getattr(told, part).state_dict())
    with torch.no_grad():
        made.places.copy_(told.places)
    return made.eval()


def write_words(folder: Path, target: Path) -> None:
    """Write what things are called beside the weights: a caption says these names whole, or does not say them."""
    _, entries = data.load(folder)
    rows = [
        "|".join((name.english, name.chinese, ",".join(name.tags), ",".join(name.chinese_tags)))
        for name in sentences.all_names(entries)
    ]
    packed = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    (target / "words.json").write_text(packed + "\n", encoding="utf-8")


def learn_doubt(folder: Path, target: Path) -> Any:
    """Teach the captioner in `target` to know pictures of no thing. Returns it, with what prepares its pictures."""
    import transformers
    from safetensors.torch import load_file, save_file

    from train.caption import doubt

    register()
    file, config = target / "model.safetensors", target / "config.json"
    tensors, content = load_file(file), json.loads(config.read_text(encoding="utf-8"))
    content["encoder"]["strangers"] = len(STRANGERS)
    config.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    model: Any = transformers.VisionEncoderDecoderModel.from_pretrained(target, local_files_only=True).float().eval()
    processor: Any = transformers.AutoImageProcessor.from_pretrained(target, local_files_only=True)
    doubt.train(folder, model, processor)
    for part in ("weight", "bias"):
        tensors[f"encoder.strange.{part}"] = getattr(model.encoder.strange, part).detach().half().contiguous()
    save_file(tensors, file, {"format": "pt"})
    return model, processor


def ship(folder: Path, lite: Any, target: Path) -> None:
    """Write the captioner into `target`: safetensors in half precision, word pieces, how to prepare a picture."""
    from transformers import VisionEncoderDecoderModel
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    register()
    said, words, _ = speaker.build(folder)
    told: Any = average(folder / "speaker.pt", said)
    model: Any = VisionEncoderDecoderModel(encoder=observer(folder, lite), decoder=told.decoder)
    ends = {"decoder_start_token_id": words.bos_token_id, "eos_token_id": words.eos_token_id,
            "pad_token_id": words.pad_token_id, "bos_token_id": words.bos_token_id}  # fmt: skip
    for config in (model.config, model.generation_config):
        for name, value in ends.items():
            setattr(config, name, value)
    model.half().save_pretrained(target)
    words.save_pretrained(target)
    ViTImageProcessorPil(
        size={"height": SIDE, "width": SIDE}, resample=2, image_mean=[0.5] * 3, image_std=[0.5] * 3
    ).save_pretrained(target)
    for file in target.glob("*.json"):
        content = json.loads(file.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            content.pop("_name_or_path", None)
            compact = file.name == "tokenizer.json"
            text = json.dumps(content, ensure_ascii=False, indent=None if compact else 2)
            file.write_text(text + "\n", encoding="utf-8")
