"""Journal of a chain: a line for each step that is done, by what it was made of, so that a second run does the rest.

Only ever added to; each line is on the disk before anything else happens, and what a crash left of a last line is cut
off. A line counts as long as the chain, the input and the results are what they were: its mark says so.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO, Self

from studio.paths import disk_error


@dataclass(frozen=True, slots=True)
class Line:
    """What came of one step over one input.

    Attributes:
        mark: of the step with all that went in (studio.chains.values.filled).
        input: what the input is called. ids: the outputs in the library, the main one first.
    """

    mark: str
    input: str
    step: str
    ids: tuple[str, ...] = ()
    text: str = ""


class Journal:
    """The lines of one chain. Used by one worker at a time.

    Raises:
        StudioError: the disk is full or refuses; here and from `add`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._done: dict[str, Line] = {}
        self._places: set[tuple[str, str]] = set()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("ab")
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if len(data) > whole:
                self._file.truncate(whole)
                os.fsync(self._file.fileno())
        except OSError as error:
            raise disk_error(error, path) from error
        for packed in data[:whole].splitlines():
            if (line := _line(packed)) is not None:
                self._note(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def done(self, mark: str) -> Line | None:
        """What came of it before."""
        return self._done.get(mark)

    def knows(self, input: str, step: str) -> bool:
        """Whether this step was done over this input before, perhaps in another form."""
        return (input, step) in self._places

    def add(self, line: Line) -> None:
        """Write a line; it is on the disk when this returns."""
        packed = json.dumps(asdict(line), ensure_ascii=False) + "\n"
        try:
            self._file.write(packed.encode("utf-8", "surrogatepass"))
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise disk_error(error, self._path) from error
        self._note(line)

    def _note(self, line: Line) -> None:
        self._done[line.mark] = line
        self._places.add((line.input, line.step))


def _line(packed: bytes) -> Line | None:
    """The line in a row of the file; None where it is none."""
    try:
        found = json.loads(packed)
        texts = [found[name] for name in ("mark", "input", "step", "text")]
        ids = tuple(found["ids"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return None
    if not all(isinstance(one, str) for one in (*texts, *ids)):
        return None
    return Line(texts[0], texts[1], texts[2], ids, texts[3])
