"""Threads that wait: asleep, unless the person said otherwise."""

import os
import subprocess
import sys

from studio.devices import threads


def test_what_the_environment_says_stays():
    mine = {"OMP_WAIT_POLICY": "ACTIVE"}
    threads.settle(mine)
    assert mine == {"OMP_WAIT_POLICY": "ACTIVE"}
    plain: dict[str, str] = {}
    threads.settle(plain)
    assert plain == {"OMP_WAIT_POLICY": "PASSIVE"}


def test_the_command_line_and_the_page_settle_it_before_anything_is_loaded():
    for code in ("import app", "from studio.__main__ import run; import sys; sys.argv = ['studio', '--help']; run()"):
        seen = "; import os, sys; assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'; assert 'torch' not in sys.modules"
        environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
        done = subprocess.run(
            [sys.executable, "-c", code + seen], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
