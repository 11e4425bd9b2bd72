"""How much memory the machine can spare, as the operating system and the driver tell it; and giving it back.

Knows nothing of models. Readings are advice for the budget; the ledger in studio.manager.core decides.
"""

from __future__ import annotations

import ctypes
import gc
import platform
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import psutil

from studio.engines.base import Device

CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes of one device: what it has and what nobody uses now."""

    total: int
    free: int


def detect(wanted: str = "auto") -> Device:
    """The device that models should run on, found without importing torch."""
    if wanted in ("auto", "cuda") and _torch_has_cuda() and (name := _nvidia_name()):
        return Device("cuda", 0, name)
    if wanted in ("auto", "mps") and platform.system() == "Darwin" and platform.machine() == "arm64":
        return Device("mps", 0, "Apple GPU")
    return Device("cpu", 0, _cpu_name())


def read(device: Device) -> Reading:
    """Total and free bytes of `device` now. On unified memory (MPS) that is the machine's memory."""
    if device.kind == "cuda":
        import pynvml

        pynvml.nvmlInit()
        memory = pynvml.nvmlDeviceGetMemoryInfo(pynvml.nvmlDeviceGetHandleByIndex(device.index))
        return Reading(int(memory.total), int(memory.free) + _torch_cache(device))
    system = psutil.virtual_memory()
    total, free = system.total, system.available
    if (limit := _cgroup_limit()) is not None:
        total = min(total, limit.total)
        free = min(free, limit.free)
    return Reading(total, free)


def physical_cores() -> int:
    """Cores that compute, at most what this container may use. Two threads on one core slow each other down."""
    allowed = len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count()
    return max(1, min(psutil.cpu_count(logical=False) or 1, allowed or 1))


def collect() -> None:
    """Give memory back to the device and to the operating system. Once per unload, never on a timer."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):  # not glibc: its allocator returns memory by itself
            return


def _torch_cache(device: Device) -> int:
    """Bytes that torch holds from the driver and does not use: free for us, although the driver counts them taken."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0
    return int(torch.cuda.memory_reserved(device.index) - torch.cuda.memory_allocated(device.index))


def _cgroup_limit() -> Reading | None:
    """The container's limit (cgroup v2, then v1), which psutil does not see. Reclaimable file pages count as free."""
    for limit_file, used_file, stat_key in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_inactive_file"),
    ):
        try:
            text = (CGROUP / limit_file).read_text().strip()
            if text == "max" or int(text) >= 1 << 60:
                continue
            used = int((CGROUP / used_file).read_text())
            stat = (CGROUP / limit_file).with_name("memory.stat").read_text().split()
            reclaimable = int(stat[stat.index(stat_key) + 1]) if stat_key in stat else 0
        except (OSError, ValueError):
            continue
        return Reading(int(text), max(int(text) - used + reclaimable, 0))
    return None


@cache
def _torch_has_cuda() -> bool:
    try:
        files = metadata.files("torch") or []
    except metadata.PackageNotFoundError:
        return False
    return any("libtorch_cuda" in str(file) or "torch_cuda.dll" in str(file) for file in files)


@cache
def _nvidia_name() -> str:
    try:
        import pynvml

        pynvml.nvmlInit()
        name = pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0))
    except Exception:  # no driver, no library, a driver too old: all mean that there is no GPU for us
        return ""
    return name if isinstance(name, str) else name.decode()


@cache
def _cpu_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "CPU"
