"""A model is loaded while a prompt's tokens are counted: both import the same library for the first time."""

from __future__ import annotations

import subprocess
import sys

import pytest

from studio.settings import ROOT

TOGETHER = """
import threading
from studio.engines.shared.torch_loading import library
import torch
start, failed = threading.Barrier(4), []
def ask(name, wanted):
    start.wait()
    try:
        getattr(library(name), wanted)
    except Exception as error:
        failed.append(repr(error))
asked = [("transformers.utils.logging", "set_verbosity_error"), ("transformers", "AutoTokenizer"),
         ("diffusers", "AutoencoderKL"), ("transformers", "BertModel")]
threads = [threading.Thread(target=ask, args=one) for one in asked]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert not failed, failed
"""


@pytest.mark.parametrize("turn", range(2))
def test_all_who_import_a_library_at_once_get_all_of_it(turn: int) -> None:
    done = subprocess.run([sys.executable, "-c", TOGETHER], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{turn}: {done.stderr[-2000:]}"
