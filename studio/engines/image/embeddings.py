"""Textual inversions: vectors that stand in a prompt for words, put into the text encoders' reading and nowhere else.

Neither a tokenizer nor an encoder is changed: where the name of a file stands, its vectors take the place of what the
encoder looks up for as many tokens.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.engines.image import prompt_chunks
from studio.results import Note
from studio.tasks.image import embedding_files

_PAIR = ("clip_l", "clip_g")  # as files for two encoders name their halves, in the order of the pipeline's encoders


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors by name.

    Attributes:
        vectors: for each encoder of the pipeline (vectors, width), as many for one as for the other.
    """

    vectors: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    @property
    def sizes(self) -> dict[str, int]:
        """How many tokens each takes."""
        return {name: len(each[0]) for name, each in self.vectors.items()}

    def named(self, text: str) -> bool:
        """Whether the text names one."""
        found = embedding_files.words(self.vectors)
        return found is not None and found.search(text) is not None

    @contextmanager
    def put(self, encoder: Any, number: int, chunk: prompt_chunks.Chunk) -> Iterator[None]:
        """Encoder `number` reads this chunk with its vectors in their places."""
        if not chunk.vectors:
            yield
            return

        def replaced(_: Any, __: Any, looked_up: Any) -> Any:
            changed = looked_up.clone()
            for at, (name, which) in chunk.vectors.items():
                changed[:, at] = self.vectors[name][number][which].to(changed)
            return changed

        hook = encoder.get_input_embeddings().register_forward_hook(replaced)
        try:
            yield
        finally:
            hook.remove()


def read(pipe: Any, texts: Iterable[str], folders: Sequence[Path]) -> tuple[Embeddings, list[Note]]:
    """The embeddings that the texts name and this pipeline can read, and what is to be said of the others."""
    files = embedding_files.named(texts, folders)
    if not files:
        return Embeddings(), []
    if not prompt_chunks.reads(pipe):
        return Embeddings(), [("no_embeddings", {"names": ", ".join(files)[:400]})]
    encoders = [getattr(pipe, name, None) for name in ("text_encoder", "text_encoder_2")]
    widths = [encoder.get_input_embeddings().embedding_dim for encoder in encoders if encoder is not None]
    # SDXL's refiner has the second reader only
    halves = _PAIR[1:] if encoders[0] is None else _PAIR
    fitting = {name: _fitting(embedding_files.shapes(file), widths, halves) for name, file in files.items()}
    wrong = [name for name, keys in fitting.items() if not keys]
    notes: list[Note] = [("embedding_wrong", {"names": ", ".join(wrong)[:400]})] if wrong else []
    return Embeddings({name: _load(files[name], keys) for name, keys in fitting.items() if keys}), notes


def sizes(texts: Iterable[str], folders: Sequence[Path], widths: Sequence[int] = ()) -> dict[str, int]:
    """How many tokens each embedding takes that the texts name, by the headers alone.

    Args:
        widths: of the encoders, where they are known; what does not fit them is left out.
    """
    found = {}
    for name, file in embedding_files.named(texts, folders).items():
        shapes = embedding_files.shapes(file)
        if not widths or _fitting(shapes, widths, _PAIR):
            found[name] = next(iter(shapes.values()))[0]
    return found


def _fitting(shapes: embedding_files.Shapes, widths: Sequence[int], halves: Sequence[str]) -> tuple[str, ...]:
    """The tensors for encoders of these widths, in their order; none where they do not fit."""
    keys = tuple(shapes) if len(widths) == 1 and len(shapes) == 1 else tuple(halves[: len(widths)])
    if not all(key in shapes for key in keys) or len({shapes[key][0] for key in keys}) != 1:
        return ()
    if len(widths) == 1 and len(shapes) > 1 and len(halves) == 2:
        return ()  # made for two encoders; half of it is not what it means
    return keys if [shapes[key][1] for key in keys] == list(widths) else ()


def _load(file: Path, keys: tuple[str, ...]) -> tuple[Any, ...]:
    from safetensors import safe_open

    with safe_open(file, "pt") as opened:
        tensors = [opened.get_tensor(key) for key in keys]
    return tuple(tensor[None] if tensor.ndim == 1 else tensor for tensor in tensors)
