"""`python -m train.gan COMMAND`. Training goes on where it was cut off; train/README.md says what each does."""

from __future__ import annotations

from pathlib import Path

from train import command

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "train" / "image"
STARTERS = ROOT / "assets" / "starters"


def main() -> None:
    options = command.read("train.gan", __doc__, ("train", "ship", "score", "sheet"), WORK)
    folder, device = options.folder, options.device
    from train.image.__main__ import text_encoder

    match options.command:
        case "train":
            from train.gan import training

            training.train(folder, text_encoder(folder), STARTERS / "caption", options.minutes or 60, device)
        case "ship":
            from train.gan import ship

            ship.ship(folder, STARTERS / "gan")
        case "score":
            from train.gan import score

            for kind, found in score.score(folder, text_encoder(folder), STARTERS).items():
                print(f"{kind}: {found}")
        case "sheet":
            from train.gan import score

            score.sheet(STARTERS / "gan", ROOT / "docs" / "gan.png")


if __name__ == "__main__":
    main()
