"""Where .venv is, what it has to hold, and whether it does.

Read by start.py at every start, also by a Python that is too old: no annotations and no f-strings, and next to
nothing imported.
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, *(("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")))
STAMP = os.path.join(VENV, "atelier.stamp")
REQUIREMENTS = {"app": "requirements.txt", "bare": "requirements-bare.txt", "tests": "requirements-dev.txt"}


def identity():
    """What a .venv cannot change without being made again: where it is and whose it is."""
    return VENV + " " + sys.implementation.cache_tag


def nvidia():
    """True where an NVIDIA driver is at work. Looks at files only, so it costs nothing."""
    if os.name == "nt":
        return os.path.exists(os.path.join(os.environ.get("SYSTEMROOT", "C:\\Windows"), "System32", "nvcuda.dll"))
    return os.path.exists("/dev/nvidiactl") or os.path.exists("/usr/lib/wsl/lib/libcuda.so.1")


def flavour():
    """The build of torch for this machine: "cpu", "gpu", or what STUDIO_TORCH says, for example "rocm6.4"."""
    return os.environ.get("STUDIO_TORCH") or ("gpu" if nvidia() else "cpu")


def marks(tests):
    """The lines that the stamp of an install holds, one a group of requirements."""
    import hashlib

    lines = []
    for group, name in sorted(REQUIREMENTS.items()):
        if group != "tests" or tests:
            with open(os.path.join(ROOT, name), "rb") as file:
                lines.append(group + " " + hashlib.sha256(identity().encode() + file.read()).hexdigest())
    return lines


def ready(tests):
    """True where .venv holds what the requirements ask for, so that nothing is installed."""
    if not os.path.exists(PYTHON):
        return False
    try:
        with open(STAMP) as file:
            stamp = file.read().splitlines()
    except (OSError, ValueError):
        return False
    # A GPU build also runs where the GPU is gone for the moment.
    fits = {"torch " + flavour()} | ({"torch gpu"} if flavour() == "cpu" else set())
    return not fits.isdisjoint(stamp) and set(marks(tests)).issubset(stamp)
