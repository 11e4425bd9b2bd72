"""spandrel's architectures that enlarge pictures, without the rest of it.

spandrel imports every architecture with its first line, and two that enlarge nothing (LaMa, RestoreFormer) want
torchvision, of which no build goes with every build of torch. So its list of everything is passed over while it is
imported, and those that enlarge are listed here, in its order, which is that in which they are told apart. AuraSR is
left out: it draws by chance, and the same picture has to come out twice.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

ARCHITECTURES = (
    *("Compact", "SwiftSRGAN", "HAT", "GRL", "Swin2SR", "SwinIR", "OmniSR", "RGT", "DAT", "CRAFT", "DITN", "MMRealSR"),
    *("SPAN", "RealCUGAN", "SAFMN", "DCTLSA", "ATD", "IPT", "DRCT", "ESRGAN", "PLKSR", "SeemoRe", "MoSR", "MoESR"),
    *("RCAN", "FDAT"),
)
_EVERYTHING = "spandrel.__helpers.main_registry"
_known: list[Any] = []


def registry() -> Any:
    """spandrel's `ArchRegistry` of them; made once.

    Raises:
        ImportError: the package, or one that it needs, is not installed.
    """
    if not _known:
        _known.append(_made())
    return _known[0]


def _made() -> Any:
    if "spandrel" not in sys.modules:
        stand_in = ModuleType(_EVERYTHING)
        vars(stand_in)["MAIN_REGISTRY"] = None  # only the default of its reader of files, which is not used
        sys.modules[_EVERYTHING] = stand_in
        try:
            import_module("spandrel")
        finally:
            del sys.modules[_EVERYTHING]
    spandrel: Any = import_module("spandrel")
    found = spandrel.ArchRegistry()
    for name in ARCHITECTURES:
        architecture = getattr(import_module(f"spandrel.architectures.{name}"), f"{name}Arch")
        found.add(spandrel.ArchSupport.from_architecture(architecture()))
    return found
