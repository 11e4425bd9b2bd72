"""Threads of sums: how those wait that share one, on a machine that has other things to do.

The libraries part a sum over the cores, many times a millisecond, and a thread that is done waits for the others. By
default it does so by asking again and again, which is quickest while every core is free. Where another program has one
of them, both wait for each other's turn: two threads are then slower than one by far (docs/decisions/079-gpu.md). Told
to sleep, they are not.
"""

from __future__ import annotations

from collections.abc import MutableMapping


def settle(environment: MutableMapping[str, str]) -> None:
    """Have threads that wait sleep, in this process and all that it starts. Before anything loads torch or llama.cpp.

    What the person's environment says stays.
    """
    environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
