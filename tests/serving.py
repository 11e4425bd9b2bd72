"""The API on a port of its own, as programs meet it: uvicorn in a thread, stand-in models behind it."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from openai import OpenAI
from PIL import Image
from starlette.applications import Starlette
from waiting import until

from studio.api.door import Door
from studio.keys import Keys
from studio.service import Studio
from studio.settings import Settings


class Place:
    """A studio with its address.

    Attributes:
        http: a plain client; openai: OpenAI's own, which does not try again.
    """

    def __init__(self, studio: Studio, url: str) -> None:
        self.studio, self.url = studio, url
        self.http = httpx.Client(base_url=url, timeout=30)
        self.openai = OpenAI(base_url=f"{url}/v1", api_key="any", max_retries=0)

    def slow(self, model: str, seconds: float = 0.05, **options: Any) -> str:
        """A model's stand-in that takes its time, under a name of its own."""
        name = f"{model}-slow" + "".join(f"-{what}-{value}" for what, value in {"": seconds, **options}.items())
        card = self.studio.catalog.cards[model]
        made = replace(card, id=name, starter=True, options={**card.options, "step_seconds": seconds, **options})
        object.__setattr__(self.studio.catalog, "cards", {**self.studio.catalog.cards, name: made})
        return name

    def running(self) -> list[Any]:
        return [job for job in self.studio.jobs() if not job.done]


@contextmanager
def served(home: Path, address: Callable[[Any], str] = lambda _: "192.168.1.9", **given: Any) -> Iterator[Place]:
    """A studio that programs can reach."""
    fixed: dict[str, Any] = {"demo": True, "home": home, "device": "cpu", "keep_free_gb": 0, "_env_file": None}
    with Studio(Settings(**{**fixed, **given})) as studio:
        app = Starlette(routes=[Door(studio, address)])
        config = uvicorn.Config(app, port=0, log_level="warning", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        assert until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        place = Place(studio, f"http://127.0.0.1:{port}")
        try:
            yield place
        finally:
            place.http.close()
            place.openai.close()
            server.should_exit = True
            thread.join(5)


def png(colour: str = "red", size: tuple[int, int] = (64, 64), mode: str = "RGB") -> bytes:
    data = io.BytesIO()
    Image.new(mode, size, colour).save(data, "PNG")
    return data.getvalue()


def key(place: Place, name: str, jobs: int = 0) -> str:
    return Keys(place.studio.home.keys).add(name, jobs)
