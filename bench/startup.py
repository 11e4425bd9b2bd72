"""How long a later `python start.py` takes until its page answers, and what it takes in memory, against bare Gradio.

Starts both in turn, so that a busy machine slows both alike, and compares medians. The bare app is one button,
run by the same Python of .venv; it pays neither for start.py nor for the studio.
"""

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
BARE = """
import sys
import gradio as gr
with gr.Blocks() as page:
    gr.Button("Run")
page.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True)
"""
SETTLE = 3.0
"""Seconds after the first answer until the memory is read."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="counted runs of each; one more warms the disk cache up")
    parser.add_argument("--most-ratio", type=float, default=1.5, help="fail above this ratio of seconds")
    parser.add_argument("--most-memory", type=float, default=80.0, help="fail above this difference in MB")
    options = parser.parse_args()

    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "STUDIO_OPEN_BROWSER": "0", "STUDIO_PREPARE": "0"}
    python = getattr(sys, "_base_executable", sys.executable)  # what a person types as "python", outside .venv
    with tempfile.TemporaryDirectory() as home:
        environment["STUDIO_HOME"] = home
        commands = {
            "studio": lambda port: ([python, str(ROOT / "start.py")], {"STUDIO_PORT": str(port)}),
            "bare": lambda port: ([sys.executable, "-c", BARE, str(port)], {}),
        }
        seconds: dict[str, list[float]] = {name: [] for name in commands}
        memory: dict[str, list[float]] = {name: [] for name in commands}
        for run in range(options.runs + 1):
            for name, command in commands.items():
                port = free_port()
                line, extra = command(port)
                took, megabytes = measure(line, environment | extra, port)
                print(
                    f"run {run}  {name:6}  {took:6.2f} s  {megabytes:6.1f} MB{'' if run else '  (not counted)'}",
                    flush=True,
                )
                if run:
                    seconds[name].append(took)
                    memory[name].append(megabytes)

    ratio = statistics.median(seconds["studio"]) / statistics.median(seconds["bare"])
    difference = statistics.median(memory["studio"]) - statistics.median(memory["bare"])
    print(f"seconds until the page answers: {ratio:.2f} times the bare app's (at most {options.most_ratio})")
    print(f"memory when idle: {difference:+.1f} MB against the bare app's (at most {options.most_memory:+.0f})")
    return int(ratio > options.most_ratio or difference > options.most_memory)


def measure(line: list[str], environment: dict[str, str], port: int) -> tuple[float, float]:
    """Seconds from the start of `line` until its page answers with 200, and its megabytes once it has settled."""
    began = time.perf_counter()
    with subprocess.Popen(line, env=environment, stdout=subprocess.DEVNULL) as process:
        try:
            while not answers(port):
                if process.poll() is not None:
                    raise SystemExit(f"{line} ended with exit code {process.returncode}")
                time.sleep(0.01)
            took = time.perf_counter() - began
            time.sleep(SETTLE)
            return took, megabytes(process.pid)
        finally:
            if process.poll() is None:
                for one in [*psutil.Process(process.pid).children(recursive=True), process]:
                    one.terminate()


def answers(port: int) -> bool:
    """True once the page at `port` is served."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
            return answer.status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


def megabytes(pid: int) -> float:
    """Memory that a process and its children have for themselves, with their part of what they share where known."""
    root = psutil.Process(pid)
    readings = [process.memory_full_info() for process in (root, *root.children(recursive=True))]
    return sum(getattr(reading, "pss", reading.uss) for reading in readings) / 1e6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


if __name__ == "__main__":
    sys.exit(main())
