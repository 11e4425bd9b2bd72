"""Basics of the torch engines: sizes from file headers, dtypes, safe loading, guarded runs.

Importing it does not import torch; only `configure`, `loading`, `working` and `nbytes` do, and those run on the compute
thread.

Read from `card.options` by every engine:
    dtype: "auto" (default), "float32", "bfloat16" or "float16".
    straight: true reads the weights straight to a graphics card, for models that stay there: parking such a one
        takes memory. Default false, or what was measured of a pinned model (STUDIO_FASTER).
    ignore_code: true loads a folder whose config names program code of its own, with the class in the library and
        without that code. Default false: such a folder is refused.
"""

from __future__ import annotations

import json
import math
import platform
import re
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.shared import quantise
from studio.errors import Cancelled, StudioError
from studio.store.safetensors import FLOATS, header, stored_dtype, tensor_files, variant

_BYTES = {"F64": 8, "I64": 8, "U64": 8, "F32": 4, "I32": 4, "U32": 4, "F16": 2, "BF16": 2, "I16": 2, "U16": 2}
_FIRST = ("conv_in", "quant_conv", "post_quant_conv")
"""The convolutions that pictures or latents meet first in the networks of diffusers, by name."""
_SMALL = 256_000_000
"""Bytes of a network whose weights may all leave their file."""
_WIDTH = {"float64": 8, "float32": 4, "float16": 2, "bfloat16": 2}
_state: dict[str, str] = {}
_importing = threading.RLock()


def library(name: str) -> Any:
    """A library or a module of one, imported by one thread at a time.

    transformers and diffusers put another module into their own place while they are imported. A second thread that
    imports them meanwhile gets the one that was there before, in which nothing is.
    """
    with _importing:
        return import_module(name)


def configure(threads: int, kind: str = "") -> None:
    """Set how many CPU threads torch uses (0: its own choice) and remember which kind of device models go to.

    Every load does so on the compute thread. It is the only process-wide setting that the engines make.
    """
    import torch

    if threads > 0 and torch.get_num_threads() != threads:
        torch.set_num_threads(threads)
    if kind:
        _state["kind"] = kind


def assumed_kind() -> str:
    """The kind of device that models will go to, without asking torch: as configured, else what the machine shows."""
    if kind := _state.get("kind"):
        return kind
    if shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists():
        return "cuda"
    return "mps" if (platform.system(), platform.machine()) == ("Darwin", "arm64") else "cpu"


def compute_dtype(card: Card, stored: str, kind: str, text: bool = False) -> str:
    """The float type to compute in, by name.

    Text decodes as fast as its bytes can be read, so it is bfloat16 on every processor that is not too old for it.
    The others stay in bfloat16 where they were made in it, go to float16 on CUDA, and are float32 on a processor,
    where float16 convolutions are slow.
    """
    wanted = card.options.get("dtype", "auto")
    if wanted != "auto":
        if wanted not in _WIDTH:
            raise StudioError(
                "not_a_choice", field="dtype", value=str(wanted), choices="auto, float32, bfloat16, float16"
            )
        return wanted
    if text:
        return "float16" if kind == "mps" and stored == "float16" else "bfloat16"
    if stored == "bfloat16" or (kind == "cuda" and quantise.wanted_bits(card)):  # float16 overflows before it is scaled
        return "bfloat16"
    if kind == "cuda":
        return "float16"
    return stored if kind == "mps" and stored == "float16" else "float32"


def stored_bytes(card: Card, files: Path, text: bool = False) -> int:
    """Bytes of the weights in memory, read from the file headers; the card's figure where there are none to read."""
    try:
        found = {file: header(file) for file in tensor_files(files, variant(card, files))}
        dtype = compute_dtype(card, stored_dtype(list(found.values())), assumed_kind(), text)
        total = sum(_tensor_bytes(entry, dtype) for table in found.values() for entry in table.values())
        if kind := quantise.wanted_bits(card):
            total -= quantise.saved(kind, found, _WIDTH[dtype])
    except (OSError, ValueError, KeyError, TypeError):  # a broken file is reported by load, with its reason
        return card.memory_bytes
    return total or card.memory_bytes


def _tensor_bytes(entry: dict[str, Any], dtype: str) -> int:
    kind = entry["dtype"]
    return numbers(entry) * (_WIDTH[dtype] if kind in FLOATS else _BYTES.get(kind, 1))


def numbers(entry: dict[str, Any]) -> int:
    """How many numbers a tensor has; `entry` is its line in a file's header."""
    return math.prod(entry["shape"])


class Casts:
    """For an engine whose weights become one float type while they are read.

    Attributes:
        text: it decodes text, see `compute_dtype`.
    """

    text = False

    def computes_in(self, card: Card, files: Path, kind: str) -> str:
        """That type on a device of this kind; "" where the files do not tell."""
        try:
            tables = [header(file) for file in tensor_files(files, variant(card, files))]
            return compute_dtype(card, stored_dtype(tables), kind, self.text) if tables else ""
        except (OSError, ValueError, KeyError, TypeError):  # a broken file is reported by load, with its reason
            return ""


def dtype_for(card: Card, files: Path, device: Device, text: bool = False) -> Any:
    """The torch dtype to load with.

    Raises:
        StudioError: there are no safetensors files, or one is damaged.
    """
    import torch

    found = tensor_files(files, variant(card, files))
    if not found:
        raise StudioError("missing_files", model=card.title, file="*.safetensors")
    tables = []
    for file in found:
        try:
            tables.append(header(file))
        except (OSError, ValueError) as error:
            raise StudioError("broken_model", model=card.title, reason=_reason(error) or file.name) from None
    return getattr(torch, compute_dtype(card, stored_dtype(tables), device.kind, text))


