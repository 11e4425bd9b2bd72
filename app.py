"""The studio's page, put together and served. `python start.py` runs this, and so does a Space."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio import proxies
from studio.i18n import from_environment, text

os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # before anything imports gradio or a hub client
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
os.environ["DO_NOT_TRACK"] = "1"
if os.environ.get("SPACE_ID"):
    os.environ.setdefault("STUDIO_PROFILE", "space")
proxies.settle(os.environ)
ZERO = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")

if TYPE_CHECKING:
    from studio.manager import Rented
    from studio.service import Studio


def rent() -> Rented:
    """The card that a ZeroGPU Space is lent for the length of a call. Before anything else imports torch."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # threads of theirs do not outlive the fork
    os.environ.setdefault("ZEROGPU_MMAP_AUTOPRUNE_PATTERN", "/nowhere/*")  # the store's files stay where they are
    import spaces
    from spaces.config import Config

    from studio.manager import Rented
    from studio.manager.backends.zero import task

    def wanted(message: bytes, seconds: int) -> int:
        del message
        return seconds

    call = spaces.GPU(duration=wanted)(task.run)
    return Rented(call, Config.zerogpu_cuda_device_name, Config.zerogpu_cuda_total_memory)


def join_up(studio: Studio) -> None:
    """Compute on a cluster, which is started here unless it is somewhere already. Raises StudioError."""
    from studio.cluster.node import Node
    from studio.cluster.scaling import Scaler

    node = Node.start(studio.settings)
    scaler = Scaler(studio.settings, studio, node, node.given())
    studio.peers.last(node.close)
    studio.peers.last(scaler.close)
    if studio.settings.ray_host:
        print(text("app.ray", studio.settings.language or from_environment(), address=node.address), flush=True)


def main(arguments: Sequence[str] = ()) -> int:
    """Serve until interrupted. Exit code 0, 1 where the settings or the home folder are unusable, 2 where the arguments
    are."""
    from studio.errors import StudioError

    if set(arguments) - {"--ray"}:
        print(text("app.usage", from_environment()), file=sys.stderr)
        return 2
    try:
        rented = rent() if ZERO else None

        from studio import settings
        from studio.service import Studio

        studio = Studio(settings.load(**({"ray": True} if "--ray" in arguments else {})), rented)
        if studio.settings.ray:
            join_up(studio)
        studio.models.place()
    except StudioError as error:
        language = from_environment()
        print(f"{error.what(language)}\n{error.next(language)}", file=sys.stderr)
        return 1
    os.environ["GRADIO_TEMP_DIR"] = str(studio.instance.shown)

    from tabs.serve import serve

    with studio:
        return serve(studio)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
