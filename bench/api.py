"""What the HTTP API takes of the studio's own speed, asked by turns in the same run.

Prints, each as the median of the rounds:
- tokens per second of a streamed chat over HTTP against the same job read in this process, and what both took of the
  processor (aim: at most 2 % less);
- seconds of a picture in base64 over HTTP against the same in this process (aim: at most 2 % more);
- with `--streams N`, tokens per second of so many streams at once, all together, against as many jobs, and the threads
  that they take.

    python bench/api.py [--chat smollm2-135m] [--image icons] [--rounds 7] [--tokens 128] [--streams 0]
"""

from __future__ import annotations

import argparse
import base64
import json
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio import settings
from studio.api.door import Door
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest
from studio.service import Studio

PROMPT = "Tell me a story about a lighthouse keeper and a storm."
PICTURE = "a red fox in the snow"
Timed = tuple[float, float]
"""Seconds on the clock, and of the processor."""


@contextmanager
def served(studio: Studio) -> Iterator[httpx.Client]:
    """A client of the studio's API, on a port of its own."""
    app = Starlette(routes=[Door(studio, lambda _: "127.0.0.1")])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=None) as client:
        client.get("/v1/models")
        yield client
    server.should_exit = True
    thread.join()


def timed(work: Callable[[], int]) -> tuple[float, Timed]:
    """Tokens that `work` says there were, a second from the first to the last, and what it took."""
    began, processor = time.perf_counter(), time.process_time()
    count = work()
    took = time.perf_counter() - began
    return count / took, (took, time.process_time() - processor)


def chat_inside(studio: Studio, model: str, tokens: int, seed: int) -> int:
    request = ChatRequest(messages=(Message("user", PROMPT),), model=model, max_tokens=tokens, seed=seed)
    for update in studio.submit(request, f"bench {seed}").events(60):
        if update.artifact is not None:
            return int(update.artifact.stats["tokens"])
        if update.final:
            raise SystemExit(str(update.error))
    return 0


def chat_outside(client: httpx.Client, model: str, tokens: int, seed: int) -> int:
    body = {
        "model": model, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": tokens, "seed": seed,
        "stream": True, "stream_options": {"include_usage": True},
    }  # fmt: skip
    count = 0
    with client.stream("POST", "/v1/chat/completions", json=body) as answer:
        answer.raise_for_status()
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                count = (json.loads(line[6:]).get("usage") or {}).get("completion_tokens", count)
    return count


def picture_inside(studio: Studio, model: str, seed: int) -> int:
    made = studio.submit(ImageRequest(prompt=PICTURE, model=model, seed=seed), "bench").result()
    return len(made.files[0].read_bytes())


def picture_outside(client: httpx.Client, model: str, seed: int) -> int:
    answer = client.post("/v1/images/generations", json={"prompt": PICTURE, "model": model, "seed": seed})
    answer.raise_for_status()
    return len(base64.b64decode(answer.json()["data"][0]["b64_json"]))


def by_turns(
    rounds: int, inside: Callable[[int], int], outside: Callable[[int], int]
) -> list[tuple[Timed, Timed, float]]:
    """What both took in each round, and the ratio of their rates; who is first changes."""
    inside(0), outside(0)  # warm
    found = []
    for seed in range(1, rounds + 1):
        order = (inside, outside) if seed % 2 else (outside, inside)
        rates = {work: timed(partial(work, seed)) for work in order}
        found.append((rates[inside][1], rates[outside][1], rates[outside][0] / rates[inside][0]))
    return found


def told(name: str, found: list[tuple[Timed, Timed, float]], rate: bool) -> None:
    middle = statistics.median
    clock, processor = (
        [middle(one[side][kind] for one in found) for side in (0, 1)] for kind in (0, 1)
    )  # fmt: skip
    print(f"{name:<9} inside {clock[0]:.3f} s ({processor[0]:.3f} s of processor), over HTTP {clock[1]:.3f} s "
          f"({processor[1]:.3f} s)")  # fmt: skip
    ratio = middle(one[2] for one in found) if rate else middle(one[1][0] / one[0][0] for one in found)
    aim = "at least 0.98 of its tokens per second" if rate else "at most 1.02 of its seconds"
    print(f"{name:<9} {ratio:.3f} (aim: {aim})")


def many(studio: Studio, client: httpx.Client, model: str, tokens: int, streams: int) -> None:
    """All at once: tokens per second together, and the most threads."""

    def all_of(work: Callable[[int], int]) -> tuple[float, int]:
        counts: list[int] = []
        threads = [threading.Thread(target=lambda n=n: counts.append(work(n))) for n in range(streams)]
        most, began = 0, time.perf_counter()
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            most = max(most, threading.active_count() - streams)
            time.sleep(0.02)
        return sum(counts) / (time.perf_counter() - began), most

    inside = all_of(lambda n: chat_inside(studio, model, tokens, n))
    outside = all_of(lambda n: chat_outside(client, model, tokens, n))
    print(f"{streams} streams inside {inside[0]:.1f} tokens a second with {inside[1]} threads beside the clients', "
          f"over HTTP {outside[0]:.1f} with {outside[1]}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chat", default="smollm2-135m", help="a model of the catalogue that talks; empty for none")
    parser.add_argument("--image", default="icons", help="one that paints; empty for none")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds; the median counts")
    parser.add_argument("--tokens", type=int, default=128, help="of an answer")
    parser.add_argument("--streams", type=int, default=0, help="chats at once")
    options = parser.parse_args()
    room = {"max_jobs_per_session": 100, "max_queue": 200}
    with Studio(settings.load().model_copy(update=room)) as studio, served(studio) as client:
        if options.chat:
            found = by_turns(
                options.rounds,
                lambda seed: chat_inside(studio, options.chat, options.tokens, seed),
                lambda seed: chat_outside(client, options.chat, options.tokens, seed),
            )
            told("chat", found, rate=True)
        if options.chat and options.streams:
            many(studio, client, options.chat, options.tokens, options.streams)
        if options.image:
            found = by_turns(
                options.rounds,
                lambda seed: picture_inside(studio, options.image, seed),
                lambda seed: picture_outside(client, options.image, seed),
            )
            told("picture", found, rate=False)


if __name__ == "__main__":
    main()
