"""The pages of a PDF as text, one JSON line each: a program that studio.media.pdf runs in a process of its own.

It reads the file from its standard input and imports nothing of the studio. The first line says how many pages there
are, or in one word why there are none to read.

    python pdf_pages.py PAGES LETTERS SECONDS BYTES
"""

from __future__ import annotations

import io
import json
import sys
import time
from contextlib import suppress
from typing import Any


def main(pages: int, letters: int, seconds: int, most_bytes: int) -> None:
    """Write the text of at most so many pages and letters, as far as one comes in so many seconds."""
    _bound(seconds, most_bytes)
    until = time.monotonic() + seconds * 0.8  # of which the studio waits for all
    import pypdf
    from pypdf import errors

    try:
        reader = pypdf.PdfReader(io.BytesIO(sys.stdin.buffer.read()))
        if reader.is_encrypted and not reader.decrypt(""):  # many are only locked against changes, with no password
            return _tell(error="pdf_locked")
        count = len(reader.pages)
    except (errors.DependencyError, errors.FileNotDecryptedError):  # a cipher that pypdf leaves to others
        return _tell(error="pdf_locked")
    except MemoryError:
        return _tell(error="pdf_too_hard")
    except Exception:  # whatever a broken file makes of it
        return _tell(error="pdf_broken")
    _tell(pages=count)
    for place in range(min(count, pages)):
        if time.monotonic() > until or letters <= 0:
            return None
        try:
            said = reader.pages[place].extract_text()
        except MemoryError:
            return None
        except Exception:  # one page that is broken keeps nobody from the others
            said = ""
        _tell(text=said[:letters], whole=len(said) <= letters)
        letters -= len(said)
    return None


def _bound(seconds: int, most_bytes: int) -> None:
    """Have the system hold this process to its limits, where it can; elsewhere the studio ends it."""
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (seconds + 1, seconds + 1))
        resource.setrlimit(resource.RLIMIT_AS, (most_bytes, most_bytes))


def _tell(**said: Any) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
