"""audiocraft 1.3.0 beside today's torch: imported without the packages that its inference never calls.

audiocraft asks for torch 2.1 and a dozen packages, most of them for training and for reading files. Here small modules
of ours stand in for those while it is imported, and are gone from `sys.modules` afterwards. What inference does call of
them is written out below: attention and its mask, a spectrogram, chroma filters, a configuration. Separating a melody
from its band (demucs, whose weights are a pickle) is left out: a melody is heard as it is.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType, SimpleNamespace
from typing import Any

_modules: dict[str, Any] = {}
STEMS = ("drums", "bass", "other", "vocals")
"""What demucs would take a melody apart into."""


class Config(dict[str, Any]):
    """A configuration whose entries are attributes too, as audiocraft reads it."""

    @classmethod
    def of(cls, value: Any) -> Any:
        """`value` with every table in it, and in its lists, as a Config."""
        if isinstance(value, dict):
            return cls({name: cls.of(inner) for name, inner in value.items()})
        return [cls.of(inner) for inner in value] if isinstance(value, list) else value

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value


def _plain(value: Any, resolve: bool = True) -> Any:  # noqa: ARG001
    """A Config as new dicts and lists."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


class LowerTriangularMask:
    """Each step sees itself and those before it."""


def memory_efficient_attention(query: Any, key: Any, value: Any, bias: Any = None, p: float = 0.0) -> Any:
    """Attention over tensors (batch, steps, heads, width).

    Args:
        bias: added to the scores; or a LowerTriangularMask; or None.
        p: dropout; inference has none.
    """
    from torch.nn.functional import scaled_dot_product_attention

    causal = isinstance(bias, LowerTriangularMask)
    heads = [part.transpose(1, 2) for part in (query, key, value)]
    mask = None if causal or bias is None else bias
    return scaled_dot_product_attention(*heads, attn_mask=mask, dropout_p=p, is_causal=causal).transpose(1, 2)


def chroma_filters(sr: int, n_fft: int, tuning: float, n_chroma: int) -> Any:
    """librosa.filters.chroma: an array (n_chroma, 1 + n_fft // 2)."""
    import numpy as np
    from transformers.audio_utils import chroma_filter_bank

    bank = chroma_filter_bank(n_fft, n_chroma, sr, tuning)
    return np.ascontiguousarray(bank, dtype=np.float32)


def _same_rate(sound: Any, old: int, new: int) -> Any:
    """julius.resample_frac, for what is at its rate already: the engine sees to that."""
    if old != new:
        raise ValueError(f"sound at {old} instead of {new} frames a second")
    return sound


def _refusing(package: str) -> Any:
    def call(*_: Any, **__: Any) -> Any:
        raise ValueError(f"it prepares texts with {package}, which the studio leaves out")

    return call


def _spectrogram() -> type:
    import torch

    class Spectrogram(torch.nn.Module):
        """torchaudio.transforms.Spectrogram as chroma uses it: power, normalised by its Hann window, centred."""

        def __init__(self, n_fft: int, win_length: int, hop_length: int, **_: Any) -> None:
            super().__init__()
            self.n_fft, self.length, self.hop = n_fft, win_length, hop_length
            self.register_buffer("window", torch.hann_window(win_length))  # audiocraft's checkpoints hold it

        def forward(self, sound: Any) -> Any:
            window: Any = self.window
            flat = sound.reshape(-1, sound.shape[-1])
            bins = torch.stft(flat, self.n_fft, self.hop, self.length, window, return_complex=True, pad_mode="reflect")
            power = (bins / window.pow(2).sum().sqrt()).abs().pow(2)
            return power.reshape(*sound.shape[:-1], *power.shape[-2:])

    return Spectrogram


