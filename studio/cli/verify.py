"""`verify`: what a file claims of how it came to be, what of that is signed, and that the rest proves nothing."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from studio.cli.console import FAILED, Console, language, say
from studio.cli.options import Json
from studio.cli.position import read_bytes
from studio.cli.told import Made
from studio.errors import StudioError
from studio.tasks.bounds import MAX_IMAGE_BYTES

if TYPE_CHECKING:
    from studio.engines.text.watermark import Score
    from studio.recipes.ai_marks import Marks
    from studio.recipes.signing import Signature


Writer = Annotated[str, typer.Option("--model", help=say("help.verify_model"))]


def verify(file: Made, model: Writer = "", as_json: Json = False) -> None:
    """What a file claims. Ends with 0 where it is marked as made by a model, with 1 where it says nothing of it or was
    changed since it was signed."""
    from studio.recipes import ai_marks, explicit_label, recipe

    with Console(as_json) as console:
        data = read_bytes(file, MAX_IMAGE_BYTES)
        marks, made, seen = ai_marks.read_marks(data), recipe.read_recipe(data), explicit_label.find(data)
        signature, trouble = _signature(data)
        flaws, water = ai_marks.flaws(marks), _counted(data, model) if model else None
        if as_json:
            console.document({
                "source": marks.source, "label": marks.label, "labels": marks.labels, "flaws": list(flaws),
                "explicit_label": seen, "recipe": made, "signed": signature is not None, "signature": _told(signature),
                "watermark": _told(water),
            })  # fmt: skip
        else:
            if made:
                console.result(
                    say("verify.made", model=made["model"]["title"], task=made["task"], when=made["made"][:10])
                )
            _marks(console, marks, flaws)
            if seen:
                console.result(say("verify.seen", words=seen))
            elif made and explicit_label.language(made):
                console.note(say("verify.unseen"))
            if water is not None:
                told = {"mean": f"{water.mean:.3f}", "deviations": f"{water.deviations:.1f}", "tokens": water.tokens}
                console.result(say("verify.watermark" if water.found else "verify.no_watermark", model=model, **told))
            _signed(console, signature, trouble)
        found = marks.source or marks.label or made or seen or signature or (water and water.found)
        if not found or (signature and not signature.intact):
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


def _counted(data: bytes, model: str) -> Score:
    """How much of this studio's watermark is in a text.

    Raises:
        StudioError: an unknown model, or one whose answers carry none; api_not_here.
    """
    from studio.cli.follow import opened
    from studio.engines.text import watermark

    with opened() as studio:
        card = studio.catalog.get(model)
        if card.engine != watermark.ENGINE:
            raise StudioError("no_watermark", model=card.title)
        if studio.store.state(card) != "ready":
            raise StudioError("api_not_here", model=card.title, id=card.id)
        ids = watermark.tokens(studio.store.path(card), data.decode("utf-8", "replace"))
        return watermark.score(ids, watermark.keys(studio.home.root, make=False) or (0,))


def _told(found: Signature | Score | None) -> dict[str, Any] | None:
    return asdict(found) if found is not None else None
