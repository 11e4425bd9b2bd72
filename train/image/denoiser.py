"""The denoiser: a UNet of 9.3 M parameters on 8 x 8 latents, guided by the words of a caption.

Predicts velocity (Salimans and Ho 2022) on a beta schedule that ends in nothing but noise, so that every scheduler
of diffusers fits. The text encoder stays as it is (all-MiniLM-L6-v2); a tenth of the captions is empty, which is
what guidance needs. What is kept is the moving average of the weights.
"""

# diffusers is imported lazily and typed more narrowly than it is used:
# pyright: reportPrivateImportUsage=false, reportArgumentType=false
from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from train.image import autoencoder, captions, data
from train.run import Run

CHANNELS = (128, 160)
HEADS = (4, 5)
TOKENS = 24
"""Word pieces of a prompt that are read, the two marks at its ends among them."""
BATCH = 128
RATE = 6e-4
EMPTY = 0.1
AS_DRAWN = 0.5
SCHEDULE: dict[str, Any] = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.03, "beta_schedule": "scaled_linear",
    "prediction_type": "v_prediction", "timestep_spacing": "trailing",
}  # fmt: skip
_WEIGHTS = {"smileys": 0.8, "people": 0.5, "animals": 1.6, "food": 1.6, "symbols": 0.6}
"""How often a group is seen, against 1: what people ask for is seen more often."""


def build() -> Any:
    """An untrained UNet2DConditionModel."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(
        sample_size=data.SIZE // 16,
        in_channels=autoencoder.LATENT,
        out_channels=autoencoder.LATENT,
        down_block_types=("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2,
        block_out_channels=CHANNELS,
        layers_per_block=1,
        cross_attention_dim=384,
        attention_head_dim=HEADS,
    )


class Reader:
    """The text encoder as the pipeline uses it: captions in, (count, 24, 384) out."""

    def __init__(self, folder: Path, device: str) -> None:
        from transformers import BertModel, BertTokenizer

        self._tokenizer = BertTokenizer.from_pretrained(folder)
        self._model: Any = BertModel.from_pretrained(folder, add_pooling_layer=False).to(device).eval()  # pyright: ignore
        self.device = device

    def _pieces(self, texts: list[str]) -> Any:
        return self._tokenizer(texts, padding="max_length", max_length=TOKENS, truncation=True, return_tensors="pt")

    def mask(self, texts: list[str]) -> torch.Tensor:
        """Which of the 24 places hold something, (count, 24)."""
        return self._pieces(texts).attention_mask.to(self.device)

    @torch.no_grad()
    def means(self, texts: list[str], at_once: int = 256) -> torch.Tensor:
        """The mean of the word vectors of each text, (count, 384)."""
        found = []
        for at in range(0, len(texts), at_once):
            some = texts[at : at + at_once]
            pieces = self._tokenizer(some, padding=True, max_length=TOKENS, truncation=True, return_tensors="pt")
            pieces, mask = pieces.to(self.device), pieces.attention_mask.to(self.device).float()
            with torch.autocast(torch.device(self.device).type, torch.bfloat16):
                states = self._model(**pieces).last_hidden_state
            found.append((states.float() * mask[..., None]).sum(1) / mask.sum(1, keepdim=True))
        return torch.cat(found)

    @torch.no_grad()
    def __call__(self, texts: list[str]) -> torch.Tensor:
        pieces = self._pieces(texts).to(self.device)
        found = self._model(input_ids=pieces.input_ids, attention_mask=pieces.attention_mask)
        return found.last_hidden_state.float()


@torch.no_grad()
def encode(folder: Path, shipped: Path, device: str) -> None:
    """Write `latents.npy`: float16, (N, 4, 2, 8, 8, 8): icon, colour, mirrored or not.

    By the inner levels that were trained here, else by the autoencoder that is shipped: their latents are the same.
    """
    from diffusers import AutoencoderKL

    pictures, _ = data.load(folder)
    own = (folder / "inner").is_dir()
    model: Any = AutoencoderKL.from_pretrained(folder / "inner" if own else shipped / "vae").float().to(device).eval()
    taken = model.config.sample_size
    side = data.SIZE // 16
    latents = np.zeros((*pictures.shape[:2], 2, autoencoder.LATENT, side, side), np.float16)
    for index in range(0, len(pictures), 16):
        some = torch.from_numpy(pictures[index : index + 16]).to(device)
        count, colours = some.shape[:2]
        some = some.flatten(0, 1).permute(0, 3, 1, 2).float() / 127.5 - 1
        some = functional.interpolate(some, (taken, taken), mode="area" if taken < data.SIZE else "bilinear")
        with torch.autocast(torch.device(device).type, torch.bfloat16):
            found = [model.encode(way).latent_dist.mean.float() for way in (some, some.flip(3))]
        latents[index : index + 16] = torch.stack(found, 1).view(count, colours, 2, *found[0].shape[1:]).cpu().numpy()
    np.save(folder / "latents.npy", latents)


def train(folder: Path, text_encoder: Path, shipped: Path, minutes: float, device: str, further: bool = False) -> None:
    """Train for so many minutes, from the last checkpoint if there is one, and write `unet`.

    Args:
        further: begin with the weights that are shipped, at half the learning rate.
    """
    from diffusers.models.attention_processor import AttnProcessor

    if not (folder / "latents.npy").is_file():
        encode(folder, shipped, device)
    latents = np.load(folder / "latents.npy")
    entries = data.entries(folder)
    model = build().to(device)
    if further:
        model.load_state_dict(load(shipped / "unet", device).state_dict())
    model.set_attn_processor(AttnProcessor())  # the backward of PyTorch's fused attention halves the pace on a CPU
    rate = RATE / 2 if further else RATE
    optimiser = torch.optim.AdamW(model.parameters(), rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    run = Run(folder / ("further.pt" if further else "denoiser.pt"), model, optimiser, minutes, average=0.999)
    read, random = Reader(text_encoder, device), np.random.default_rng(run.step)
    torch.manual_seed(run.step)
    signal, noise_level, times = schedule(device)
    weights = group_weights(entries)
    autocast = torch.autocast(torch.device(device).type, torch.bfloat16)
    while run.going():
        which = random.choice(len(entries), BATCH, p=weights)
        colour = np.where(random.random(BATCH) < AS_DRAWN, 0, random.integers(1, latents.shape[1], BATCH))
        mirrored = (random.random(BATCH) < 0.3).astype(int)
        clean = torch.from_numpy(latents[which, colour, mirrored]).to(device).float()
        said = ["" if random.random() < EMPTY else captions.caption(entries[i], c, random)
                for i, c in zip(which, colour, strict=True)]  # fmt: skip
        t = times[torch.randint(0, len(times), (BATCH,), device=device)]
        a, s = signal[t].view(-1, 1, 1, 1), noise_level[t].view(-1, 1, 1, 1)
        noise = torch.randn_like(clean)
        with autocast:
            words = read(said)
            velocity = model(a * clean + s * noise, t, words).sample
        value = functional.mse_loss(velocity.float(), a * noise - s * clean)
        run.update(value, rate, note=f"{run.step * BATCH} samples")
    model.load_state_dict(run.average)
    model.save_pretrained(folder / "unet")


def load(folder: Path, device: str) -> Any:
    """A UNet from a folder as diffusers lays it out, in full precision."""
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel.from_pretrained(folder).to(torch.float32).to(device).eval()


def group_weights(entries: list[dict[str, Any]]) -> np.ndarray:
    """How often each picture is seen, as shares of 1; those that are held out never."""
    weights = np.array([0.0 if e["held_out"] else _WEIGHTS.get(e["group"], 1.0) for e in entries])
    return weights / weights.sum()


def schedule(device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Share of picture and of noise at each timestep, and the timesteps by how often they are trained.

    The log of the signal-to-noise ratio is drawn from a normal distribution with mean 0 and deviation 2, which for
    flow matching is the logit-normal time of Esser et al. 2024: the ends of the schedule teach little.
    """
    from diffusers import DDPMScheduler

    product = DDPMScheduler(**SCHEDULE).alphas_cumprod
    ratio = torch.log(product / (1 - product))
    wanted = torch.distributions.Normal(0.0, 2.0).icdf(torch.linspace(0.0005, 0.9995, 20_000))
    times = (ratio[None] - wanted[:, None]).abs().argmin(1)
    return product.sqrt().to(device), (1 - product).sqrt().to(device), times.to(device)


