"""How much of diffusers' speed the studio lets through, with live previews and without.

Prints two ratios, both measured in this run: seconds a picture through the studio, saved with its recipe, against the
bare pipeline called with the same prompt and settings (aim: at most 1.05), and the same with previews on (at most
1.15). The three take turns; the median of each round's ratio counts. Paints with the starter; where that is not on
disk, with a model of the same build and random weights, which takes the same time.

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

PROMPT, SIDE, STEPS, GUIDANCE = "a red heart", 128, 24, 4.0
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
            down_block_types=("DownEncoderBlock2D",) * 5, up_block_types=("UpDecoderBlock2D",) * 5,
            block_out_channels=(16, 16, 32, 64, 128), layers_per_block=1, latent_channels=8, norm_num_groups=8,
            sample_size=SIDE, mid_block_add_attention=False, scaling_factor=1.0,
        ),
        "unet": UNet2DConditionModel(
            sample_size=SIDE // 16, in_channels=8, out_channels=8, layers_per_block=1, cross_attention_dim=384,
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


def bare_seconds(pipe: Any, seed: int) -> float:
    import torch

    time.sleep(PAUSE)
    began = time.perf_counter()
    pipe(
        PROMPT, width=SIDE, height=SIDE, num_inference_steps=STEPS, guidance_scale=GUIDANCE,
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
                (bare_seconds(pipe, seed), studio_seconds(studio, seed, False), studio_seconds(studio, seed, True))
                for seed in range(1, options.rounds + 1)
            ]
    for name, column in (("diffusers", 0), ("studio", 1), ("previews", 2)):
        print(f"{name:<9} {statistics.median(times[column] for times in rounds):.2f} s a picture")
    print(f"ratio     {statistics.median(plain / theirs for theirs, plain, _ in rounds):.3f} (aim: at most 1.05)")
    print(f"previews  {statistics.median(shown / theirs for theirs, _, shown in rounds):.3f} (aim: at most 1.15)")


if __name__ == "__main__":
    main()
