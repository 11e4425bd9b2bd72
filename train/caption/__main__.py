"""`python -m train.caption COMMAND`. Each command goes on where it was cut off; train/README.md says what each does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.requests import CaptionRequest
from train import command
from train.quiet import Quiet

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "train" / "caption"
SHIPPED = ROOT / "assets" / "starters" / "caption"


def main() -> None:
    options = command.read(
        "train.caption",
        __doc__,
        ("data", "drawing", "recall", "photographs", "speaker", "ship", "doubt", "score", "look"),
        WORK,
    )
    folder, device = options.folder, options.device
    match options.command:
        case "data":
            from train.caption import data

            data.build(folder)
        case "drawing":
            from train.caption import drawing

            drawing.train(folder, lite(folder), options.minutes or 60, device)
        case "recall":
            from train.caption import recall

            recall.train(folder, lite(folder))
        case "photographs":
            from train.caption import photographs

            photographs.train(folder)
        case "speaker":
            from train.caption import speaker

            speaker.train(folder, options.minutes or 30, device)
        case "ship":
            from train.caption import starter

            starter.ship(folder, lite(folder), SHIPPED)
            starter.write_words(folder, SHIPPED)
        case "doubt":
            from train.caption import doubt, starter

            for name, shares in doubt.measure(folder, *starter.learn_doubt(folder, SHIPPED)).items():
                print(name, {kind: round(share, 3) for kind, share in shares.items()})
        case "score":
            from train.caption import score

            for kind, share in score.score(folder, captioner(SHIPPED)).items():
                print(f"{kind}: {share:.3f}")
        case "look":
            from train.caption import score

            caption = captioner(SHIPPED)
            for name, picture in score.photographs(folder).items():
                asked = CaptionRequest(image=score.png(picture), length="long", max_tokens=80, temperature=0.0, seed=0)
                print(f"{name}: {caption(asked)}")


def lite(folder: Path) -> Any:
    """EfficientNet-Lite0, converted."""
    from train.caption import lite, sources

    return lite.convert(sources.photograph_weights(folder))


def captioner(shipped: Path) -> Callable[[CaptionRequest], str]:
    """Captions by the studio's engine, as the catalogue sets it up."""
    from studio.catalog.catalog import Catalog
    from studio.devices.device import Device
    from studio.engines.caption.vision_language import CaptionEngine
    from studio.paths import Home

    card = Catalog.load(Home(WORK), public=True).get("observer")
    model = CaptionEngine().load(card, shipped, Device("cpu", threads=1), lambda _: None)
    return lambda request: model.run(request, Quiet()).text


if __name__ == "__main__":
    main()
