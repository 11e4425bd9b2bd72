"""How much of llama.cpp's speed the studio lets through, and whether a long conversation stays quick.

Prints two ratios, both measured in this run:
- tokens per second of a chat through the studio against xllamacpp called directly with the same prompt and settings
  (aim: at least 0.9);
- time to the first token in turn 10 against turn 2 of one conversation (aim: at most 1.5).

    python bench/chat.py [--model smollm2-135m] [--rounds 5]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio import settings
from studio.library.chats import Entry
from studio.requests import ChatRequest, Message
from studio.service import Studio

PROMPT = "Tell me a story about a lighthouse keeper and a storm."
TOKENS = 160
QUESTIONS = [
    "My name is Ada and I like the sea.", "Name three sea birds.", "Which of them is white?", "What do they eat?",
    "Where do they nest?", "How long do they live?", "Do they sing?", "Can they swim?", "Name one more bird.",
    "Say goodbye to me.",
]  # fmt: skip


def bare(model: Path, context: int, threads: int) -> Any:
    """xllamacpp on its own, with the studio's context and threads."""
    import xllamacpp as xl

    params = xl.CommonParams()  # pyright: ignore[reportAttributeAccessIssue]
    params.model.path = str(model)
    params.n_ctx, params.n_parallel, params.verbosity, params.warmup = context, 1, 0, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    return xl.Server(params)  # pyright: ignore[reportAttributeAccessIssue]


def bare_rate(server: Any, seed: int) -> float:
    times: list[float] = []

    def take(chunk: dict[str, Any]) -> bool:
        if any(choice.get("delta", {}).get("content") for choice in chunk.get("choices", ())):
            times.append(time.monotonic())
        return False

    body = {
        "messages": [{"role": "user", "content": PROMPT}], "stream": True, "max_tokens": TOKENS, "temperature": 0.7,
        "top_p": 0.9, "top_k": 40, "min_p": 0.05, "repeat_penalty": 1.0, "seed": seed, "cache_prompt": True,
    }  # fmt: skip
    server.handle_chat_completions(body, take)
    return (len(times) - 1) / (times[-1] - times[0])


def studio_rate(studio: Studio, model: str, seed: int) -> float:
    """Tokens per second as a reader of the job's events sees them."""
    request = ChatRequest(
        messages=(Message("user", PROMPT),), model=model, max_tokens=TOKENS, temperature=0.7, top_p=0.9, top_k=40,
        min_p=0.05, repetition_penalty=1.0, seed=seed,
    )  # fmt: skip
    first, tokens, last = 0.0, 0, 0.0
    for update in studio.submit(request).events():
        if update.text:
            last, tokens = time.monotonic(), update.step
            if not first:
                first, base = last, update.step
    return (tokens - base) / (last - first)


def first_tokens(studio: Studio, model: str) -> list[float]:
    """Seconds from question to first token, for each turn of one conversation."""
    chat, waits = studio.chats.new(), []
    for question in QUESTIONS:
        chat = replace(chat, messages=(*chat.messages, Entry("user", question)))
        asked = time.monotonic()
        job = studio.say(chat, ChatRequest(messages=(), model=model, max_tokens=48, temperature=0.7, seed=1))
        waits.append(next(time.monotonic() - asked for update in job.events() if update.text))
        job.result()
        chat = studio.chats.load(chat.id)
    return waits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2-135m", help="a GGUF model of the catalogue")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds; the median counts")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Studio(settings.load()) as studio:
        from studio.library.chats import Chats

        studio.chats = Chats(Path(folder))  # the person's own conversations stay as they are
        card = studio.catalog.get(options.model)
        if studio.store.state(card) != "ready":
            *_, last = studio.models.download(card.id).events()
            assert last.kind == "done", last.error
        context, threads = int(card.limits.get("context", 8192)), studio.device.threads
        server = bare(studio.store.path(card), context, threads)
        bare_rate(server, 0), studio_rate(studio, card.id, 0)  # both warm
        pairs = [(bare_rate(server, i), studio_rate(studio, card.id, i)) for i in range(1, options.rounds + 1)]
        ratio = statistics.median(mine / theirs for theirs, mine in pairs)
        print(f"xllamacpp {statistics.median(a for a, _ in pairs):.1f} tokens/s")
        print(f"studio    {statistics.median(b for _, b in pairs):.1f} tokens/s")
        print(f"ratio     {ratio:.3f} (aim: at least 0.9)")
        del server
        talks = [first_tokens(studio, card.id) for _ in range(options.rounds)]
        waits = [statistics.median(turn) for turn in zip(*talks, strict=True)]
        print("first token, turns 1 to 10: " + " ".join(f"{wait * 1000:.0f}" for wait in waits) + " ms")
        print(f"turn 10 / turn 2: {waits[9] / waits[1]:.2f} (aim: at most 1.5)")


if __name__ == "__main__":
    main()
