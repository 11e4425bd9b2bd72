"""An engine for tests of models in processes of their own: does what the message says, the worst included."""

from __future__ import annotations

import ctypes
import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from studio.catalog.card import Card
from studio.devices.device import Device
from studio.engines.base import Context
from studio.errors import StudioError
from studio.requests import ChatRequest
from studio.results import Output, Usage


class OutOfMemoryError(RuntimeError):
    """Called like the one of torch."""


class ProbeEngine:
    def weights(self, card: Card, files: Path) -> int:
        return 10

    def work(self, card: Card, request: Any) -> int:
        return 1

    def load(self, card: Card, files: Path, device: Device, report: Callable[[float], None]) -> ProbeModel:
        if error := card.options.get("error"):
            raise StudioError("broken_model", model=card.title, reason=error)
        if card.options.get("crash"):
            os.abort()
        report(0.5)
        if card.options.get("hang"):
            ctypes.PyDLL(None).sleep(600)  # a native call that keeps the interpreter to itself
        return ProbeModel(device)


class ProbeModel:
    def __init__(self, device: Device) -> None:
        self._where, self._parked = device, False

    def nbytes(self) -> int:
        return 0 if self._parked else 10

    def parked_nbytes(self) -> int | None:
        return 7

    def park(self) -> None:
        self._parked = True

    def place(self) -> None:
        self._parked = False

    def together(self, request: Any) -> int:
        return 3

    def usage(self, request: ChatRequest) -> Usage:
        return Usage(len(request.messages), 9, exact=True, left_out=(1, 2))

    def run_many(self, requests: Sequence[Any], context: Context) -> list[Output]:
        context.step(len(requests), 0)
        return [Output(text=request.messages[-1].content) for request in requests]

    def close(self) -> None:
        """Nothing to drop."""

    def run(self, request: ChatRequest, context: Context) -> Output:
        context.step(1, 2)
        return getattr(self, f"_{request.messages[-1].content}")(context)

    def _facts(self, context: Context) -> Output:
        names = ("HF_HUB_OFFLINE", "DO_NOT_TRACK", "HF_TOKEN", "STUDIO_PASSWORD")
        folders = map(str, context.adapters)
        facts = [str(self._where.threads), *folders, *(os.environ.get(name, "unset") for name in names)]
        return Output(text=" ".join(facts))

    def _everything(self, context: Context) -> Output:
        context.text("said")
        context.preview(Image.new("RGB", (8, 4), "red"))
        context.sound(np.full((2, 5), 0.25, dtype=np.float32), 8000)
        return Output(text="said")

    def _talkative(self, context: Context) -> Output:
        print("printed by a library")
        sys.stderr.write("complained by a library\n")
        os.write(1, b"printed by native code\n")
        sys.stdout.flush()
        logging.getLogger("library").warning("logged by a library")
        return Output(text="done")

    def _skips(self, context: Context) -> Output:
        while not context.skipped():
            time.sleep(0.005)
        return Output(text=f"skipped, then {context.skipped()}")

    def _quiet(self, context: Context) -> Output:
        time.sleep(0.5)
        return Output(text="slept")

    def _asks(self, context: Context) -> Output:
        return Output(text=f"stop {context.cancelled}, skip {context.skipped()}")

    def _breathes(self, context: Context) -> Output:
        context.alive()
        return Output()

    def _large(self, context: Context) -> Output:
        data = np.ones(80_000_000, dtype=np.uint8)
        time.sleep(0.1)  # whoever looks now and then has to have a chance
        return Output(text=str(data.size))

    def _waits(self, context: Context) -> Output:
        while not context.cancelled:
            time.sleep(0.005)
        return Output(text="half", finish="cancelled")

    def _obeys(self, context: Context) -> Output:
        while True:
            context.check()
            time.sleep(0.005)

    def _deaf(self, context: Context) -> Output:
        ctypes.PyDLL(None).sleep(600)  # a native call that keeps the interpreter to itself
        return Output()

    def _breaks(self, context: Context) -> Output:
        ctypes.string_at(0)
        return Output()

    def _memory(self, context: Context) -> Output:
        raise MemoryError("no more")

    def _device(self, context: Context) -> Output:
        raise OutOfMemoryError("no more on the device")

    def _bug(self, context: Context) -> Output:
        raise ValueError("a bug of ours")

    def _refused(self, context: Context) -> Output:
        raise StudioError("context_full", model="Probe", count=9, limit=8)

    def _alien(self, context: Context) -> Output:
        return Output(stats={"odd": object()})  # pyright: ignore[reportArgumentType]

    def _quits(self, context: Context) -> Output:
        os._exit(3)
