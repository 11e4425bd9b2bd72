"""What one card gives through the studio, and what it gives to the bare libraries in the same run. About ten minutes.

Prints a row for each figure: the library's, the studio's, and the ratio of the two, above 1 where the studio is
better. Both take turns and the median of the rounds counts. The models have random weights of real sizes, which take
the same time as trained ones: a Llama of 362 million parameters, a Stable Diffusion 1.5, MusicGen small, BLIP base.
Where there is no card, the figures are the processor's, which is said; `--tiny` takes models of a few thousand
parameters, to try the script.

`faster` rows have the ways that are off until somebody switches them on (docs/gpu.md). On a processor they cost
minutes of compiling: `--faster` asks for them there.

    python bench/gpu.py [--tiny] [--rounds 3] [--device auto] [--faster] [--json FILE]
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "models"))

import big
import music as music_bench
from PIL import Image

from studio import settings
from studio.catalog.card import Card
from studio.devices import memory
from studio.devices.detect import detect, physical_cores
from studio.devices.device import Device
from studio.devices.peak_memory import measuring
from studio.engines.base import TakesSeveral, engine
from studio.engines.shared import quantise
from studio.request_parts import Message
from studio.requests import CaptionRequest, ChatRequest, ImageRequest, MusicRequest, Request
from studio.service import Studio

TASKS = {"chat": "text", "image": "diffusion", "music": "musicgen", "caption": "caption"}
"""Task -> engine."""
TOGETHER = 4
"""Chats that are asked at once."""


@dataclass(frozen=True)
class Size:
    """How much is asked for."""

    tokens: int
    side: int
    steps: int
    seconds: float
    captions: int


REAL, TINY = Size(128, 512, 20, 5.0, 16), Size(24, 64, 3, 1.0, 4)


@dataclass(frozen=True)
class Row:
    """One figure, measured of both.

    Attributes:
        more: whether more is better.
    """

    name: str
    unit: str
    library: float
    studio: float
    more: bool = True

    @property
    def ratio(self) -> float:
        """Above 1 where the studio is better."""
        better, worse = (self.studio, self.library) if self.more else (self.library, self.studio)
        return better / worse if worse else 0.0


class Always:
    """The faster way always pays: it is what is measured."""

    def pays(self, shape: str) -> bool:
        del shape
        return True

    def took(self, shape: str, fast: bool, seconds: float) -> None:
        del shape, fast, seconds

    def failed(self, shape: str) -> None:
        raise SystemExit(f"The faster way of {shape} does not work on this machine.")


class Bench:
    """Both sides with the same files.

    Args:
        folder: where the models are written.
    """

    def __init__(self, folder: Path, device: Device, size: Size, rounds: int) -> None:
        self.folder, self.device, self.size, self.rounds = folder, device, size, rounds
        self.dtype = "float16" if device.kind == "cuda" else "float32"
        self.bare: dict[str, Any] = {}
        self.written = 0  # tokens, since it was set to nothing
        home = folder / "home"
        home.mkdir()
        tables = [
            f'[models.{task}]\ntask = "{task}"\nengine = "{kind}"\npath = "{(folder / task).as_posix()}"\n'
            f'options = {{ dtype = "{self.dtype}" }}\n'
            for task, kind in TASKS.items()
        ]
        (home / "models.toml").write_text("\n".join(tables), encoding="utf-8")
        wanted: Any = device.kind
        self.studio = Studio(settings.Settings(home=home, device=wanted, threads=device.threads, keep_alive=-1))
        buffer = io.BytesIO()
        Image.effect_noise((224, 224), 60).convert("RGB").save(buffer, "PNG")
        self.picture = buffer.getvalue()

    def card(self, task: str) -> Card:
        return self.studio.catalog.get(task)

    def paired(self, library: Callable[[], float], ours: Callable[[], float]) -> tuple[float, float]:
        """The medians of what both return, by turns; the first of each is not counted."""
        library(), ours()
        pairs = [(library(), ours()) for _ in range(self.rounds)]
        return statistics.median(one for one, _ in pairs), statistics.median(one for _, one in pairs)

    # ---- requests

    def request(self, task: str, number: int = 0) -> Any:
        """The same for both sides."""
        size = self.size
        found: dict[str, Request] = {
            "chat": ChatRequest(
                messages=(Message("user", f"hello world a red heart {'a ' * number}"),), model="chat",
                max_tokens=size.tokens, temperature=0.0, top_p=1.0, top_k=0, min_p=0.0, repetition_penalty=1.0,
                system="", seed=1,
            ),
            "image": ImageRequest(
                prompt="a red heart", model="image", width=size.side, height=size.side, steps=size.steps,
                guidance_scale=5.0, seed=1, count=1,
            ),
            "music": MusicRequest(
                prompt="red heart", model="music", duration=size.seconds, guidance_scale=3.0, temperature=1.0,
                top_k=250, seed=1, count=1,
            ),
            "caption": CaptionRequest(image=self.picture, model="caption", max_tokens=12, temperature=0.0, seed=1),
        }  # fmt: skip
        return found[task]

    def ours(self, task: str) -> float:
        """Seconds of one job, until its result is kept."""
        began = time.perf_counter()
        self.studio.submit(self.request(task)).result()
        return time.perf_counter() - began

    # ---- rows

    def rows(self, faster: bool) -> Iterator[Row]:
        """Each figure as it is measured."""
        yield from self.loads()
        self.bare = {task: self.library(task) for task in TASKS}
        yield from self.chats()
        seconds = self.paired(self.bare_image, lambda: self.ours("image"))
        yield Row("picture", "s", *seconds, more=False)
        yield Row("painting", "steps/s", *(self.size.steps / one for one in seconds))
        seconds = self.paired(self.bare_music, lambda: self.ours("music"))
        yield Row("music", "s of sound/s", *(self.size.seconds / one for one in seconds))
        yield from self.captions()
        yield from self.peaks()
        if faster:
            yield from self.faster()

    def loads(self) -> Iterator[Row]:
        """From the disk to the device; the system has the files cached."""
        for task in TASKS:
            seconds = self.paired(partial(self.loading, task, True), partial(self.loading, task, False))
            yield Row(f"load of {task}", "s", *seconds, more=False)
        if self.device.kind == "cuda":
            for task in TASKS:
                seconds = self.paired(partial(self.loading, task, True), partial(self.loading, task, False, True))
                yield Row(f"straight load of {task}", "s", *seconds, more=False)

    def loading(self, task: str, library: bool, straight: bool = False) -> float:
        card, began = self.card(task), time.perf_counter()
        if library:
            model: Any = self.library(task)
        else:
            card = replace(card, options={**card.options, "straight": straight})
            model = engine(card.engine).load(card, self.folder / task, self.device, lambda _: None)
        self.settled()
        took = time.perf_counter() - began
        if not library:
            model.close()
        del model
        memory.collect()
        return took

    def chats(self) -> Iterator[Row]:
        firsts: list[float] = []

        def library() -> float:
            first, rate = self.bare_chat()
            firsts.append(first)
            return rate

        heard: list[float] = []

        def ours() -> float:
            first, rate = self.our_chat()
            heard.append(first)
            return rate

        rates = self.paired(library, ours)
        yield Row("chat", "tokens/s", *rates)
        yield Row("first token", "ms", *(statistics.median(one[1:]) * 1000 for one in (firsts, heard)), more=False)
        yield Row(f"{TOGETHER} chats at once", "tokens/s", *self.paired(self.bare_chats, self.our_chats))

    def our_chat(self, number: int = 0) -> tuple[float, float]:
        began, times = time.perf_counter(), []
        for update in self.studio.submit(self.request("chat", number), session=str(number)).events():
            if update.step and len(times) < update.step:
                times += [time.perf_counter()] * (update.step - len(times))
        self.written += len(times)
        return times[0] - began, _rate(times)

    def our_chats(self) -> float:
        """Tokens a second of several who ask at once."""
        threads = [threading.Thread(target=self.our_chat, args=(number,)) for number in range(TOGETHER)]
        self.written, began = 0, time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self.written / (time.perf_counter() - began)

    def bare_chats(self) -> float:
        """What the library does with them: one after another."""
        self.written, began = 0, time.perf_counter()
        for number in range(TOGETHER):
            self.bare_chat(number)
        return self.written / (time.perf_counter() - began)

    def captions(self) -> Iterator[Row]:
        count = self.size.captions
        request = self.request("caption")
        seconds = self.paired(lambda: self.bare_captions(1), lambda: sum(self.ours("caption") for _ in range(count)))
        yield Row("captions, one by one", "captions/s", *(count / one for one in seconds))
        model = self.loaded("caption")
        if isinstance(model, TakesSeveral):
            each = min(8, count)
            quiet: Any = import_module("train.quiet").Quiet()

            def together() -> float:
                began = time.perf_counter()
                for start in range(0, count, each):
                    model.run_many([request] * min(each, count - start), quiet)  # pyright: ignore[reportAttributeAccessIssue]
                return time.perf_counter() - began

            seconds = self.paired(lambda: self.bare_captions(each), together)
            yield Row(f"captions, {each} at once", "captions/s", *(count / one for one in seconds))
        model.close()

    def peaks(self) -> Iterator[Row]:
        """The most memory that a run takes on top of the model."""
        for task, library in (("chat", self.bare_chat), ("image", self.bare_image), ("music", self.bare_music)):
            found = []
            for run in (library, partial(self.ours, task)):
                with measuring(self.device, fresh=True) as peak:
                    run()
                found.append((peak.nbytes or 0) / 1e6)
            yield Row(f"peak of {task}", "MB", *found, more=False)

    def faster(self) -> Iterator[Row]:
        """The faster ways, against the library as it comes."""
        quiet: Any = import_module("train.quiet").Quiet()
        for task, unit, amount, library in (
            ("chat", "tokens/s", self.size.tokens, lambda: self.size.tokens / self.bare_chat()[1]),
            ("image", "steps/s", self.size.steps, self.bare_image),
            ("music", "s of sound/s", self.size.seconds, self.bare_music),
        ):
            model = self.loaded(task)
            model.hasten(Always())

            def ours(task: str = task, model: Any = model) -> float:
                began = time.perf_counter()
                output = model.run(self.request(task), quiet)
                rate = output.stats.get("tokens_per_second") if task == "chat" else None
                return self.size.tokens / rate if rate else time.perf_counter() - began

            seconds = self.paired(library, ours)
            yield Row(f"faster {task}", unit, *(amount / one for one in seconds))
            model.close()

    # ---- the bare libraries

    def loaded(self, task: str) -> Any:
        card = self.card(task)
        return engine(card.engine).load(card, self.folder / task, self.device, lambda _: None)

    def library(self, task: str) -> Any:
        """A model as its library loads it, on the device."""
        import torch
        import transformers

        files, dtype, where = self.folder / task, getattr(torch, self.dtype), str(self.device)
        if task == "image":
            from diffusers import DiffusionPipeline

            pipe: Any = DiffusionPipeline.from_pretrained(files, dtype=dtype)
            pipe.set_progress_bar_config(disable=True)
            return pipe.to(where)
        kinds: dict[str, Any] = {
            "chat": transformers.AutoModelForCausalLM,
            "music": transformers.MusicgenForConditionalGeneration,
            "caption": transformers.BlipForConditionalGeneration,
        }
        return kinds[task].from_pretrained(files, dtype=dtype).to(where).eval()

    def bare_chat(self, number: int = 0) -> tuple[float, float]:
        import torch
        from transformers import AutoTokenizer, StoppingCriteriaList

        tokenizer: Any = AutoTokenizer.from_pretrained(self.folder / "chat")
        words = [{"role": "user", "content": self.request("chat", number).messages[0].content}]
        given = tokenizer.apply_chat_template(words, add_generation_prompt=True, return_tensors="pt", return_dict=True)
        times: list[float] = []

        def look(sequences: Any, _: Any, **__: Any) -> Any:
            times.append((int(sequences[0, -1]), time.perf_counter())[1])  # reading it waits for the device
            return torch.zeros(len(sequences), dtype=torch.bool, device=sequences.device)

        began = time.perf_counter()
        with torch.inference_mode():
            self.bare["chat"].generate(
                **given.to(str(self.device)), max_new_tokens=self.size.tokens, do_sample=False, eos_token_id=None,
                pad_token_id=0, stopping_criteria=StoppingCriteriaList([look]),
            )  # fmt: skip
        self.written += len(times)
        return times[0] - began, _rate(times)

    def bare_image(self) -> float:
        import torch

        request, began = self.request("image"), time.perf_counter()
        self.bare["image"](
            request.prompt, width=request.width, height=request.height, num_inference_steps=request.steps,
            guidance_scale=request.guidance_scale, generator=torch.Generator("cpu").manual_seed(1),
        )  # fmt: skip
        return time.perf_counter() - began

    def bare_music(self) -> float:
        import torch
        from transformers import AutoTokenizer

        model = self.bare["music"]
        given: Any = AutoTokenizer.from_pretrained(self.folder / "music")(["red heart"], return_tensors="pt")
        frames = round(self.size.seconds * model.config.audio_encoder.frame_rate)
        began = time.perf_counter()
        torch.manual_seed(1)
        with torch.inference_mode():
            sound = model.generate(
                input_ids=given.input_ids.to(model.device), attention_mask=given.attention_mask.to(model.device),
                max_new_tokens=frames + model.config.decoder.num_codebooks - 1, do_sample=True, guidance_scale=3.0,
                top_k=250,
            )  # fmt: skip
        sound.cpu()
        return time.perf_counter() - began

    def bare_captions(self, each: int) -> float:
        import torch
        from transformers import AutoTokenizer, BlipProcessor
        from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

        files, count, model = self.folder / "caption", self.size.captions, self.bare["caption"]
        pictures, words = BlipImageProcessorPil.from_pretrained(files), AutoTokenizer.from_pretrained(files)
        processor: Any = BlipProcessor(pictures, words)
        began = time.perf_counter()
        with torch.inference_mode():
            for start in range(0, count, each):
                shown = [Image.open(io.BytesIO(self.picture)).convert("RGB")] * min(each, count - start)
                given = processor(images=shown, return_tensors="pt").to(model.device, model.dtype)
                made = model.generate(**given, max_new_tokens=12, do_sample=False)
                processor.batch_decode(made, skip_special_tokens=True)
        return time.perf_counter() - began

    def settled(self) -> None:
        """Wait for the device."""
        import torch

        if self.device.kind == "cuda":
            torch.cuda.synchronize(self.device.index)


def write_models(folder: Path, tiny: bool) -> None:
    """A model of each task, with random weights."""
    import torch

    torch.manual_seed(0)
    if tiny:
        from tiny import CHAT_TEMPLATE, byte_tokenizer, tiny_llama
        from tiny_captioners import blip
        from tiny_musicgen import save_musicgen
        from tiny_pipelines import stable_diffusion

        tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", template=CHAT_TEMPLATE)
        tokenizer.save_pretrained(folder / "chat")
        tiny_llama(len(tokenizer)).save_pretrained(folder / "chat")
        stable_diffusion().save_pretrained(folder / "image")
        save_musicgen(folder / "music")
        blip(folder / "caption")
        return
    big.big_model(folder / "chat", "text")
    big.big_model(folder / "image", "image")
    (folder / "music").mkdir()
    music_bench.random_small(folder / "music")
    large_blip(folder / "caption")


def large_blip(folder: Path) -> None:
    """A BLIP of the base model's size, with a tokenizer of few words."""
    from transformers import BertTokenizerFast, BlipConfig, BlipForConditionalGeneration, BlipProcessor
    from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[DEC]", "a", "photo", "of", "red", "heart", "cat"]
    words += [f"word{number}" for number in range(30_524 - len(words))]
    marks = {"vocab_size": len(words), "bos_token_id": 5, "pad_token_id": 0, "eos_token_id": 3, "sep_token_id": 3}
    model: Any = BlipForConditionalGeneration(BlipConfig(text_config=marks, vision_config={"image_size": 384}))
    model.save_pretrained(folder)
    tokenizer = BertTokenizerFast(vocab={word: index for index, word in enumerate(words)})
    BlipProcessor(BlipImageProcessorPil(size={"height": 384, "width": 384}), tokenizer).save_pretrained(folder)


