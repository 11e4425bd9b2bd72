"""Conversion of the files that audiocraft publishes into a folder that the studio loads.

audiocraft keeps a model as `state_dict.bin` and `compression_state_dict.bin`: pickles, which can hold program code. The
studio loads none; a person who has such files turns them into safetensors once, here. They are read with torch's own
reader for tensors alone, which refuses everything else. The folder appears whole or not at all.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from studio.engines.music.audiocraft_folder import CODEC_PARTS, LM_PARTS
from studio.errors import StudioError
from studio.paths import disk_error, require_space

LM_FILE, CODEC_FILE = "state_dict.bin", "compression_state_dict.bin"
_TEXT_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "spiece.model")
_LONGEST_TEXT = 1 << 20
_KEEP_FREE = 1 << 30
_KINDS = {"musicgen": "musicgen", "audiogen": "audiogen", "magnet": "magnet", "audio_magnet": "magnet"}


def convert(source: Path, target: Path, text_encoder: Path, codec: Path | None = None) -> None:
    """Write the model in `source` to the new folder `target`.

    Args:
        source: folder with state_dict.bin and, where `codec` is not given, compression_state_dict.bin.
        text_encoder: folder of the T5 that the model was trained with, in transformers' layout with safetensors.
        codec: folder of an EnCodec in transformers' layout, for a model whose own file only names one.

    Raises:
        StudioError: a file is missing, is not what it should be or holds more than tensors; the disk is full.
    """
    target = target.resolve()
    if target.exists():
        raise StudioError("folder_taken", path=str(target))
    taken = [source / LM_FILE, *([source / CODEC_FILE] if codec is None else _tensors_in(codec))]
    for file in [*taken, text_encoder / "config.json", *_tensors_in(text_encoder)]:
        if not file.is_file():
            raise StudioError("not_convertible", file=str(file), reason="there is no such file")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        require_space(target.parent, sum(f.stat().st_size for f in [*taken, *_tensors_in(text_encoder)]), _KEEP_FREE)
        part = Path(tempfile.mkdtemp(prefix=f".{target.name[:40]}.", suffix=".part", dir=target.parent))
        try:
            _lm(source / LM_FILE, part)
            if codec is None:
                _codec(source / CODEC_FILE, part / "codec")
            else:
                _transformers(codec, part / "codec")
            _transformers(text_encoder, part / "text_encoder", without=("decoder.", "lm_head."))
            part.chmod(0o755)
            part.rename(target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise disk_error(error, target) from error


def _lm(file: Path, folder: Path) -> None:
    state, settings = _checkpoint(file)
    kind = _KINDS.get(str(settings.get("solver")), "")
    if settings.get("lm_model") == "transformer_lm_magnet":
        kind = "magnet"
    kind = kind or ("audiogen" if settings.get("sample_rate") == 16_000 else "musicgen")
    _write(folder, {"format": "audiocraft", "kind": kind} | _parts(file, settings, LM_PARTS), state)


def _codec(file: Path, folder: Path) -> None:
    state, settings = _checkpoint(file)
    _write(folder, _parts(file, settings, CODEC_PARTS), state)


def _checkpoint(file: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The tensors in a file of audiocraft, and its configuration."""
    import torch

    try:
        package = torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except OSError:
        raise
    except Exception as error:  # damaged files raise nearly every type
        reason = "it is damaged, or holds program code and not only tensors"
        raise StudioError("not_convertible", file=str(file), reason=reason) from error
    package = package if isinstance(package, dict) else {}
    if "pretrained" in package:
        reason = f"it only names another model, {str(package['pretrained'])[:80]}: give that one with --codec"
        raise StudioError("not_convertible", file=str(file), reason=reason)
    state, text = package.get("best_state"), package.get("xp.cfg")
    if not isinstance(state, Mapping) or not all(isinstance(one, torch.Tensor) for one in state.values()) or not state:
        raise StudioError("not_convertible", file=str(file), reason="it holds no weights called best_state")
    return {str(name): tensor for name, tensor in state.items()}, _settings(file, text)


def _settings(file: Path, text: object) -> dict[str, Any]:
    """A configuration in YAML, as it was written down in training."""
    import yaml

    settings = None
    if isinstance(text, str) and len(text) <= _LONGEST_TEXT:
        with suppress(yaml.YAMLError):
            # An alias repeats a part, and those of a hostile file repeat each other without end.
            if not any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader)):
                settings = yaml.safe_load(text)
    if not isinstance(settings, dict):
        raise StudioError("not_convertible", file=str(file), reason="it holds no configuration called xp.cfg")
    return settings


def _parts(file: Path, settings: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Those parts of a configuration, with what they point to in others filled in."""
    try:
        found = {name: resolved(settings[name], settings) for name in names if name in settings}
        json.dumps(found, allow_nan=False)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        reason = f"its configuration cannot be read ({type(error).__name__}: {error})"
        raise StudioError("not_convertible", file=str(file), reason=reason) from None
    return found


def resolved(value: Any, root: dict[str, Any], depth: int = 0) -> Any:
    """`value` with each "${a.b}" in it replaced by what stands at a.b in `root`.

    Raises:
        KeyError: there is no such place.
        RecursionError: they point at each other.
    """
    if depth > 40:
        raise RecursionError("it points at itself")
    if isinstance(value, dict):
        return {str(name): resolved(inner, root, depth + 1) for name, inner in value.items()}
    if isinstance(value, list):
        return [resolved(inner, root, depth + 1) for inner in value]
    if isinstance(value, str) and (pointer := re.fullmatch(r"\$\{([\w.]+)\}", value.strip())):
        found: Any = root
        for name in pointer.group(1).split("."):
            found = found[name]
        return resolved(found, root, depth + 1)
    return value


def _write(folder: Path, config: dict[str, Any], state: dict[str, Any]) -> None:
    from safetensors.torch import save_file

    folder.mkdir(exist_ok=True)
    # Tensors that share memory are refused by safetensors, so each gets its own.
    save_file(
        {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}, folder / "model.safetensors"
    )
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _transformers(source: Path, folder: Path, without: tuple[str, ...] = ()) -> None:
    """A copy of a model in transformers' layout, in one file and without the tensors whose names begin so."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file, save_file

    folder.mkdir()
    for name in _TEXT_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    state: dict[str, Any] = {}
    for file in _tensors_in(source):
        try:
            found = load_file(file)
        except SafetensorError as error:
            raise StudioError("not_convertible", file=str(file), reason=str(error)) from None
        state |= {name: tensor for name, tensor in found.items() if not name.startswith(without)} if without else found
    save_file(state, folder / "model.safetensors", {"format": "pt"})


def _tensors_in(folder: Path) -> list[Path]:
    """The safetensors files of a folder; the name of the one that is missing where there are none."""
    return sorted(folder.glob("*.safetensors")) or [folder / "model.safetensors"]
