"""Depth of what a picture shows, by a network that lies on the disk: near is light, as ControlNets were taught.

Always on the processor, in full precision: the map that the page shows is then the one that is painted by, and takes
nothing from the device that paints. The network is read for each map and dropped again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from studio.engines.shared.torch_loading import library
from studio.errors import StudioError
from studio.tasks.image import control_files

USUAL_BYTES = 600_000_000
"""What the small and the base one of Depth Anything take while they look: their weights and one picture."""
_ONE = threading.Lock()


def estimator(folders: Sequence[Path]) -> Callable[[Image.Image], Image.Image]:
    """A function that makes a map of depth, by the network that `control_files.find_depth` finds in `folders`."""

    def estimate(picture: Image.Image) -> Image.Image:
        if (place := control_files.find_depth(folders)) is None:
            raise StudioError("no_depth", path=control_files.DEPTH_FOLDER)
        return depth(place, picture)

    return estimate


def depth(place: Path, picture: Image.Image) -> Image.Image:
    """The depth of `picture` (RGB) as an RGB picture of its size, light where it is near.

    Args:
        place: a folder as transformers keeps a model of the families Depth Anything or DPT.

    Raises:
        StudioError: bad_file, where the network cannot be read.
    """
    import torch

    transformers = library("transformers")
    options: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    with _ONE, torch.inference_mode():
        try:
            reader = transformers.DPTImageProcessorPil.from_pretrained(place, **options)
            network = transformers.AutoModelForDepthEstimation.from_pretrained(
                place, dtype=torch.float32, use_safetensors=True, **options
            ).eval()
        except Exception as error:  # the library raises nearly every type for a bad file
            raise StudioError("bad_file", path=place.name, reason=str(error).split("\n")[0][:200]) from error
        found = network(**reader(images=picture, return_tensors="pt"))
        sizes = [(picture.height, picture.width)]
        values: Any = reader.post_process_depth_estimation(found, target_sizes=sizes)[0]["predicted_depth"]
        if getattr(network.config, "depth_estimation_type", "relative") == "metric":
            values = 1 / values.clamp(min=1e-3)  # metres grow with distance
        values = (values - values.min()) / (values.max() - values.min()).clamp(min=1e-9)
        return Image.fromarray((values * 255).numpy().astype("uint8")).convert("RGB")
