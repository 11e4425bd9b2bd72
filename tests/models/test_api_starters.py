"""The API with the models that come with the studio; what comes back is read by other programs' readers."""

from __future__ import annotations

import ast
import base64
import io
import json
from collections.abc import Iterator
from pathlib import Path

import mido
import pytest
import soundfile
from openai import OpenAI
from PIL import Image
from serving import Place, served

PICTURES = Path(__file__).parent.parent / "data" / "caption"


@pytest.fixture(scope="module")
def place(starter_home: Path) -> Iterator[Place]:
    with served(starter_home, demo=False, offline=True) as found:
        yield found


@pytest.fixture(scope="module")
def client(place: Place) -> OpenAI:
    return OpenAI(base_url=f"{place.url}/v1", api_key="any", max_retries=0, timeout=110)


def test_it_names_paris_piece_by_piece_and_counts_its_tokens(client: OpenAI) -> None:
    stream = client.chat.completions.create(
        model="default", messages=[{"role": "user", "content": "What is the capital of France?"}], temperature=0,
        max_tokens=12, stream=True, stream_options={"include_usage": True},
    )  # fmt: skip
    pieces = list(stream)
    assert "Paris" in "".join(one.choices[0].delta.content or "" for one in pieces if one.choices)
    assert len(pieces) > 5
    used = pieces[-1].usage
    assert used is not None
    assert used.prompt_tokens > 10
    assert 5 < used.completion_tokens <= 12


def test_an_answer_has_the_form_that_was_asked_for(client: OpenAI) -> None:
    form = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    found = client.chat.completions.create(
        model="default", messages=[{"role": "user", "content": "The capital of France, as JSON."}], max_tokens=24,
        response_format={"type": "json_schema", "json_schema": {"name": "city", "schema": form}}, temperature=0,
    )  # fmt: skip
    assert isinstance(json.loads(found.choices[0].message.content or "")["city"], str)


def test_code_fills_the_gap(client: OpenAI) -> None:
    before = 'def add(a, b):\n    """Return the sum of a and b."""\n    '
    found = client.completions.create(model="default", prompt=before, temperature=0, max_tokens=24)
    ast.parse(before + found.choices[0].text)
    assert "a + b" in found.choices[0].text


def test_a_picture_comes_with_its_recipe(client: OpenAI) -> None:
    found = client.images.generate(prompt="a red heart", size="256x256", extra_body={"seed": 5, "steps": 4})
    assert found.data is not None
    picture = Image.open(io.BytesIO(base64.b64decode(found.data[0].b64_json or "")))
    assert len(set(picture.convert("RGB").getdata())) > 1_000
    assert "Seed: 5" in picture.info["parameters"]


def test_a_piece_is_sound_and_notes(place: Place) -> None:
    body = {"prompt": "a calm waltz for piano", "duration": 6, "seed": 3}
    found = place.http.post("/v1/audio/music", json=body, timeout=110).json()["data"][0]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(found["b64_json"])))
    assert len(samples) > 3 * rate
    assert abs(samples).max() > 0.01
    notes = mido.MidiFile(file=io.BytesIO(base64.b64decode(found["midi_b64_json"])))
    assert any(message.type == "note_on" for track in notes.tracks for message in track)


def test_a_picture_is_put_into_words(place: Place) -> None:
    picture = base64.b64encode((PICTURES / "08-heart.png").read_bytes()).decode()
    found = place.http.post("/v1/captions", json={"image": picture}, timeout=110).json()
    assert "heart" in found["data"][0]["text"].lower()
