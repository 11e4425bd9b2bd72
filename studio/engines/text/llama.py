"""GGUF models through llama.cpp (the package xllamacpp): chat and code completion, the fastest way on a CPU.

The library runs its server loop inside this process and hands out text through a callback. It answers several
requests at once, each in a slot with a context of its own (studio.engines.text.slots); the KV cache of what a slot has
read is kept, so a follow-up turn reads only what is new. It also opens a port on loopback, of which we use the
tokenizer alone: it gets a random key, and no web page may read from it.

What it reads is put together here, not by the library: its template and its tokens as for every other engine.

Options in the catalogue: `template_options`, passed to the chat template (`enable_thinking` and the like);
`keep_thinking`: true leaves <think> blocks of earlier turns in the prompt; `ask`: false
has a model that talks go on from left to right instead of being asked to fill a gap; `fim`: see studio.tasks.code.fim;
`mmproj`: the file beside the model through which it sees pictures; in a folder of its own one is found by its name.
`places`: how many requests are answered at once where the memory suffices, PLACES where it is missing.
Limits: `context`, in tokens; DEFAULT_CONTEXT where it is missing.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Container, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import psutil

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.engines.inside import NextTokens
from studio.engines.text import chat_templates, code_prompts, gguf, llama_eyes, prompts
from studio.engines.text.llama_answer import Answer
from studio.engines.text.llama_next import LlamaNext
from studio.engines.text.slots import Slots, shared
from studio.errors import StudioError
from studio.requests import ChatRequest, CodeRequest, Request, Task
from studio.results import Output, Usage
from studio.store.gguf import read_header
from studio.tasks.chat import structured
from studio.tasks.code.fim import fim_family

DEFAULT_CONTEXT = 8192
PLACES = 8
PIECE = 256  # tokens of a long prompt after which others have their turn
BATCH = 256  # tokens read between two looks at Stop: under a second on a slow CPU


class LlamaEngine:
    """Loads one `.gguf` file."""

    def weights(self, card: Card, files: Path) -> int:
        seeing = llama_eyes.find_mmproj(card, files)
        size = _gguf(files, card).stat().st_size + (seeing.stat().st_size if seeing else 0)
        return max(card.memory_bytes, round(size * 1.1) + 200_000_000)

    def sees(self, card: Card, files: Path | None) -> bool:
        return bool(card.options.get("mmproj")) if files is None else llama_eyes.find_mmproj(card, files) is not None

    def work(self, card: Card, request: Request) -> int:
        del card, request
        return 16_000_000  # the context's memory is taken at load and counted there

    def places(self, card: Card) -> int:
        return max(int(card.options.get("places", PLACES)), 1)

    def place_nbytes(self, card: Card, files: Path) -> int:
        file = _gguf(files, card)
        return context_nbytes(file, file.stat().st_mtime_ns) * _context(card)

    def load(
        self, card: Card, files: Path, device: Device, report: Callable[[float], None], places: int = 1
    ) -> LlamaModel:
        del report  # the library says nothing before it is done
        file = _gguf(files, card)
        with file.open("rb") as opened:
            if opened.read(4) != b"GGUF":
                raise StudioError("broken_model", model=card.title, reason=f"{file.name} is not a GGUF file")
        return LlamaModel(card, file, device, places, llama_eyes.find_mmproj(card, files))


class LlamaModel:
    """A GGUF model in memory. `run` may be called on as many threads at once as it has places."""

    def __init__(self, card: Card, file: Path, device: Device, places: int = 1, seeing: Path | None = None) -> None:
        llama_eyes.mark()  # before the library asks for it
        import xllamacpp

        xl: Any = xllamacpp  # its names come from a compiled module that type checkers cannot read
        process = psutil.Process()
        before = process.memory_full_info().uss
        self._card = card
        try:
            facts = gguf.read_facts(file)
        except ValueError as error:
            raise StudioError("broken_model", model=card.title, reason=f"{file.name}: {error}") from None
        self._fim = fim_family(facts.tokens.__contains__, str(card.options.get("fim", "")))
        self._context, self._slots = _context(card), Slots(places)
        params = xl.CommonParams()
        params.model.path = str(file)
        self._sees = seeing is not None
        if seeing is not None:
            params.mmproj.path, params.mmproj_use_gpu = str(seeing), device.kind != "cpu"
            params.image_max_tokens = llama_eyes.TOKENS
        params.n_ctx, params.n_parallel, params.kv_unified = self._context * places, places, False
        params.cache_ram_mib, params.cache_idle_slots = 0, False  # memory that nobody would count
        params.n_batch = params.n_ubatch = BATCH
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = device.threads
        params.n_gpu_layers = 0 if device.kind == "cpu" else -1
        if device.kind == "cuda":  # one card, as the books have it
            params.main_gpu, params.split_mode = device.index, xl.llama_split_mode.LLAMA_SPLIT_MODE_NONE
        params.reasoning_format = xl.common_reasoning_format.COMMON_REASONING_FORMAT_NONE
        params.verbosity = 0
        params.warmup = False
        params.offline = True
        params.chat_template, params.use_jinja = "chatml", False  # ours alone runs the file's own, in a sandbox
        self._key = key = secrets.token_hex(32)
        params.api_keys = [key]
        params.cors_origins = "http://localhost.invalid"
        params.ui = params.endpoint_slots = params.endpoint_props = params.endpoint_metrics = False
        try:
            self._server: Any = xl.Server(params)
        except Exception as error:
            raise StudioError("broken_model", model=card.title, reason=str(error).strip() or "unreadable") from None
        self.port_address: str = self._server.listening_address
        self._tokenizer = gguf.Tokenizer(self.port_address, key)
        try:
            self._reading = _Reading(facts, self._tokenizer, dict(card.options.get("template_options", {})))
        except chat_templates.Refused as error:
            raise StudioError("broken_model", model=card.title, reason=f"chat template: {error}") from None
        self._sizes = prompts.Sizes(self._reading)
        self._nbytes = max(process.memory_full_info().uss - before, file.stat().st_size)
        if device.kind == "cuda":  # what lies on a card is not the process's memory
            each = context_nbytes(file, file.stat().st_mtime_ns) * self._context
            self._nbytes = file.stat().st_size + each * places + (seeing.stat().st_size if seeing else 0)

    keeps_form = True

    def nbytes(self) -> int:
        return self._nbytes

    def close(self) -> None:
        self._tokenizer.close()
        self._server = None

    def run(self, request: Request, context: Context) -> Output:
        match request:
            case ChatRequest():
                return self._chat(request, context)
            case CodeRequest():
                return self._complete(request, context)
            case _:
                raise StudioError("wrong_task", model=self._card.title)

    def usage(self, request: ChatRequest) -> Usage:
        keep = bool(self._card.options.get("keep_thinking"))
        return prompts.usage(
            self._reading, request, self._sizes, self._context, keep_thinking=keep, picture=lambda _: llama_eyes.TOKENS
        )

    def next_tokens(self, context: Context) -> NextTokens:
        facts = self._reading
        return LlamaNext(
            facts.pieces, self._calling, self._slots, facts.ends, facts.vocabulary, self._card.title, context
        )

    def _chat(self, request: ChatRequest, context: Context) -> Output:
        most = request.max_tokens or 1
        prompt = prompts.chat(
            self._reading, request, self._sizes, self._context, context.check,
            keep_thinking=bool(self._card.options.get("keep_thinking")), title=self._card.title,
            picture=lambda _: llama_eyes.TOKENS,
        )  # fmt: skip
        if request.only_prompt:
            return prompt.shown()
        known = len(prompt.ids) + len(prompt.pictures) * llama_eyes.TOKENS
        body = {
            "n_predict": min(most, self._context - known),
            "temperature": request.temperature,
            "top_p": request.top_p,
            "top_k": request.top_k,
            "min_p": request.min_p,
            "repeat_penalty": request.repetition_penalty,
            "seed": _seed(request.seed),
            "stop": [*request.stop, *prompt.stops],
            **({"json_schema": structured.value(request.schema)} if request.schema else {}),
        }
        answer = Answer(context, self._card, context.text)
        if prompt.begun:
            context.text(prompt.begun)
            answer.parts.append(prompt.begun)
        if prompt.pictures:
            self._look(answer, prompt, body, context)
        else:
            self._take(answer, "chat", prompt.ids, body, context)
        output = answer.output(notes=prompt.notes)
        if output.finish == "length" and body["n_predict"] < most:
            return replace(output, notes=(*output.notes, ("context_end", {"limit": self._context})))
        return output

    def _complete(self, request: CodeRequest, context: Context) -> Output:
        filling = code_prompts.code(
            self._reading,
            request,
            self._fim,
            self._context,
            context.check,
            ask=bool(self._card.options.get("ask", True)),
            rewrites=bool(self._card.options.get("next_edit")),
        )
        if request.only_prompt or not filling.ids:
            return filling.shown()
        cleaner = filling.cleaner

        def show(delta: str) -> str:
            fresh = cleaner.feed(delta)
            context.text(fresh)
            return fresh

        body = {
            "n_predict": request.max_tokens,
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": _seed(request.seed),
            "stop": list(filling.stops),
            **({"logprobs": 1} if request.count > 1 else {}),
        }
        answer = Answer(context, self._card, show, enough=lambda: cleaner.ended)
        self._take(answer, "code", filling.ids, body, context)
        rest = cleaner.finish()
        context.text(rest)
        answer.parts.append(rest)
        return answer.output(notes=filling.notes)

    def _look(self, answer: Answer, prompt: prompts.Prompt, body: dict[str, Any], context: Context) -> None:
        """Have a conversation with pictures continued. All of it is read anew: a slot remembers tokens alone."""
        shown = llama_eyes.prompt(prompt.safe, prompt.pictures)
        with self._slots.taken([], "chat", context.check) as slot:
            slot.read = []
            answer.take(self._calling(slot.number), body | {"prompt": shown})

    def _calling(self, slot: int) -> Callable[..., None]:
        """What gives a slot a request. With eyes the library's own call takes neither pictures nor tokens."""

        def call(body: dict[str, Any], chunk: Callable[..., bool]) -> None:
            body = body | {"id_slot": slot}
            if self._sees:
                llama_eyes.ask(self.port_address, self._key, body, chunk)
            else:
                self._server.handle_completions(body, chunk)

        return call

    def _take(self, answer: Answer, task: Task, ids: list[int], body: dict[str, Any], context: Context) -> None:
        """Have `ids` continued. The last of them is read alone, as it is where the others were read before: many at
        once come out different by a hair, and a seed would give another answer the second time.

        Where others are answered meanwhile, it is read piece by piece: the library reads the prompts of its slots one
        after another, and a question of ten words would wait for a book.
        """
        with self._slots.taken(ids, task, context.check) as slot:
            call = self._calling(slot.number)
            known = min(shared(slot.read, ids), len(ids) - 1)
            while known < len(ids) - 1:
                known = min(known + PIECE, len(ids) - 1) if self._slots.several else len(ids) - 1
                slot.read = []
                if not answer.read(call, ids[:known]):
                    return
                slot.read = ids[:known]
            slot.read = ids
            answer.take(call, body | {"prompt": ids})


