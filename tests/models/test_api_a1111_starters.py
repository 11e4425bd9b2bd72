"""What a client of AUTOMATIC1111 sends to somebody who changed nothing, with the models that come with the studio."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from serving import Place, served

BODY = {
    "prompt": "a red apple", "negative_prompt": "people", "sampler_name": "Default", "scheduler": "Automatic",
    "steps": 4, "cfg_scale": 7, "width": 200, "height": 200, "seed": 7,
}  # fmt: skip
"""Numbers for Stable Diffusion: the starter paints almost without guidance, and from 256 pixels on."""


@pytest.fixture(scope="module")
def place(starter_home: Path) -> Iterator[Place]:
    with served(starter_home, demo=False, offline=True) as found:
        yield found


def test_the_starter_paints_and_reads_what_clients_ask_of_larger_models(place: Place) -> None:
    found = place.http.post("/sdapi/v1/txt2img", json=BODY, timeout=110)
    assert found.status_code == 200, found.text
    info = json.loads(found.json()["info"])
    assert (info["width"], info["height"], info["steps"]) == (256, 256, 4)
    assert found.headers["x-atelier-ignored"] == "cfg_scale, width, height"
    sent = found.json()["images"][0]
    picture = Image.open(io.BytesIO(base64.b64decode(sent)))
    assert picture.size == (256, 256)
    told = place.http.post("/sdapi/v1/interrogate", json={"image": sent}, timeout=110).json()["caption"]
    assert "red" in told
    read = place.http.post("/sdapi/v1/png-info", json={"image": sent}).json()
    assert read["parameters"]["Sampler"] == "Default"