def _stand_ins() -> dict[str, ModuleType]:
    """Modules by name, with the names in them that audiocraft takes while it is imported or calls later."""
    import torch

    omega = SimpleNamespace(create=Config.of, to_container=_plain)
    contents: dict[str, dict[str, Any]] = {
        "audiocraft.models.multibanddiffusion": {"MultiBandDiffusion": None},  # the one model that pulls in training
        "av": {},
        "flashy": {},
        "flashy.distrib": {},
        "julius": {"resample_frac": _same_rate},
        "librosa": {},
        "librosa.filters": {"chroma": chroma_filters},
        "num2words": {"num2words": _refusing("num2words")},
        "omegaconf": {"DictConfig": Config, "OmegaConf": omega},
        "spacy": {"load": _refusing("spacy")},
        "torchaudio": {},
        "torchaudio.transforms": {"Spectrogram": _spectrogram()},
        "xformers": {},
        "xformers.ops": {
            "unbind": torch.unbind,
            "memory_efficient_attention": memory_efficient_attention,
            "LowerTriangularMask": LowerTriangularMask,
        },
    }
    return _made(contents)


def _made(contents: dict[str, dict[str, Any]]) -> dict[str, ModuleType]:
    made = {name: ModuleType(name) for name in contents}
    for name, module in made.items():
        vars(module).update(contents[name])
        parent, _, child = name.rpartition(".")
        if parent in made:
            setattr(made[parent], child, module)
    return made


@contextmanager
def _standing_in(modules: dict[str, ModuleType]) -> Iterator[None]:
    """Have `modules` imported in place of what is there; afterwards all is as it was."""
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def load() -> Any:
    """audiocraft's modules that the engine uses, by their last names; imported once.

    Raises:
        ImportError: the package is not installed.
    """
    if _modules:
        return SimpleNamespace(**_modules)
    # What looks for torchaudio or xformers must have looked before something stands in for them.
    for name in ("RobertaTokenizer", "T5EncoderModel", "T5Tokenizer", "EncodecModel"):
        getattr(import_module("transformers"), name)
    with _standing_in(_stand_ins()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = {
            name: import_module(f"audiocraft.{place}.{name}")
            for place, names in {
                "models": ("builders", "encodec", "musicgen", "audiogen", "magnet"),
                "modules": ("conditioners", "transformer"),
            }.items()
            for name in names
        }
    _mend(found["transformer"], found["conditioners"])
    _modules.update(found)
    return SimpleNamespace(**_modules)


def _mend(transformer: Any, conditioners: Any) -> None:
    """Put ours in the places where audiocraft imports anew at every step, and where it would separate a melody."""
    attention = transformer.StreamingMultiheadAttention
    written_out = attention._get_mask

    def mask(self: Any, steps: int, device: Any, dtype: Any) -> Any:
        if not self.memory_efficient:
            return written_out(self, steps, device, dtype)
        if steps > 1 and "past_keys" in self._streaming_state:
            raise RuntimeError("several steps at once after the first")
        return None if steps == 1 else LowerTriangularMask()

    def whole(self: Any, sound: Any, rate: int) -> Any:
        return _same_rate(sound, rate, self.sample_rate).mean(1, keepdim=True)

    attention._get_mask = mask
    transformer._is_profiled = lambda: False
    transformer._verify_xformers_memory_efficient_compat = lambda: None
    # The one of the two ways that knows MAGNeT's masks; it is a global, so all models go it.
    transformer.set_efficient_attention_backend("xformers")
    conditioners.ChromaStemConditioner._get_stemmed_wav = whole


@contextmanager
def building(text_encoder: Any, tokenizer: Any) -> Iterator[None]:
    """Within it a language model is built round a text encoder that is in memory already, and without demucs."""

    def ready(value: Any) -> Any:
        return SimpleNamespace(from_pretrained=lambda _: value)

    class Unseparated:
        sources = STEMS

        def to(self, _: Any) -> Unseparated:
            return self

    pretrained = {"get_model": lambda _: Unseparated()}
    conditioners = load().conditioners
    before = conditioners.T5Tokenizer, conditioners.T5EncoderModel
    conditioners.T5Tokenizer, conditioners.T5EncoderModel = ready(tokenizer), ready(text_encoder)
    try:
        with _standing_in(_made({"demucs": {}, "demucs.pretrained": pretrained})), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        conditioners.T5Tokenizer, conditioners.T5EncoderModel = before
