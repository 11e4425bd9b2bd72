"""Memory that the machine can spare, as the operating system and the driver tell it; and giving it back.

Readings are advice for the budget; the books (studio.manager.ledger) decide. Which devices there are:
studio.devices.detect. How much a stretch of work takes: studio.devices.peak_memory.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

from studio.devices import detect
from studio.devices.device import Device

CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Reading:
    """Bytes of one device: what it has, what nobody uses now, and what we use; None where nobody can tell."""

    total: int
    free: int
    ours: int | None = None


def read_memory(device: Device) -> Reading:
    """Bytes of `device` now. On unified memory (MPS) those of the machine.

    Free on a GPU is what the driver has left and what torch keeps from it without using it: reserved, not active.
    """
    if device.kind == "cuda":
        memory = detect.nvml_memory(device)
        reserved, active = torch_memory(device)
        return Reading(int(memory.total), int(memory.free) + reserved - active, active)
    system = psutil.virtual_memory()
    total, free = system.total, system.available
    if (limit := _cgroup_limit()) is not None:
        total = min(total, limit.total)
        free = min(free, limit.free)
    return Reading(total, free)


def collect() -> None:
    """Give memory back to the device and to the operating system. Once per unload, never on a timer."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()
    elif torch is not None and torch.backends.mps.is_available():
        torch.mps.empty_cache()
    if sys.platform == "linux":
        try:
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        except (OSError, AttributeError):  # not glibc: its allocator returns memory by itself
            return


def torch_memory(device: Device) -> tuple[int, int]:
    """Bytes of a GPU that torch has taken from the driver, and those of them that are in use."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return 0, 0
    stats = torch.cuda.memory_stats(device.index)
    return int(stats.get("reserved_bytes.all.current", 0)), int(stats.get("active_bytes.all.current", 0))


def _cgroup_limit() -> Reading | None:
    """The container's limit (cgroup v2, then v1), which psutil does not see.

    Pages of files count as free, as the kernel counts them in what it calls available: it drops them when it must.
    """
    for limit_file, used_file, prefix in (
        ("memory.max", "memory.current", ""),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "total_"),
    ):
        try:
            text = (CGROUP / limit_file).read_text().strip()
            if text == "max" or int(text) >= 1 << 60:
                continue
            used = int((CGROUP / used_file).read_text())
            stat = (CGROUP / limit_file).with_name("memory.stat").read_text().split()
            droppable = sum(
                int(stat[stat.index(name) + 1])
                for name in (f"{prefix}inactive_file", f"{prefix}active_file")
                if name in stat
            )
        except (OSError, ValueError):
            continue
        return Reading(int(text), max(int(text) - used + droppable, 0))
    return None
