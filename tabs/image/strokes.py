"""Strokes drawn on a picture, on their way here: pieces that Gradio keeps in memory until a message asks for them.

Gradio keeps them for ever where none does, and makes a list as long as a piece's number says.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, MutableMapping
from typing import Any

import gradio as gr
from gradio.components.image_editor import EditorDataBlobs

from tabs.image.source import MAX_LAYERS

MAX_DRAWINGS, MAX_BYTES = 64, 512_000_000
"""Drawings on their way at the same time, and bytes of all of them. The oldest goes first."""
_ID_LETTERS = 64


class Strokes(MutableMapping[str, Any]):
    """The drawings by their id, bounded."""

    def __init__(self, drawings: int = MAX_DRAWINGS, most: int = MAX_BYTES) -> None:
        self._drawings, self._most = drawings, most
        self._kept: dict[str, Any] = {}
        self._lock = threading.RLock()

    def behind(self, editor: gr.ImageEditor) -> None:
        """Let an editor keep its pieces here, and take no piece that no page sends."""
        editor.blob_storage = self  # pyright: ignore[reportAttributeAccessIssue]

        def accept_blobs(data: Any) -> None:
            self.accept(data.data, data.files[0][1])

        accept_blobs._is_server_fn = True  # pyright: ignore[reportFunctionMemberAccess]
        editor.accept_blobs = accept_blobs  # pyright: ignore[reportAttributeAccessIssue]

    def accept(self, about: dict[str, Any], piece: bytes) -> None:
        """Keep one piece of a drawing.

        Args:
            about: the drawing's id, the piece's type, and which layer it is.
        """
        id, kind = str(about.get("id", "")), about.get("type")
        index = str(about.get("index", ""))
        if not id or len(id) > _ID_LETTERS:
            return
        with self._lock:
            now = self._kept.get(id) or EditorDataBlobs(background=None, layers=[], composite=None)
            if kind == "background":
                now.background = piece
            elif kind == "composite":
                now.composite = piece
            elif kind == "layer" and index.isascii() and index.isdigit() and len(index) < 4:
                number = int(index)
                if number > MAX_LAYERS:  # one more than may be, so that it is said
                    return
                now.layers.extend([None] * (number + 1 - len(now.layers)))
                now.layers[number] = piece
            self[id] = now

    def __getitem__(self, id: str) -> Any:
        return self._kept[id]

    def __setitem__(self, id: str, drawing: Any) -> None:
        with self._lock:
            self._kept.pop(id, None)
            self._kept[id] = drawing
            while len(self._kept) > self._drawings or self._size() > self._most:
                del self._kept[next(iter(self._kept))]

    def __delitem__(self, id: str) -> None:
        with self._lock:
            del self._kept[id]

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._kept))

    def __len__(self) -> int:
        return len(self._kept)

    def _size(self) -> int:
        pieces = [piece for d in self._kept.values() for piece in (d.background, d.composite, *d.layers)]
        return sum(len(piece) for piece in pieces if piece)
