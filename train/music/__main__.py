"""`python -m train.music COMMAND`. Each command goes on where it was cut off; train/README.md says what each does."""

from __future__ import annotations

from pathlib import Path

from train import command

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = ROOT / "assets" / "starters" / "music"
WORK = ROOT / "build" / "train" / "music"


def main() -> None:
    options = command.read("train.music", __doc__, ("data", "composer", "ship", "score", "examples"), WORK)
    folder, device = options.folder, options.device
    match options.command:
        case "data":
            from train.music import data

            data.build(folder)
        case "composer":
            from train.music import model

            model.train(folder, options.minutes or 30, device)
        case "ship":
            from train.music import model

            model.ship(folder, SHIPPED)
        case "score":
            from train.music import score

            for name, share in score.score(folder, SHIPPED, device).items():
                print(f"{name}: {share:.1%}")
        case "examples":
            from train.music import examples

            examples.write(examples.composed, ROOT / "assets" / "examples" / "composed.webp")


if __name__ == "__main__":
    main()
