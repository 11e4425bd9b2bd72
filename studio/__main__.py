"""`python -m studio`: the command line as a program. Owns the process: streams, encodings, exit code."""

from __future__ import annotations

import io
import os
import sys


def claim_stdout() -> None:
    """Keep stdout for results: what libraries print goes to stderr, whether from Python or from C.

    On a terminal both end up on the same screen, and line editing needs the stream as it is.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    if sys.stdout.isatty():
        return
    try:
        sys.stdout.flush()
        results = os.dup(sys.stdout.fileno())
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):  # no real streams to take apart
        return
    sys.stdout = io.TextIOWrapper(os.fdopen(results, "wb"), encoding="utf-8", errors="replace", newline=None)


def run() -> int:
    """The program. Returns the exit code."""
    claim_stdout()
    for name in ("HF_HUB_DISABLE_TELEMETRY", "HF_HUB_DISABLE_PROGRESS_BARS", "TRANSFORMERS_NO_ADVISORY_WARNINGS"):
        os.environ.setdefault(name, "1")
    from studio import proxies
    from studio.cli.console import leave_pipe
    from studio.cli.words import main

    proxies.settle(os.environ)
    try:
        code = main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        leave_pipe()
        return 0
    return code


if __name__ == "__main__":
    sys.exit(run())
