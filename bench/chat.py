"""How much of llama.cpp's speed the studio lets through, and whether a long conversation stays quick.

Prints four ratios, all measured in this run:
- tokens per second of a chat through the studio against xllamacpp called directly with the same prompt and settings
  (aim: at least 0.9);
- time to the first token in turn 10 against turn 2 of one conversation (aim: at most 1.5);
- tokens per second of eight chats at once against xllamacpp with eight slots (aim: at least 0.95);
- the longest wait for a first token among eight at once against that among two (aim: at most 2).

    python bench/chat.py [--model smollm2-135m] [--rounds 5] [--only alone|talk|together]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from studio import settings
from studio.library.chats import Entry
from studio.request_parts import Message
from studio.requests import ChatRequest
from studio.service import Studio

SYSTEM = "You are a helpful AI assistant."
PROMPT = "Tell me a story about a lighthouse keeper and a storm."
TOKENS = 160
TOGETHER, FEW, SHORT = 8, 2, 96  # chats at once, a few of them, and tokens of each
QUESTIONS = [
    "My name is Ada and I like the sea.", "Name three sea birds.", "Which of them is white?", "What do they eat?",
    "Where do they nest?", "How long do they live?", "Do they sing?", "Can they swim?", "Name one more bird.",
    "Say goodbye to me.",
]  # fmt: skip


def bare(model: Path, context: int, threads: int, slots: int = 1) -> Any:
    """xllamacpp on its own, with the studio's context and threads."""
    import xllamacpp as xl

    params = xl.CommonParams()  # pyright: ignore[reportAttributeAccessIssue]
    params.model.path = str(model)
    params.n_ctx, params.n_parallel, params.verbosity, params.warmup = context * slots, slots, 0, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    return xl.Server(params)  # pyright: ignore[reportAttributeAccessIssue]


def bare_rate(server: Any, seed: int) -> float:
    times = bare_times(server, PROMPT, TOKENS, seed)
    return (len(times) - 1) / (times[-1] - times[0])


def bare_times(server: Any, prompt: str, tokens: int, seed: int) -> list[float]:
    """When each token of an answer came."""
    times: list[float] = []

    def take(chunk: dict[str, Any]) -> bool:
        if any(choice.get("delta", {}).get("content") for choice in chunk.get("choices", ())):
            times.append(time.monotonic())
        return False

    body = {
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": prompt}],
        "stream": True, "max_tokens": tokens, "temperature": 0.7,
        "top_p": 0.9, "top_k": 40, "min_p": 0.05, "repeat_penalty": 1.0, "seed": seed, "cache_prompt": True,
    }  # fmt: skip
    server.handle_chat_completions(body, take)
    return times


def studio_rate(studio: Studio, model: str, seed: int) -> float:
    """Tokens per second as a reader of the job's events sees them."""
    request = ChatRequest(
        messages=(Message("user", PROMPT),), model=model, max_tokens=TOKENS, temperature=0.7, top_p=0.9, top_k=40,
        min_p=0.05, repetition_penalty=1.0, seed=seed, system=SYSTEM,
    )  # fmt: skip
    first, tokens, last = 0.0, 0, 0.0
    for update in studio.submit(request).events():
        if update.text:
            last, tokens = time.monotonic(), update.step
            if not first:
                first, base = last, update.step
    return (tokens - base) / (last - first)


def studio_times(studio: Studio, model: str, prompt: str, tokens: int, seed: int) -> list[float]:
    """When each token of an answer came, as a reader of the job's events sees them."""
    request = ChatRequest(
        messages=(Message("user", prompt),), model=model, max_tokens=tokens, temperature=0.7, top_p=0.9, top_k=40,
        min_p=0.05, repetition_penalty=1.0, seed=seed, system=SYSTEM,
    )  # fmt: skip
    times: list[float] = []
    for update in studio.submit(request, session=prompt).events():
        if update.text:
            times += [time.monotonic()] * (max(update.step, 1) - len(times))
    return times


