"""The marks of what a machine made, as programs of others find them: both there, the label once, nothing but ASCII."""

from __future__ import annotations

import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from exiftool import tags
from hypothesis import given
from hypothesis import strategies as some
from made import recipe_of
from PIL import Image
from witnesses import program

from studio.library.chat_file import markdown
from studio.media import containers, strip, vectors
from studio.recipes import ai_marks, recipe
from studio.recipes.embed_audio import encode_flac, encode_mp3, encode_wav
from studio.recipes.embed_image import encode_jpeg, encode_png, encode_webp
from studio.recipes.explicit_label import Marking
from studio.results import Audio
from studio.tasks.chat.conversation import Chat, Entry

PICTURE = Image.new("RGB", (48, 32), (200, 40, 40))
SOUND = Audio(np.sin(np.arange(4_000) / 9).reshape(1, -1).astype(np.float32) / 3, 32_000)
PICTURES: dict[str, Callable[..., bytes]] = {".png": encode_png, ".jpg": encode_jpeg, ".webp": encode_webp}
SOUNDS: dict[str, Callable[..., bytes]] = {".wav": encode_wav, ".flac": encode_flac, ".mp3": encode_mp3}
FIELDS = {
    "Label", "ContentProducer", "ProduceID", "ReservedCode1", "ContentPropagator", "PropagateID", "ReservedCode2",
}  # fmt: skip
HASH = {"sha256": "0" * 64, "bytes": 9}


def checked(text: str) -> dict[str, str]:
    """The label, held against the rules of the two public checkers."""
    label = json.loads(text)
    assert set(label) == FIELDS
    assert all(re.fullmatch(r"[\x21-\x7e]*", value) for value in label.values())
    assert label["Label"] == "1"
    assert label["ContentProducer"]
    assert label["ProduceID"]
    return label


@pytest.mark.parametrize("suffix", PICTURES)
def test_exiftool_reads_both_marks_of_a_picture_and_the_label_once(suffix: str, tmp_path: Path) -> None:
    file = tmp_path / f"a{suffix}"
    file.write_bytes(PICTURES[suffix](PICTURE, recipe_of("image", {})))
    told = tags(file)
    assert told["XMP-iptcExt:DigitalSourceType"].endswith("/digitalsourcetype/trainedAlgorithmicMedia")
    label = [value for name, value in told.items() if name.casefold().endswith(":aigc")]
    assert len(label) == 1
    assert checked(label[0])["ContentProducer"] == "Atelier"
    assert file.read_bytes().count(b"ContentProducer") == 1
    assert recipe.read_recipe(file.read_bytes()), "the recipe is still there"


def chunk(data: bytes) -> bytes:
    return next(bytes(body) for kind, body in containers.riff_chunks(data) if kind == b"AIGC")


def by_ffprobe(data: bytes, path: Path) -> str:
    path.write_bytes(data)
    command = [program("ffprobe"), "-v", "error", "-show_entries", "format_tags=AIGC", "-of", "json", str(path)]
    done = subprocess.run(command, capture_output=True, check=True)
    return json.loads(done.stdout)["format"]["tags"]["AIGC"]


@pytest.mark.parametrize("suffix", [".flac", ".mp3"])
def test_ffprobe_reads_the_label_of_a_sound_file(suffix: str, tmp_path: Path) -> None:
    data = SOUNDS[suffix](SOUND, recipe_of("music", {}))
    assert checked(by_ffprobe(data, tmp_path / f"a{suffix}"))
    assert data.count(b"ContentProducer") == 1


def test_exiftool_walks_past_the_labels_chunk_of_a_wav(tmp_path: Path) -> None:
    data = encode_wav(SOUND, recipe_of("music", {}))
    (tmp_path / "a.wav").write_bytes(data)
    at = data.index(b"AIGC")
    assert checked(data[at + 8 : at + 8 + int.from_bytes(data[at + 4 : at + 8], "little")].decode())
    told = tags(tmp_path / "a.wav")
    assert not [name for name in told if name.endswith(":Warning")]
    assert told["RIFF:SampleRate"] == "32000"


