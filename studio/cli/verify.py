"""`verify`: what a file claims of how it came to be, what of that is signed, and that the rest proves nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from studio.cli.console import FAILED, Console, language, say
from studio.cli.options import Json
from studio.cli.position import read_bytes
from studio.cli.told import Made
from studio.errors import StudioError
from studio.tasks.bounds import MAX_IMAGE_BYTES

if TYPE_CHECKING:
    from studio.recipes.ai_marks import Marks
    from studio.recipes.signing import Signature


def verify(file: Made, as_json: Json = False) -> None:
    """What a file claims. Ends with 0 where it is marked as made by a model, with 1 where it says nothing of it or was
    changed since it was signed."""
    from studio.recipes import ai_marks, explicit_label, recipe

    with Console(as_json) as console:
        data = read_bytes(file, MAX_IMAGE_BYTES)
        marks, made, seen = ai_marks.read_marks(data), recipe.read_recipe(data), explicit_label.find(data)
        signature, trouble = _signature(data)
        flaws = ai_marks.flaws(marks)
        if as_json:
            console.document({
                "source": marks.source, "label": marks.label, "labels": marks.labels, "flaws": list(flaws),
                "explicit_label": seen, "recipe": made, "signed": signature is not None, "signature": _told(signature),
            })  # fmt: skip
        else:
            if made:
                model = made["model"]
                console.result(say("verify.made", model=model["title"], task=made["task"], when=made["made"][:10]))
            _marks(console, marks, flaws)
            if seen:
                console.result(say("verify.seen", words=seen))
            elif made and explicit_label.language(made):
                console.note(say("verify.unseen"))
            _signed(console, signature, trouble)
        if not (marks.source or marks.label or made or seen or signature) or (signature and not signature.intact):
            raise typer.Exit(FAILED)


def _marks(console: Console, marks: Marks, flaws: tuple[str, ...]) -> None:
    from studio.recipes import ai_marks

    console.result(say(f"verify.source_{marks.source}" if marks.source in ai_marks.SOURCES else "verify.source_none"))
    if marks.label is not None:
        told = marks.label
        console.result(say("verify.label", producer=told.get("ContentProducer", ""), number=told.get("ProduceID", "")))
    for flaw in flaws:
        console.note(say(f"verify.flaw_{flaw}"))


def _signed(console: Console, signature: Signature | None, trouble: StudioError | None) -> None:
    if trouble is not None:
        console.note(f"{trouble.what(language())} {trouble.next(language())}")
    elif signature is None:
        console.note(say("verify.unsigned"))
    else:
        console.result(say("verify.intact" if signature.intact else "verify.changed", signer=signature.signer or "?"))
        console.note(say("verify.own_key" if signature.serial == _own() else "verify.other_key"))


def _signature(data: bytes) -> tuple[Signature | None, StudioError | None]:
    """What the file's manifest says, or why it cannot be read."""
    from studio.recipes import signing

    try:
        return signing.read(data), None
    except StudioError as error:
        return None, error


def _own() -> str:
    """The number of this studio's certificate."""
    from studio import settings
    from studio.paths import Home
    from studio.recipes import signing

    return signing.serial(Home.at(settings.load().home).root)


def _told(signature: Signature | None) -> dict[str, Any] | None:
    from dataclasses import asdict

    return asdict(signature) if signature is not None else None