def at_once(ask: Callable[[str, int], list[float]], count: int, seed: int) -> tuple[float, list[float]]:
    """Tokens per second of so many chats together, while all of them are answered, and how long each waited for its
    first token. What comes after the shortest answer has ended is not counted: how long answers are is chance."""
    found: list[list[float]] = [[] for _ in range(count)]

    def one(number: int) -> None:
        found[number] = ask(f"Chat {number}.{seed}: {PROMPT}", seed * 100 + number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(count)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    last = min(times[-1] for times in found)
    tokens = sum(moment <= last for times in found for moment in times)
    return tokens / (last - began), [times[0] - began for times in found]


def alone(studio: Studio, model: str, server: Any, rounds: int) -> None:
    bare_rate(server, 0), studio_rate(studio, model, 0)  # both warm
    pairs = [(bare_rate(server, i), studio_rate(studio, model, i)) for i in range(1, rounds + 1)]
    ratio = statistics.median(mine / theirs for theirs, mine in pairs)
    print(f"xllamacpp {statistics.median(a for a, _ in pairs):.1f} tokens/s")
    print(f"studio    {statistics.median(b for _, b in pairs):.1f} tokens/s")
    print(f"ratio     {ratio:.3f} (aim: at least 0.9)")


def talk(studio: Studio, model: str, rounds: int) -> None:
    talks = [first_tokens(studio, model) for _ in range(rounds)]
    waits = [statistics.median(turn) for turn in zip(*talks, strict=True)]
    print("first token, turns 1 to 10: " + " ".join(f"{wait * 1000:.0f}" for wait in waits) + " ms")
    print(f"turn 10 / turn 2: {waits[9] / waits[1]:.2f} (aim: at most 1.5)")


def together(studio: Studio, model: str, server: Any, rounds: int) -> None:
    def theirs(prompt: str, seed: int) -> list[float]:
        return bare_times(server, prompt, SHORT, seed)

    def ours(prompt: str, seed: int) -> list[float]:
        return studio_times(studio, model, prompt, SHORT, seed)

    ours("Hello.", 1), theirs("Hello.", 1)  # both warm
    rates: list[tuple[float, float]] = []
    waits: list[tuple[float, ...]] = []
    for seed in range(1, rounds + 1):
        they, their_waits = at_once(theirs, TOGETHER, seed)
        we, many = at_once(ours, TOGETHER, seed)
        _, few = at_once(ours, FEW, rounds + seed)
        _, their_few = at_once(theirs, FEW, rounds + seed)
        rates.append((they, we))
        waits.append((max(many), max(few), max(their_waits), max(their_few)))
    print(f"{TOGETHER} at once: xllamacpp {statistics.median(a for a, _ in rates):.1f} tokens/s, ", end="")
    print(f"studio {statistics.median(b for _, b in rates):.1f} tokens/s")
    print(f"ratio     {statistics.median(b / a for a, b in rates):.3f} (aim: at least 0.95)")
    for name, of in (("xllamacpp", 2), ("studio", 0)):
        many, few = (statistics.median(row[of + at] for row in waits) for at in (0, 1))
        grown = statistics.median(row[of] / row[of + 1] for row in waits)
        aim = " (aim: at most 2)" if name == "studio" else ""
        print(
            f"{name}: longest wait for a first token {few:.2f} s of {FEW}, {many:.2f} s of {TOGETHER}: {grown:.2f}{aim}"
        )


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
    parser.add_argument("--only", choices=("alone", "talk", "together"), help="one part of it")
    options = parser.parse_args()
    # as many places as where others are served; on one's own machine it has two
    serving = settings.load().model_copy(update={"profile": "lan"})
    with tempfile.TemporaryDirectory() as folder, Studio(serving) as studio:
        from studio.library.chats import Chats

        studio.chats = Chats(Path(folder))  # the person's own conversations stay as they are
        card = studio.catalog.get(options.model)
        if studio.store.state(card) != "ready":
            *_, last = studio.models.download(card.id).events()
            assert last.kind == "done", last.error
        context, threads = int(card.limits.get("context", 8192)), studio.device.threads
        file, parts = studio.store.path(card), (options.only,) if options.only else ("alone", "talk", "together")
        if "alone" in parts:
            alone(studio, card.id, bare(file, context, threads), options.rounds)
        if "talk" in parts:
            talk(studio, card.id, options.rounds)
        if "together" in parts:
            together(studio, card.id, bare(file, context, threads, TOGETHER), options.rounds)


if __name__ == "__main__":
    main()