def _rate(times: list[float]) -> float:
    return (len(times) - 1) / max(times[-1] - times[0], 1e-9)


def main(arguments: list[str] | None = None) -> list[Row]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="models of a few thousand parameters")
    parser.add_argument("--rounds", type=int, default=3, help="by turns; the median counts")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--faster", action="store_true", help="the faster ways on a processor as well")
    parser.add_argument("--json", type=Path, help="a file for the rows")
    options = parser.parse_args(arguments)
    for library in ("diffusers", "transformers"):
        quiet = import_module(f"{library}.utils.logging")
        quiet.set_verbosity_error()
        quiet.disable_progress_bar()
    quantise.quiet()
    device = replace(detect(options.device)[0], threads=physical_cores())
    size = TINY if options.tiny else REAL
    print(f"device  {device.name}, {memory.read_memory(device).free / 1e9:.1f} GB free")
    if device.kind == "cpu":
        print("No card: these are the processor's figures, and say nothing of one.")
    if options.tiny:
        print("Tiny models: the figures are of the script and not of any model.")
    print(f"{'':<24}{'library':>10}{'studio':>10}  {'':<14}ratio (above 1: the studio is better)")
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        write_models(Path(folder), options.tiny)
        bench = Bench(Path(folder), device, size, options.rounds)
        with bench.studio:
            for row in bench.rows(options.faster or device.kind == "cuda"):
                print(
                    f"{row.name:<24}{row.library:>10.3f}{row.studio:>10.3f}  {row.unit:<14}{row.ratio:.2f}", flush=True
                )
                rows.append(row)
    if options.json:
        table = [asdict(row) | {"ratio": row.ratio} for row in rows]
        options.json.write_text(json.dumps({"device": device.name, "rows": table}, indent=1), encoding="utf-8")
    return rows


if __name__ == "__main__":
    main()