def export(folder: Path, text_encoder: Path, target: Path, precision: torch.dtype = torch.float16) -> None:
    """Write the pipeline as diffusers lays it out, without the text encoder's weights: those are a package's.

    The student and the decoder for 256 pixels where they have been trained, else the denoiser and the smaller decoder.
    """
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
    from transformers import BertModel, BertTokenizer

    encoder: Any = BertModel.from_pretrained(text_encoder, add_pooling_layer=False)
    encoder.config.use_attention_mask = True  # the pipeline hands the mask over only where this is said
    parts: Any = {
        "vae": AutoencoderKL.from_pretrained(_last(folder, target, "crisp", "vae")),
        "unet": UNet2DConditionModel.from_pretrained(_last(folder, target, "student", "unet")),
        "tokenizer": BertTokenizer.from_pretrained(text_encoder, model_max_length=TOKENS),
        "text_encoder": encoder,
        "scheduler": DDIMScheduler(**SCHEDULE, clip_sample=False, set_alpha_to_one=True, steps_offset=1),
    }
    pipe = StableDiffusionPipeline(
        **parts,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,  # pyright: ignore
    )
    for part in ("vae", "unet", "tokenizer", "text_encoder", "scheduler"):
        shutil.rmtree(target / part, ignore_errors=True)
    pipe.to(dtype=precision).save_pretrained(target, max_shard_size="9MB")
    for weights in (target / "text_encoder").glob("*.safetensors*"):
        weights.unlink()
    for config in target.glob("*/config.json"):  # diffusers notes where it read a part from: a folder of this machine
        kept = {k: v for k, v in json.loads(config.read_text(encoding="utf-8")).items() if k != "_name_or_path"}
        config.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def _last(folder: Path, shipped: Path, *names: str) -> Path:
    """The first of these parts that has been trained here, else the one that is shipped."""
    return next((folder / name for name in names if (folder / name).is_dir()), shipped / names[-1])
