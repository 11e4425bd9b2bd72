"""What is drawn on a picture: judged by its headers before anything is decoded, and bounded on its way here."""

import io
import time
from types import SimpleNamespace

import gradio as gr
import pytest
from PIL import Image

from studio.errors import StudioError
from tabs.image import source
from tabs.image.source import MAX_LAYERS, Drawing, start
from tabs.image.strokes import Strokes


def png(width: int, height: int, mode: str = "RGBA") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), 200 if mode == "L" else (255, 0, 0, 200)).save(out, "PNG", compress_level=1)
    return out.getvalue()


@pytest.fixture(scope="module")
def huge() -> bytes:
    """A legal picture of 25 million pixels, in few bytes."""
    return png(5000, 5000, "L")


@pytest.fixture
def undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be decoded."""
    for name in ("decode_image", "_rgba", "_extended"):
        monkeypatch.setattr(source, name, lambda *_: pytest.fail("a picture was decoded"))


@pytest.mark.parametrize(
    ("layers", "extend", "code"),
    [
        (40, (0, 0, 0, 0), "drawing_too_large"),
        (5, (0, 0, 0, 0), "drawing_too_large"),
        (0, (2048, 2048, 2048, 2048), "image_too_large"),
        (0, (1, 0, 0, 0), "image_too_large"),
    ],
)
def test_what_would_take_long_is_refused_before_it_is_decoded(
    undecoded: None, huge: bytes, layers: int, extend: tuple[int, int, int, int], code: str
) -> None:
    with pytest.raises(StudioError) as refused:
        start(Drawing(huge, (huge,) * layers), extend)
    assert refused.value.code == code
    assert refused.value.what("zh-CN") != refused.value.what("en")


def test_one_layer_more_than_may_be_is_refused_however_small(undecoded: None) -> None:
    with pytest.raises(StudioError) as refused:
        start(Drawing(png(8, 8), (png(8, 8),) * (MAX_LAYERS + 1)))
    assert refused.value.code == "drawing_too_large"


def test_what_people_draw_is_taken() -> None:
    made = start(Drawing(png(64, 48), (png(64, 48),) * MAX_LAYERS), (8, 0, 0, 8))
    assert (made.width, made.height) == (72, 56)
    assert made.mask


# ---- pieces on their way


def piece(strokes: Strokes, id: str, kind: str = "layer", index: object = 0, data: bytes = b"x") -> None:
    editor = gr.ImageEditor(render=False)
    strokes.behind(editor)
    sent = {"type": kind, "index": index, "id": id}
    editor.accept_blobs(SimpleNamespace(data=sent, files=[("x", data)]))  # pyright: ignore
    assert editor.accept_blobs._is_server_fn  # pyright: ignore


def test_pieces_of_a_drawing_come_together() -> None:
    strokes = Strokes()
    piece(strokes, "a", "background", "null", b"picture")
    piece(strokes, "a", "layer", "1", b"second")
    piece(strokes, "a", "layer", "0", b"first")
    piece(strokes, "a", "composite", "null", b"all")
    found = strokes.pop("a")
    assert (found.background, found.layers, found.composite) == (b"picture", [b"first", b"second"], b"all")
    assert "a" not in strokes


@pytest.mark.parametrize("index", ["999999999999", 10**9, 1000, 100, -1, "-1", "null", "1e9", "٣", "", None])
def test_a_layers_number_makes_no_long_list(index: object) -> None:
    strokes, began = Strokes(), time.thread_time()
    strokes.accept({"type": "layer", "index": index, "id": "a"}, b"x")
    assert all(not drawing.layers for drawing in strokes.values())
    assert time.thread_time() - began < 1


def test_drawings_that_nobody_asks_for_make_room() -> None:
    strokes = Strokes(drawings=3, most=1000)
    for number in range(5):
        piece(strokes, str(number))
    assert list(strokes) == ["2", "3", "4"]
    piece(strokes, "big", data=bytes(999))
    assert list(strokes) == ["4", "big"]
    piece(strokes, "id" * 100)
    assert len(strokes) == 2
