"""Detection of devices, without importing torch."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

from studio.devices.device import Device


def detect(wanted: str = "auto") -> tuple[Device, ...]:
    """The devices that models should run on, at least one: all GPUs, else the processor."""
    if wanted in ("auto", "cuda") and _torch_has_cuda() and (names := _nvidia_names()):
        return tuple(Device("cuda", index, name) for index, name in enumerate(names))
    if wanted in ("auto", "mps") and platform.system() == "Darwin" and platform.machine() == "arm64":
        return (Device("mps", 0, "Apple GPU"),)
    return (Device("cpu", 0, cpu_name()),)


def physical_cores() -> int:
    """Cores that compute, at most what this container may use. Two threads on one core slow each other down."""
    allowed = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count()
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed or 1))


def nvml_memory(device: Device) -> Any:
    """The driver's figures for a GPU, by torch's number for it."""
    import pynvml

    pynvml.nvmlInit()
    return pynvml.nvmlDeviceGetMemoryInfo(_handle(_visible()[device.index]))


@cache
def llama_on_gpu() -> bool:
    """Whether `python start.py gpu` put a build of llama.cpp for cards there, and nothing took its place since."""
    try:
        _, known = Path(sys.prefix, "atelier.llama").read_text(encoding="utf-8").split()
        files = metadata.distribution("xllamacpp").read_text("RECORD") or ""
    except (OSError, ValueError, metadata.PackageNotFoundError):
        return False
    return hashlib.sha256(files.encode()).hexdigest() == known


@cache
def cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "CPU"


def _visible() -> list[int | str]:
    """The driver's numbers or names of the GPUs that torch sees, in torch's order.

    CUDA_VISIBLE_DEVICES may name some of them in an order of its own; what follows a wrong name is not seen.
    """
    import pynvml

    count = int(pynvml.nvmlDeviceGetCount())
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return list(range(count))
    seen: list[int | str] = []
    for name in (part.strip() for part in named.split(",")):
        if name.isdecimal() and int(name) < count:
            seen.append(int(name))
        elif name.startswith(("GPU-", "MIG-")):
            seen.append(name)
        else:
            break
    return seen


def _handle(which: int | str) -> Any:
    import pynvml

    return (
        pynvml.nvmlDeviceGetHandleByIndex(which) if isinstance(which, int) else pynvml.nvmlDeviceGetHandleByUUID(which)
    )


@cache
def _torch_has_cuda() -> bool:
    try:
        files = metadata.files("torch") or []
    except metadata.PackageNotFoundError:
        return False
    return any("libtorch_cuda" in str(file) or "torch_cuda.dll" in str(file) for file in files)


@cache
def _nvidia_names() -> tuple[str, ...]:
    try:
        import pynvml

        pynvml.nvmlInit()
        names = [pynvml.nvmlDeviceGetName(_handle(which)) for which in _visible()]
    except Exception:  # no driver, no library, a driver too old: all mean that there is no GPU for us
        return ()
    return tuple(name if isinstance(name, str) else name.decode() for name in names)
