"""A training run with a budget of minutes that can be cut off at any moment and goes on where it was."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch

_SAVE_SECONDS = 120
_SAY_SECONDS = 30


class Run:
    """The loop's clock, optimiser, average and checkpoint.

    The learning rate warms up, stays, and falls to zero as a cosine over the second half of the budget. A run that
    was cut off counts its earlier minutes; a finished one that gets more minutes starts its clock anew.

    Args:
        file: the checkpoint.
        average: decay of the exponential moving average of the weights; 0 keeps none.
    """

    def __init__(self, file: Path, model: Any, optimiser: Any, minutes: float, average: float = 0.0) -> None:
        self._file, self._model, self._optimiser, self._seconds = file, model, optimiser, minutes * 60
        self._decay = average
        self.step, self._spent = 0, 0.0
        self.average: dict[str, torch.Tensor] = {}
        if file.is_file():
            state = torch.load(file, map_location="cpu", weights_only=True)
            model.load_state_dict(state["model"])
            optimiser.load_state_dict(state["optimiser"])
            for group in optimiser.param_groups:  # how it computes is this run's choice, not the checkpoint's
                group["fused"] = optimiser.defaults["fused"]
            self.step, self._spent, self.average = state["step"], state["spent"], state["average"]
            if self._spent >= self._seconds:
                self._spent = 0.0
        device = next(model.parameters()).device
        if average:
            self.average = {k: v.to(device) for k, v in (self.average or model.state_dict()).items()}
            self.average = {k: v.clone() for k, v in self.average.items()}
        self._began = self._saved = self._said = time.monotonic()
        self._first = self.step

    def begin(self) -> None:
        """The clock starts here: what was made ready before is not training."""
        self._began = self._saved = self._said = time.monotonic()

    @property
    def fraction(self) -> float:
        """How much of the budget is spent, 0..1."""
        return min(1.0, (self._spent + time.monotonic() - self._began) / self._seconds)

    def going(self) -> bool:
        """There is time for another step. Saves at the end."""
        if self.fraction < 1:
            return True
        self.save()
        return False

    def update(self, loss: torch.Tensor, rate: float, note: str) -> None:
        """One optimiser step; says how it goes every half minute."""
        fall = max(0.0, self.fraction * 2 - 1)
        for group in self._optimiser.param_groups:
            group["lr"] = rate * min(1.0, (self.step + 1) / 100) * 0.5 * (1 + math.cos(math.pi * fall))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self._model.parameters(), 1.0)
        self._optimiser.step()
        self._optimiser.zero_grad(set_to_none=True)
        self.step += 1
        if self._decay:
            decay = min(self._decay, (self.step + 1) / (self.step + 10))
            with torch.no_grad():
                for name, value in self._model.state_dict().items():
                    self.average[name].lerp_(value, 1 - decay)
        now = time.monotonic()
        if now - self._said > _SAY_SECONDS:
            pace = (self.step - self._first) / (now - self._began)
            said = (f"step {self.step}", f"{self.fraction:.0%}", f"loss {loss.item():.4f}", note, f"{pace:.2f} steps/s")
            print("  ".join(said), flush=True)
            self._said = now
        if now - self._saved > _SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Write the checkpoint, whole or not at all."""
        spent = self._spent + time.monotonic() - self._began
        state = {
            "model": self._model.state_dict(), "optimiser": self._optimiser.state_dict(),
            "step": self.step, "spent": spent, "average": self.average,
        }  # fmt: skip
        part = self._file.with_suffix(".part")
        torch.save(state, part)
        part.replace(self._file)
        self._saved = time.monotonic()
