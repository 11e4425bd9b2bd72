"""A classifier that says which pictures may not be shown: a tiny one of the real class, taught to refuse red."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from studio.engines.demo.fake import FakeModel
from studio.engines.image.picture_check import PictureCheck
from studio.errors import StudioError
from studio.requests import ImageRequest
from studio.results import Output
from studio.service import Studio
from studio.settings import Settings

RED, BLUE = Image.new("RGB", (40, 40), "red"), Image.new("RGB", (40, 40), "blue")


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ViT of one layer whose head was fitted to tell red from blue."""
    import torch
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    folder = tmp_path_factory.mktemp("check")
    torch.manual_seed(0)
    model = ViTForImageClassification(
        ViTConfig(
            image_size=32, patch_size=16, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
            intermediate_size=16, id2label={0: "normal", 1: "NSFW"}, label2id={"normal": 0, "NSFW": 1},
        )
    )  # fmt: skip
    processor = ViTImageProcessor(size={"height": 32, "width": 32})
    pixels = processor(images=[RED, BLUE], return_tensors="pt")["pixel_values"]
    optimiser = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(40):
        loss = torch.nn.functional.cross_entropy(model(pixel_values=pixels).logits, torch.tensor([1, 0]))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.1
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def test_it_refuses_what_its_label_says(classifier: Path) -> None:
    check = PictureCheck(classifier)
    assert check.shown("image", Output(images=(BLUE, RED))) == "picture"
    assert check.shown("image", Output(images=(BLUE,))) == ""
    assert check.shown("chat", Output(text="words")) == ""


def test_a_picture_that_the_classifier_refuses_is_not_kept(
    classifier: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paint(_: FakeModel, request: Any, __: Any) -> Output:
        return Output(images=(RED if "red" in request.prompt else BLUE,), seeds=(1,))

    monkeypatch.setattr(FakeModel, "run", paint)
    with Studio(settings.model_copy(update={"picture_check": classifier})) as studio:
        with pytest.raises(StudioError, match="reason: picture"):
            studio.submit(ImageRequest(prompt="red", steps=1)).result()
        assert not [path for path in studio.home.outputs.rglob("*") if path.is_file()]
        assert studio.submit(ImageRequest(prompt="blue", steps=1)).result().files


@pytest.mark.parametrize("broken", ["labels", "missing"])
def test_a_check_that_cannot_decide_refuses(broken: str, classifier: Path, settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "check"
    if broken == "labels":
        folder.mkdir()
        for file in classifier.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        config = json.loads((folder / "config.json").read_text())
        config["id2label"] = {"0": "cat", "1": "dog"}
        (folder / "config.json").write_text(json.dumps(config))
    with Studio(settings.model_copy(update={"picture_check": folder})) as studio:
        with pytest.raises(StudioError) as refused:
            studio.submit(ImageRequest(prompt="hills", steps=1)).result()
        assert refused.value.code == "policy_failed"
