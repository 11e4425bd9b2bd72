"""`python -m train.matcher COMMAND`. Training goes on where it was cut off; train/README.md says what each does."""

from __future__ import annotations

from pathlib import Path

from train import command

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "train" / "image"
STARTERS = ROOT / "assets" / "starters"


def main() -> None:
    options = command.read("train.matcher", __doc__, ("look", "listen", "train", "score"), WORK)
    from studio.engines.lab.networks.matcher import Words
    from train.image.__main__ import text_encoder
    from train.matcher import score, training

    folder, captioner, shipped = options.folder, STARTERS / "caption", STARTERS / "matcher"
    words = Words(text_encoder(folder), STARTERS / "image" / "tokenizer")
    match options.command:
        case "look":
            training.look(folder, words, captioner)
        case "listen":
            training.listen(folder, words)
        case "train":
            training.train(folder, words, captioner, shipped, options.minutes or 6)
        case "score":
            for kind, share in score.score(folder, words, captioner, shipped).items():
                print(f"{kind}: {share:.1%}")


if __name__ == "__main__":
    main()
