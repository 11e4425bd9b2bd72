"""`verify`: what a file claims of how it came to be, and that nothing in it proves that."""

from __future__ import annotations

import typer

from studio.cli.console import FAILED, Console, say
from studio.cli.options import Json
from studio.cli.position import read_bytes
from studio.cli.told import Made
from studio.tasks.bounds import MAX_IMAGE_BYTES


def verify(file: Made, as_json: Json = False) -> None:
    """What a file claims. Ends with 0 where it is marked as made by a model, with 1 where it says nothing of it."""
    from studio.recipes import ai_marks, recipe

    with Console(as_json) as console:
        data = read_bytes(file, MAX_IMAGE_BYTES)
        marks, made = ai_marks.read_marks(data), recipe.read_recipe(data)
        flaws = ai_marks.flaws(marks)
        if as_json:
            console.document({
                "source": marks.source, "label": marks.label, "labels": marks.labels, "flaws": list(flaws),
                "recipe": made, "signed": False,
            })  # fmt: skip
        else:
            if made:
                model = made["model"]
                console.result(say("verify.made", model=model["title"], task=made["task"], when=made["made"][:10]))
            console.result(say(f"verify.source_{marks.source}" if marks.source in _KNOWN else "verify.source_none"))
            if marks.label is not None:
                told = marks.label
                console.result(
                    say("verify.label", producer=told.get("ContentProducer", ""), number=told.get("ProduceID", ""))
                )
            for flaw in flaws:
                console.note(say(f"verify.flaw_{flaw}"))
            console.note(say("verify.unsigned"))
        if not (marks.source in _KNOWN or marks.label or made):
            raise typer.Exit(FAILED)


_KNOWN = ("trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "algorithmicallyEnhanced")
