"""How much of diffusers' speed the studio lets through, with live previews and without.

Prints ratios, all measured in this run: seconds a picture through the studio, saved with its recipe, against the bare
pipeline called with the same prompt and settings (aim: at most 1.05), the same with previews on (at most 1.15), and a
sketch, which is not saved (at most 1.05). The fourth is what the starter's training in few steps gave: its four steps
without guidance against 24 with it, which its teacher takes (at most 0.2; seconds a picture at most 0.2 on a quiet
machine of two cores). They take turns; the median of each round's ratio counts. Paints with the starter; where that is
not on disk, with a model of the same build and random weights, which takes the same time.

    python bench/image.py [--model icons] [--rounds 9]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import here

from studio import settings
from studio.requests import ImageRequest
from studio.service import Studio

PROMPT, SIDE, STEPS, GUIDANCE = "a red heart", 256, 4, 1.0
TAUGHT = 24, 4.0
"""Steps and guidance of the starter's teacher."""
PAUSE = 0.5
"""Before each picture: torch's threads of the other side still look for work for a while."""


def random_starter(folder: Path) -> None:
    """A pipeline of the starter's build and size."""
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import BertConfig, BertModel, BertTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *PROMPT.split()]
    words += [f"word{number}" for number in range(30522 - len(words))]
    (folder / "vocab.txt").write_text("\n".join(words), encoding="utf-8")
    reader = BertConfig(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536)
    reader.update({"use_attention_mask": True})
    parts: dict[str, Any] = {
        "vae": AutoencoderKL(
            down_block_types=("DownEncoderBlock2D",) * 6, up_block_types=("UpDecoderBlock2D",) * 6,
            block_out_channels=(16, 16, 16, 32, 64, 128), layers_per_block=1, latent_channels=8, norm_num_groups=8,
            sample_size=SIDE, mid_block_add_attention=False, scaling_factor=1.0,
        ),
        "unet": UNet2DConditionModel(
            sample_size=SIDE // 32, in_channels=8, out_channels=8, layers_per_block=1, cross_attention_dim=384,
            down_block_types=("CrossAttnDownBlock2D",) * 2, up_block_types=("CrossAttnUpBlock2D",) * 2,
            block_out_channels=(128, 160), attention_head_dim=(4, 5),
        ),
        "tokenizer": BertTokenizerFast(str(folder / "vocab.txt"), model_max_length=24),
        "text_encoder": BertModel(reader, add_pooling_layer=False),
        "scheduler": DDIMScheduler(
            beta_schedule="scaled_linear", prediction_type="v_prediction", timestep_spacing="trailing",
            clip_sample=False, steps_offset=1,
        ),
    }  # fmt: skip
    pipe = StableDiffusionPipeline(**parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipe.save_pretrained(folder)


def bare(files: Path) -> Any:
    """The pipeline as diffusers loads it."""
    import torch
    from diffusers import DiffusionPipeline
    from transformers import BertModel

    reader: Any = BertModel.from_pretrained(files / "text_encoder", add_pooling_layer=False, dtype=torch.float32)
    pipe: Any = DiffusionPipeline.from_pretrained(files, text_encoder=reader, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def bare_seconds(pipe: Any, seed: int, steps: int = STEPS, guidance: float = GUIDANCE) -> float:
    import torch

    time.sleep(PAUSE)
    began = time.perf_counter()
    pipe(
        PROMPT, width=SIDE, height=SIDE, num_inference_steps=steps, guidance_scale=guidance,
        generator=torch.Generator("cpu").manual_seed(seed),
    )  # fmt: skip
    return time.perf_counter() - began


def studio_seconds(studio: Studio, seed: int, previews: bool) -> float:
    request = ImageRequest(
        prompt=PROMPT, model="bench", width=SIDE, height=SIDE, steps=STEPS, guidance_scale=GUIDANCE, seed=seed
    )
    time.sleep(PAUSE)
    began = time.perf_counter()
    studio.submit(request, previews=previews).result()
    return time.perf_counter() - began


def sketch_seconds(studio: Studio, seed: int) -> float:
    request = ImageRequest(
        prompt=PROMPT, model="bench", width=SIDE, height=SIDE, steps=STEPS, guidance_scale=GUIDANCE, seed=seed
    )
    time.sleep(PAUSE)
    began = time.perf_counter()
    if studio.easel.paint(request, "bench") is None:
        raise SystemExit("The sketch was not painted.")
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="icons", help="a Stable Diffusion of the catalogue that BERT reads for")
    parser.add_argument("--rounds", type=int, default=9, help="interleaved rounds; the median counts")
    options = parser.parse_args()
    for library in ("diffusers", "transformers"):
        quiet = import_module(f"{library}.utils.logging")
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        home = Path(folder) / "home"  # the person's own pictures stay as they are
        home.mkdir()
        files = here.files_of(options.model)
        if files is None:
            print("model: random weights, built like the starter")
            random_starter(files := Path(folder))
        (home / "models.toml").write_text(
            f'[models.bench]\ntask = "image"\npath = "{files.as_posix()}"\noptions = {{ preview = "vae" }}\n'
        )
        with Studio(settings.Settings(home=home)) as studio:
            pipe = bare(files)
            studio_seconds(studio, 0, True), bare_seconds(pipe, 0)  # both warm
            rounds = [
                (
                    bare_seconds(pipe, seed),
                    studio_seconds(studio, seed, False),
                    studio_seconds(studio, seed, True),
                    sketch_seconds(studio, seed),
                    bare_seconds(pipe, seed, *TAUGHT),
                )
                for seed in range(1, options.rounds + 1)
            ]
    for name, column in (("diffusers", 0), ("studio", 1), ("previews", 2), ("sketch", 3), ("teacher", 4)):
        print(f"{name:<9} {statistics.median(times[column] for times in rounds):.3f} s a picture")
    for name, column, base, aim in (
        ("ratio", 1, 0, 1.05), ("previews", 2, 0, 1.15), ("sketch", 3, 0, 1.05), ("few steps", 0, 4, 0.2),
    ):  # fmt: skip
        found = statistics.median(times[column] / times[base] for times in rounds)
        print(f"{name:<9} {found:.3f} (aim: at most {aim})")


if __name__ == "__main__":
    main()