class _Reading:
    """The file's template and llama.cpp's tokenizer as the prompts ask for them, from several threads."""

    def __init__(self, facts: gguf.Facts, tokenizer: gguf.Tokenizer, options: dict[str, Any]) -> None:
        self.special = facts.special
        self._numbers = facts.tokens
        self._tokenizer, self._lock = tokenizer, threading.Lock()
        self._bos = self.first = facts.bos
        ends = {facts.eos, *(mark for mark in prompts.ENDS if mark in facts.special)}
        self.ends = frozenset(facts.tokens[mark] for mark in ends if mark in facts.tokens)
        self.vocabulary = len(facts.tokens)
        self._first = tokenizer.tokens("", opening=True)[:1]
        self.render = chat_templates.renderer(facts.template, facts.bos, facts.eos, options) if facts.template else None

    def tokens(self, text: str, *, special: bool = False, opening: bool = False) -> list[int]:
        if opening and self._first and self._bos:
            text = text.removeprefix(self._bos)  # many templates write what the tokenizer puts in front as well
        found: list[int] = []
        if text:
            with self._lock:  # it has one connection
                found = self._tokenizer.tokens(text, special=special)
        return [*self._first, *found] if opening else found

    def pieces(self, text: str) -> list[tuple[int, bytes]]:
        with self._lock:
            return self._tokenizer.pieces(text)

    def has(self, text: str) -> bool:
        return text in self._numbers

    def token(self, text: str) -> int:
        return self._numbers[text]


