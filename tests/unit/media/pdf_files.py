"""PDF files by the published form (ISO 32000-1), written by hand, and by reportlab."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence


def typeset(pages: Sequence[str], **how: object) -> bytes:
    """A PDF by reportlab, with a line of the pages' text in each of theirs."""
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out, **how)
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    for page in pages:
        for place, line in enumerate(page.split("\n")):
            canvas.setFont("Helvetica" if line.isascii() else "STSong-Light", 12)
            canvas.drawString(72, 760 - 16 * place, line)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def scanned() -> bytes:
    """A page that is a picture, by reportlab."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    out = io.BytesIO()
    canvas = Canvas(out)
    canvas.drawImage(ImageReader(Image.new("RGB", (60, 80), "grey")), 0, 0, 300, 400)
    canvas.save()
    return out.getvalue()


def locked(password: str) -> bytes:
    """A PDF that opens with a password; with an empty one it is only locked against changes."""
    from reportlab.lib.pdfencrypt import StandardEncryption

    return typeset(["For your eyes"], encrypt=StandardEncryption(password, "owner", strength=128))


def by_hand(contents: Sequence[bytes], filters: str = "", kids: str = "") -> bytes:
    """A PDF with these streams as the contents of its pages.

    Args:
        filters: of every stream. kids: in the place of the list of pages.
    """
    numbers = [4 + 2 * place for place in range(len(contents))]
    listed = kids or " ".join(f"{number} 0 R" for number in numbers)
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{listed}] /Count {len(contents)} >>".encode(),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    for number, content in zip(numbers, contents, strict=True):
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents {number + 1} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> >> >>".encode()
        )
        objects.append(b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), filters.encode(), content))
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(places) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(places) + 1, table)
    return bytes(out)


def line(said: str) -> bytes:
    """The content of a page that shows a line."""
    return b"BT /F1 12 Tf 72 720 Td (%s) Tj ET" % said.encode("latin-1")


def bomb(times: int = 2) -> bytes:
    """Two gigabytes of text operators, packed `times` times over."""
    packed = zlib.compress(line("boom ") * 60_000, 9)
    for _ in range(times - 1):
        packed = zlib.compress(packed * 1000, 9)
    return by_hand([packed], "/Filter [" + "/FlateDecode " * times + "]")
