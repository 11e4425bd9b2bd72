"""A process that holds one model: `python -m studio.manager.backends.process.worker`, started by its `proxy` only.

It reads messages from its standard input and answers on its standard output. What libraries print goes to standard
error, which the studio writes into its log. When its input ends, because the studio ended, it ends too.

    in   load, run, run_many, together, usage, park, place, close · stop, skip
    out  answer, failed · report, alive, step, text, sound, preview, log
"""

from __future__ import annotations

import ctypes
import faulthandler
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from studio.catalog.card import Card
from studio.catalog.engines import ENGINES, EngineFacts
from studio.devices import memory
from studio.devices.device import Device
from studio.devices.peak_memory import measuring
from studio.engines.base import Loaded, Parkable, engine
from studio.manager.backends.process.wire import HELLO, Channel, Closed
from studio.manager.backends.telling import Teller, failed

_PR_SET_PDEATHSIG = 1  # prctl(2)


class Worker:
    """Carries out what the studio asks for, one message after another, on the process's main thread."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._inbox: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self._stop, self._skip = threading.Event(), threading.Event()
        self._model: Loaded | None = None
        self._device = Device("cpu")

    def serve(self) -> None:
        """Until `close`. Where the studio is gone, the process ends without coming back from here."""
        threading.Thread(target=self._listen, name="listener", daemon=True).start()
        while True:
            op, *values = self._inbox.get()
            self._answer(op, values)
            values.clear()
            if op == "close":
                return
            _tidy()

    def _listen(self) -> None:
        """Stop and Skip count at once, whatever the main thread does; everything else waits for its turn."""
        while True:
            try:
                message = self._channel.receive()
            except Closed:
                os._exit(0)  # the studio is gone; nobody would read a result
            if message[0] == "stop":
                self._stop.set()
            elif message[0] == "skip":
                self._skip.set()
            else:
                self._stop.clear()
                self._skip.clear()
                self._inbox.put(message)

    def _answer(self, op: str, values: list[Any]) -> None:
        told: tuple[Any, ...]
        try:
            result = getattr(self, f"do_{op}")(*values)
            told = ("answer", result, *self._sizes())
        except BaseException as error:
            told = failed(error)
        if told[:2] == ("failed", "other"):
            memory.collect()  # after the except block, which keeps the frames of the failure and their tensors
        try:
            self._channel.send(*told)
        except TypeError as error:
            self._channel.send(*failed(error))

    def _sizes(self) -> tuple[int, int | None]:
        """What the model occupies now, and what it would occupy when parked."""
        if self._model is None:
            return 0, None
        parked = self._model.parked_nbytes() if isinstance(self._model, Parkable) else None
        return self._model.nbytes(), parked

    # ---- what can be asked for

    def do_load(self, place: str, card: Card, files: Path, device: Device) -> list[str]:
        """Load the model. Answers what it can beyond the three methods that every model has."""
        ENGINES.setdefault(card.engine, EngineFacts(place=place))
        self._device = device
        self._model = engine(card.engine).load(
            card, files, device, lambda fraction: self._channel.send("report", fraction)
        )
        abilities = ("together", "run_many", "usage", "keeps_form")
        return [name for name in abilities if getattr(self._model, name, False)]

    def do_run(self, request: Any, adapters: tuple[Path, ...], previews: bool, fresh: bool) -> tuple[Any, int | None]:
        """The output, and the most bytes that it took to make."""
        return self._measured(self._loaded.run, request, adapters, previews, fresh)

    def do_run_many(
        self, requests: Any, adapters: tuple[Path, ...], previews: bool, fresh: bool
    ) -> tuple[Any, int | None]:
        return self._measured(self._loaded.run_many, requests, adapters, previews, fresh)

    def do_together(self, request: Any) -> int:
        return int(self._loaded.together(request))

    def do_usage(self, request: Any) -> Any:
        return self._loaded.usage(request)

    def do_park(self) -> None:
        self._loaded.park()
        memory.collect()

    def do_place(self) -> None:
        self._loaded.place()

    def do_close(self) -> None:
        model, self._model = self._model, None
        if model is not None:
            model.close()

    @property
    def _loaded(self) -> Any:
        assert self._model is not None
        return self._model

    def _measured(
        self, run: Callable[..., Any], asked: Any, adapters: tuple[Path, ...], previews: bool, fresh: bool
    ) -> tuple[Any, int | None]:
        context = Teller(self._channel, self._stop, self._skip, adapters, previews)
        with measuring(self._device, fresh) as peak:
            output = run(asked, context)
        return output, peak.nbytes


class _Log(logging.Handler):
    """Records go to the studio's log, at their own level and under their own name."""

    def __init__(self, channel: Channel) -> None:
        super().__init__()
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._channel.send("log", record.levelno, record.name, self.format(record))
        except Closed:
            return


def _tidy() -> None:
    """Between two requests only the weights stay: what torch caches on a device is nobody else's in this process."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


def _claim() -> Channel:
    """Keep the two standard streams to ourselves; what is printed goes to standard error from here on."""
    reading, writing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    writing.write(HELLO)
    return Channel(reading, writing)


def _end_with_studio() -> None:
    """Have Linux end this process with the thread that started it, a device's lane, which lives as long as the studio.

    The listener sees the end of its input everywhere, unless native code hangs and holds the interpreter's lock: then
    no thread of Python runs, and a killed studio would leave a process that computes for ever.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the studio decides when this ends
    _end_with_studio()
    channel = _claim()
    with suppress(OSError):  # only Linux asks; where memory runs out there, this goes and not the studio
        badness = Path("/proc/self/oom_score_adj")
        badness.write_text(str(min(int(badness.read_text()) + 300, 1000)))
    faulthandler.enable()  # a crash in native code leaves its place in the log
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[_Log(channel)])
    with suppress(Closed):
        Worker(channel).serve()
    logging.shutdown()
    os._exit(0)  # libraries' own tidying up may hang or crash, and there is nothing left to lose


if __name__ == "__main__":
    main()