def refuse_code(card: Card, files: Path) -> None:
    """Raise StudioError where a config in the folder asks for program code of its own."""
    if not files.is_dir():
        raise StudioError("missing_files", model=card.title, file=files.name)
    if card.options.get("ignore_code"):
        return
    for config in (*files.glob("*.json"), *files.glob("*/*config.json")):
        if config.stat().st_size > 1 << 20:  # a vocabulary
            continue
        try:
            content = json.loads(config.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(content, dict) and (content.get("auto_map") or content.get("custom_pipelines")):
            raise StudioError("custom_code", model=card.title, file=config.name)


@contextmanager
def loading(card: Card, device: Device, *libraries: str) -> Iterator[None]:
    """Turn what `libraries` say about missing or damaged files into a StudioError; keep their progress bars quiet."""
    bars: list[Any] = []
    try:
        configure(device.threads, device.kind)
        quantise.quiet()
        for name in libraries:
            bar = library(f"{name}.utils.logging")
            bar.set_verbosity_error()  # their warnings are for programmers; what matters to the user is checked here
            if bar.is_progress_bar_enabled():
                bar.disable_progress_bar()
                bars.append(bar)
        yield
    except (StudioError, Cancelled):
        raise
    except ImportError as error:
        named = re.search(r"pip install ([\w.-]+)", str(error))
        package = error.name or (named.group(1) if named else _reason(error))
        raise StudioError("missing_package", model=card.title, package=package) from error
    except FileNotFoundError as error:
        raise StudioError("missing_files", model=card.title, file=Path(error.filename or "a file").name) from error
    except Exception as error:  # the libraries raise nearly every type for a bad file
        if _is_full(error):
            raise StudioError("out_of_memory", model=card.title) from error
        raise StudioError("broken_model", model=card.title, reason=_reason(error)) from error
    finally:
        for bar in bars:
            bar.enable_progress_bar()


def pretrained(kind: Any, card: Card, files: Path, device: Device, dtype: Any) -> Any:
    """A model of transformers' class `kind` from its safetensors, ready to be asked once it is on the device.

    Raises:
        StudioError: weights are missing.
    """
    model, info = kind.from_pretrained(
        files, dtype=dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False,
        output_loading_info=True, **({} if quantise.wanted_bits(card) else placement(card, device, dtype, files)),
    )  # fmt: skip
    require_complete(card, info)
    quantise.quantise(card, model, device)
    return model.eval()


def side_by_side(device: Device, *modules: Any) -> None:
    """Let the pictures in `modules` run with the channels of a pixel side by side, where the processor computes.

    oneDNN convolves them so; given the channels one after another, it sorts the numbers before every convolution and
    back behind it. What comes out keeps the order of what went in or of the weights. Sorted weights are no longer those
    of the file, which the system reads again where memory runs short: in large networks the first convolution alone is
    sorted, whose order lasts until the first attention.
    """
    import torch

    if device.kind != "cpu":
        return
    for module in modules:
        small = nbytes(module) <= _SMALL
        for name, part in module.named_modules():
            if isinstance(part, torch.nn.Conv2d) and (small or name.rpartition(".")[2] in _FIRST):
                convolution: Any = part
                convolution.to(memory_format=torch.channels_last)


def require_complete(card: Card, info: dict[str, Any]) -> None:
    """Raise StudioError where weights were missing and the library filled them with random numbers."""
    missing = sorted(info.get("missing_keys") or ())
    if missing:
        raise StudioError("broken_model", model=card.title, reason=f"weights are missing: {missing[0]}")


@contextmanager
def working(card: Card) -> Iterator[None]:
    """Run inference: no gradients, and a full device or memory said plainly."""
    import torch

    try:
        with torch.inference_mode():
            yield
    except (RuntimeError, MemoryError) as error:
        if _is_full(error):
            raise StudioError("out_of_memory", model=card.title) from error
        raise


def _is_full(error: BaseException) -> bool:
    """The device or the machine had no memory left. On a processor torch says so in a plain RuntimeError."""
    import torch

    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or "can't allocate memory" in str(error)


def nbytes(*modules: Any) -> int:
    """Bytes of parameters and buffers over unique storages: tied weights count once."""
    storages: dict[int, int] = {}
    for module in modules:
        for tensor in quantise.plain((*module.parameters(), *module.buffers())):
            storage = tensor.untyped_storage()
            storages[storage.data_ptr()] = storage.nbytes()
    storages.pop(0, None)  # nothing there: meta tensors and empty buffers
    return sum(storages.values())


def _reason(error: BaseException) -> str:
    """One short line of an error."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")


def placement(card: Card, device: Device, dtype: Any, files: Path) -> dict[str, Any]:
    """Arguments of transformers' from_pretrained that put the weights on the device as they are read.

    None where they can be mapped into memory first, from where they can leave the device and come back; a model that
    goes straight there is to stay.
    """
    if card.options.get("straight") and device.kind == "cuda":
        return {"device_map": {"": str(device)}}
    stored = stored_dtype([header(file) for file in tensor_files(files)])
    mapped = device.kind == "cuda" and str(dtype) == f"torch.{stored}"
    return {} if mapped or device.kind == "cpu" else {"device_map": {"": str(device)}}
