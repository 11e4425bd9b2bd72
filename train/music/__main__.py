"""`python -m train.music COMMAND`. Each command goes on where it was cut off; train/README.md says what each does."""

from __future__ import annotations

import argparse
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SHIPPED = ROOT / "assets" / "starters" / "music"
WORK = ROOT / "build" / "train" / "music"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m train.music", description=__doc__)
    parser.add_argument("command", choices=("data", "composer", "ship", "score"))
    parser.add_argument("--minutes", type=float, default=0.0, help="time budget; default: what the shipped one took")
    parser.add_argument("--device", default="", help="cpu, cuda or mps; default: the best there is")
    parser.add_argument("--folder", type=Path, default=WORK, help="where data and checkpoints are kept")
    options = parser.parse_args()
    import torch

    torch.manual_seed(0)
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    options.folder.mkdir(parents=True, exist_ok=True)
    match options.command:
        case "data":
            from train.music import data

            data.build(options.folder)
        case "composer":
            from train.music import model

            model.train(options.folder, options.minutes or 30, device)
        case "ship":
            from train.music import model

            model.ship(options.folder, SHIPPED)
        case "score":
            from train.music import score

            for name, share in score.score(options.folder, SHIPPED, device).items():
                print(f"{name}: {share:.1%}")


if __name__ == "__main__":
    main()
