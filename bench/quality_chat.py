"""What the chat starter answers under several settings: right, ended by itself, without going round in circles.

Each question has a regular expression that a right answer must match. An answer counts as good where it matches, ends
by itself before the last token, repeats no run of words and is English to the end. Seeds are fixed.

    python bench/quality.py chat [--seeds 1] [--only NAME ...] [--show]
"""

from __future__ import annotations

import argparse
import re
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from studio import settings
from studio.catalog.catalog import Catalog
from studio.paths import Home
from studio.store import Store

QUESTIONS = Path(__file__).with_name("quality_chat.toml")
TOKENS = 320
SLOTS = 4
PLAIN = "You are a helpful AI assistant."
BRIEF = "You are a helpful AI assistant. Answer in plain English."
SHORT = "You are a helpful AI assistant. Answer in plain English, in a few short sentences."
SENTENCES = "You are a helpful AI assistant. Answer the question directly in a few short English sentences."
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "before": {"system": PLAIN, "temperature": 0.1, "top_p": 0.9},
    "before-1.1": {"system": PLAIN, "temperature": 0.1, "top_p": 0.9, "repeat_penalty": 1.1},
    "before-1.15": {"system": PLAIN, "temperature": 0.1, "top_p": 0.9, "repeat_penalty": 1.15},
    "plain-english-1.0": {"system": BRIEF, "temperature": 0.1, "top_p": 0.9},
    "plain-english-1.1": {"system": BRIEF, "temperature": 0.1, "top_p": 0.9, "repeat_penalty": 1.1},
    "plain-english-1.15": {"system": BRIEF, "temperature": 0.1, "top_p": 0.9, "repeat_penalty": 1.15},
    "plain-english-dry": {"system": BRIEF, "temperature": 0.1, "top_p": 0.9, "dry_multiplier": 0.8},
    "before-dry": {"system": PLAIN, "temperature": 0.1, "top_p": 0.9, "dry_multiplier": 0.8},
    "short-1.1": {"system": SHORT, "temperature": 0.1, "top_p": 0.9, "repeat_penalty": 1.1},
    "short-1.15": {"system": SHORT, "temperature": 0.1, "top_p": 0.9, "repeat_penalty": 1.15},
    "short-1.1-warm": {"system": SHORT, "temperature": 0.4, "top_p": 0.9, "repeat_penalty": 1.1},
    "short-none": {"system": SHORT, "temperature": 0.1, "top_p": 0.9},
    "sentences-1.1": {"system": SENTENCES, "temperature": 0.1, "top_p": 0.9, "repeat_penalty": 1.1},
    "none-1.1": {"system": "", "temperature": 0.1, "top_p": 0.9, "repeat_penalty": 1.1},
    "plain-english-1.1-warm": {"system": BRIEF, "temperature": 0.4, "top_p": 0.9, "repeat_penalty": 1.1},
}
"""Name -> system prompt and sampling, as llama.cpp's server calls them."""


def repeats(text: str, words: int = 6) -> float:
    """The share of runs of `words` words that were there before: 0 for prose, near 1 for a loop."""
    said = re.findall(r"\w+", text.lower())
    runs = [tuple(said[at : at + words]) for at in range(len(said) - words + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def foreign(text: str) -> bool:
    """Whether letters of other scripts or French, Spanish and German little words stand in it."""
    strange = re.search(r"[^\x00-\u024f\u2010-\u2049\u2070-\u22ff]", text)
    words = re.findall(r"\b(?:est|les|des|une|dans|pour|por|que|los|las|der|und|nicht|ist)\b", text.lower())
    return bool(strange) or len(words) > 4


def serve(file: Path) -> Any:
    import xllamacpp as xl

    params = xl.CommonParams()  # pyright: ignore[reportAttributeAccessIssue]
    params.model.path = str(file)
    params.n_ctx, params.n_parallel, params.verbosity, params.warmup = 1024 * SLOTS, SLOTS, 0, False
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    return xl.Server(params)  # pyright: ignore[reportAttributeAccessIssue]


def answer(server: Any, question: str, system: str, sampling: dict[str, Any], seed: int) -> tuple[str, bool]:
    """What was said, and whether it ended by itself."""
    said: list[str] = []
    ended: list[bool] = []

    def take(chunk: dict[str, Any]) -> bool:
        for choice in chunk.get("choices", ()):
            said.append(choice.get("delta", {}).get("content") or "")
            if reason := choice.get("finish_reason"):
                ended.append(reason == "stop")
        return False

    messages = [{"role": "system", "content": system}] if system else []
    body = {
        "top_k": 40, "min_p": 0.05, "repeat_penalty": 1.0, **sampling, "seed": seed, "max_tokens": TOKENS,
        "messages": [*messages, {"role": "user", "content": question}], "stream": True, "cache_prompt": False,
    }  # fmt: skip
    server.handle_chat_completions(body, take)
    return "".join(said), bool(ended and ended[-1])


def chat(given: list[str]) -> None:
    """Print a line for each configuration."""
    parser = argparse.ArgumentParser("quality.py chat", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(CONFIGURATIONS))
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--show", action="store_true", help="print every answer")
    asked = parser.parse_args(given)
    home = Home.at(settings.load().home)
    server = serve(Store(home).path(Catalog.load(home).get(asked.model)))
    questions = tomllib.loads(QUESTIONS.read_text("utf-8"))
    tasks = [(kind, each, seed) for kind, rows in questions.items() for each in rows for seed in range(asked.seeds)]
    print(f"{len(tasks)} answers a row: good of all; " + ", ".join(questions) + "; did not end, repeats, not English")
    for name in asked.only:
        sampling = dict(CONFIGURATIONS[name])
        system = sampling.pop("system")

        def one(
            task: tuple[str, dict[str, str], int], system: str = system, sampling: dict[str, Any] = sampling
        ) -> tuple[str, bool]:
            return answer(server, task[1]["ask"], system, sampling, task[2] + 1)

        with ThreadPoolExecutor(SLOTS) as pool:
            answers = list(pool.map(one, tasks))
        good = dict.fromkeys(questions, 0)
        faults = [0, 0, 0]
        for (kind, row, _), (text, ended) in zip(tasks, answers, strict=True):
            found = [not ended, repeats(text) > 0.1, foreign(text)]
            faults = [count + fault for count, fault in zip(faults, found, strict=True)]
            right = bool(re.search(row["want"], text, re.IGNORECASE | re.DOTALL))
            good[kind] += right and not any(found)
            if asked.show:
                print("+" if right and not any(found) else "-", name, "|", row["ask"], "|", text.replace("\n", "⏎"))
        kinds = " ".join(f"{kind} {count}" for kind, count in good.items())
        print(f"{name:24} {sum(good.values()):4} of {len(tasks)}; {kinds}; {faults}", flush=True)