def _context(card: Card) -> int:
    return int(card.limits.get("context", DEFAULT_CONTEXT))


@lru_cache(maxsize=64)
def context_nbytes(file: Path, changed: int) -> int:
    """Bytes that a model remembers of each token that it has read; 0 where its header cannot be read.

    Keys and values of all layers, two bytes a number. Models that forget what lies far back take less than that.

    Args:
        changed: when the file was, so that another one of this name is looked at again.
    """
    del changed
    try:
        found = read_header(file, _Shape(), until="tokenizer.ggml.tokens").values
    except ValueError:
        return 0
    kind = found.get("general.architecture", "")

    def number(key: str, default: float) -> float:
        value = found.get(f"{kind}.{key}", default)
        many = value if isinstance(value, list) else [value]
        return max((one for one in many if isinstance(one, int | float)), default=default)

    heads = max(number("attention.head_count", 1), 1)
    each = number("embedding_length", 0) / heads
    wide = number("attention.key_length", each) + number("attention.value_length", each)
    return int(number("block_count", 0) * number("attention.head_count_kv", heads) * wide * 2)


class _Shape(Container[str]):
    """Asks a header for what tells how large a context is."""

    def __contains__(self, key: object) -> bool:
        return str(key).endswith(
            ("general.architecture", ".embedding_length", ".block_count", ".attention.head_count",
             ".attention.head_count_kv", ".attention.key_length", ".attention.value_length")
        )  # fmt: skip


def _seed(seed: int | None) -> int | None:
    """The library's seeds have 32 bits, and their largest means any: longer ones are folded."""
    return seed if seed is None else seed % (2**32 - 1)


def _gguf(files: Path, card: Card) -> Path:
    """The model's file: `files` itself, or the one (first shard) in the folder."""
    found = [files] if files.is_file() else sorted(_ggufs(files))
    if not found:
        raise StudioError("missing_files", model=card.title, file="*.gguf")
    return found[0]


def _ggufs(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob("**/*.gguf") if not path.name.startswith(("mmproj", ".")))