def test_what_we_wrote_we_read() -> None:
    for encode in PICTURES.values():
        found = ai_marks.read_marks(encode(PICTURE, recipe_of("image", {})))
        assert (found.source, found.labels, ai_marks.flaws(found)) == ("trainedAlgorithmicMedia", 1, ())
    for encode in SOUNDS.values():
        found = ai_marks.read_marks(encode(SOUND, recipe_of("music", {})))
        assert (found.source, found.labels, ai_marks.flaws(found)) == ("", 1, ())
    made = recipe_of("image", {})
    drawing = Image.new("RGBA", (48, 32), "white")
    drawing.paste("red", (12, 8, 36, 24))
    drawn = vectors.trace(drawing, recipe.to_json(made), ai_marks.xmp(made)).svg.encode()
    assert ai_marks.read_marks(drawn).source == "trainedAlgorithmicMedia"
    assert recipe.read_recipe(drawn) == recipe.read_recipe(encode_png(PICTURE, made))


@pytest.mark.parametrize(
    ("task", "parameters", "more", "source"),
    [
        ("image", {}, {}, ai_marks.MADE),
        ("image", {"image": HASH}, {}, ai_marks.COMPOSED),
        ("image", {"pictures": [HASH]}, {}, ai_marks.COMPOSED),
        ("image", {"image": HASH}, {"origin": recipe_of("image", {})}, ai_marks.MADE),
        ("image", {"image": HASH}, {"origin": recipe_of("image", {"image": HASH})}, ai_marks.COMPOSED),
        ("image", {"image": HASH}, {"origin": {"parameters": "a fox\nSteps: 20"}}, ai_marks.MADE),
        ("upscale", {"image": HASH}, {}, ai_marks.ENHANCED),
        ("upscale", {"image": HASH}, {"origin": recipe_of("image", {})}, ai_marks.MADE),
    ],
)
def test_the_mark_says_no_more_than_is_true(task: str, parameters: dict[str, Any], more: Any, source: str) -> None:
    assert ai_marks.read_marks(encode_png(PICTURE, recipe_of(task, parameters, **more))).source == source


def test_an_operator_is_named_and_two_runs_have_two_numbers() -> None:
    first, second = recipe_of("image", {}, producer="museum-of-x"), recipe_of("image", {}, seconds=1.6)
    assert ai_marks.label(first)["ContentProducer"] == "museum-of-x"
    assert ai_marks.label(first)["ProduceID"] != ai_marks.label(second)["ProduceID"]
    assert ai_marks.label(first) == ai_marks.label(first), "the same file is written again"


def test_without_metadata_there_is_no_mark() -> None:
    data = encode_png(PICTURE, recipe_of("image", {}))
    assert ai_marks.read_marks(strip.clean(data)) == ai_marks.Marks()


def test_a_conversation_as_markdown_begins_with_the_label_where_a_model_spoke() -> None:
    asked, answered = Entry("user", "hello"), Entry("assistant", "Good day.")
    text = markdown(Chat(id="a", title="t", messages=(asked, answered)), Marking("museum-of-x"))
    _, head, rest = text.split("---\n", 2)
    label = yaml.safe_load(head)["AIGC"]
    assert checked(json.dumps(label))["ContentProducer"] == "museum-of-x"
    assert rest.startswith("\n# t\n")
    assert ai_marks.read_marks(text.encode()).label == label
    assert markdown(Chat(id="a", title="t", messages=(asked,))).startswith("# t\n")


def test_what_is_wrong_with_a_label_is_named() -> None:
    right = ai_marks.label(recipe_of("image", {}))
    for label, flaw in (
        ({**right, "ContentProducer": "Mein Studio"}, "letters"),
        ({**right, "ProduceID": ""}, "empty"),
        ({**right, "Mine": "1"}, "fields"),
    ):
        assert ai_marks.flaws(ai_marks.Marks("", label, 1)) == (flaw,)
    assert ai_marks.flaws(ai_marks.Marks("", right, 2)) == ("many",)


@given(some.binary(max_size=300), some.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"---\nAIGC:\n", b"ID3\x04", b"<svg "]))
def test_any_bytes_are_read_without_an_error(noise: bytes, head: bytes) -> None:
    ai_marks.read_marks(head + noise)


def test_the_picture_behind_the_marks_is_the_same() -> None:
    data = encode_png(PICTURE, recipe_of("image", {}))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), np.asarray(PICTURE))
