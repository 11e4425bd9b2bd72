"""What is shipped of a trained GAN: the generator in half precision, its words, and the film of its training."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from train.gan import data
from train.gan.training import SHOWN

ACROSS = 4
_QUALITY = 72


def ship(folder: Path, target: Path) -> None:
    """Write `target` from the checkpoint and the frames in `folder`."""
    target.mkdir(parents=True, exist_ok=True)
    state = torch.load(folder / "gan.pt", map_location="cpu", weights_only=True)
    start = "generator."
    kept = {k.removeprefix(start): v.half().contiguous() for k, v in state["average"].items() if k.startswith(start)}
    save_file(kept, target / "model.safetensors")
    names = json.dumps(data.load(folder).names, ensure_ascii=False, indent=0)
    (target / "words.json").write_text(names + "\n", encoding="utf-8")
    film(folder / "film", target)


def film(folder: Path, target: Path) -> None:
    """All frames below one another as `film.webp`, and what is told of each as `film.json`."""
    lines = [json.loads(line) for line in (folder / "losses.jsonl").read_text(encoding="utf-8").splitlines()]
    told = {line["step"]: line for line in lines}  # a run that was cut off may have told of a step twice
    steps = sorted(step for step in told if (folder / f"{step:06}.npy").is_file())
    frames = []
    for step in steps:
        pictures = np.load(folder / f"{step:06}.npy")
        side = pictures.shape[1]
        grid = pictures.reshape(-1, ACROSS, side, side, 3).transpose(0, 2, 1, 3, 4)
        frames.append(grid.reshape(-1, ACROSS * side, 3))
    whole = Image.fromarray(np.concatenate(frames))
    whole.save(target / "film.webp", quality=_QUALITY, method=6)
    said = {"side": whole.width // ACROSS, "words": list(SHOWN), "frames": [told[step] for step in steps]}
    (target / "film.json").write_text(json.dumps(said) + "\n", encoding="utf-8")
