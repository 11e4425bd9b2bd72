"""The lab on this machine, with the starters in memory: how long each experiment takes until its first picture, each of
its sliders until it has its answer, and a picture of the GAN; each beside the bound that it is held to.

Asked as the page asks, so with all that is drawn and packed for it. Of each run stand the time that went by and the
time of the processor, all threads together. On a machine that has other work only the second tells something: with the
machine to itself, what is computed takes no longer than that. So a bound is held where either is below it. On a busy
machine take `--threads 1`: several threads that wait for each other count as work, too.

Sliders that no model answers are moved on the real page in Chromium, from the event until the page is drawn again; that
needs the packages of the tests.

    .venv/bin/python bench/lab.py
"""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from startup import ROOT, answers, free_port

sys.path.insert(0, str(ROOT))

FIRST, MODEL, PLAIN, PAINTED = 2.0, 0.3, 0.1, 0.05
"""Seconds: until the first picture, for a slider with and without a model behind it, for a picture of the GAN."""
RUNS = 7
PATIENCE = 120_000
"""Milliseconds that an experiment gets to show itself on the page."""
FAILED: list[str] = []
"""What was not held."""
SLIDERS = {
    "writes": ("Temperature", "Top-p", "Min-p"),
    "noise": ("Step",),
    "space": ("The way between them", "Strength of the noise"),
    "gan": ("Place on the way", "Moment"),
}
"""Of each experiment those that the page answers by itself."""
ANSWERED = {"writes": "writes/ahead", "noise": "noise/film", "space": "space/noised", "gan": "gan/row"}
"""What an experiment asks last before it stands."""
SETTLED = """name => document.querySelector(`[data-experiment=${name}] .a-lab-status`)?.textContent === ''"""
SLIDE = """async ([experiment, name, runs]) => {
    const slider = document.querySelector(`[data-experiment=${experiment}] input[type=range][aria-label="${name}"]`);
    const low = Number(slider.min), span = Number(slider.max) - low, took = [];
    for (let run = 0; run < runs; run += 1) {
        await new Promise((done) => requestAnimationFrame(done));
        const began = performance.now();
        slider.value = low + span * ((run * 0.37 + 0.2) % 1);
        slider.dispatchEvent(new Event("input"));
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        took.push((performance.now() - began) / 1000);
    }
    return took;
}"""


def timed(name: str, bound: float, act: Callable[[int], Any], share: int = 1) -> None:
    """Say how long something takes.

    Args:
        act: called with the number of the run. What run 0 takes, which may load a model, is not counted.
        share: into how many equal parts the time is divided.
    """
    act(0)
    runs = []
    for run in range(1, RUNS + 1):
        began, before = time.perf_counter(), time.process_time()
        act(run)
        runs.append(((time.perf_counter() - began) / share, (time.process_time() - before) / share))
    say(name, bound, runs)


def say(name: str, bound: float, runs: list[tuple[float, float]]) -> None:
    """A line: the best and the middle of the seconds that went by, the least of the processor's, the bound."""
    wall, busy = [one[0] for one in runs], min(one[1] for one in runs)
    held = "held" if min(wall) <= bound else "held, by the processor's time" if busy <= bound else "NOT HELD"
    if held == "NOT HELD":
        FAILED.append(name)
    figures = f"{min(wall):7.3f} {statistics.median(wall):7.3f} {busy:7.3f}   {bound:5.2f}"
    print(f"{name:58}{figures}   {held}", flush=True)


def picture(colour: str) -> str:
    from PIL import Image

    file = io.BytesIO()
    Image.new("RGB", (256, 256), colour).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def asked(studio: Any) -> None:
    """What a model answers."""
    from tabs.lab import desk
    from tabs.shared.asker import Asker

    known, me = desk.answers(), Asker("bench", "", "en")

    def ask(question: str, **message: Any) -> Any:
        found = known[question](studio, message, me)
        while found is None:  # it gave way; it is asked again, as the page does
            time.sleep(0.4)
            found = known[question](studio, message, me)
        return json.loads(bytes(found.body))

    text, red, blue = "The secret of a happy life is", picture("red"), picture("blue")
    timed("writes: the bars of a new beginning", FIRST, lambda run: ask("writes/ahead", text=f"Number {run}. {text}"))
    ids = [one["id"] for one in ask("writes/ahead", text=text)["next"]]
    timed("writes: the bars behind one more token", MODEL, lambda run: ask("writes/ahead", text=text, taken=[ids[run]]))
    timed("noise: eight steps with all their pictures", FIRST, lambda run: ask("noise/film", prompt="a cat", seed=run))
    timed("noise: one picture of a row", FIRST, lambda run: ask("noise/picture", prompt="a cat", seed=run, guidance=5))
    timed("space: a walk of 17 pictures, what is lost", FIRST, lambda _: ask("space/walk", first=red, second=blue))
    timed("space: noise in nine strengths", FIRST, lambda run: ask("space/noised", picture=red, seed=run))
    words = {"from": 8, "to": 14, "other_seed": 1}
    timed("gan: a walk of 17 pictures", FIRST, lambda run: ask("gan/walk", **words, seed=run))
    timed("gan: a picture of those", PAINTED, lambda run: ask("gan/walk", **words, seed=run), share=17)
    timed("gan: truncation, a row of eight", MODEL, lambda run: ask("gan/row", word=8, seed=run, truncation=run / 4))
    shown = ask("matches/examples")
    seen = ask("matches/see", pictures=shown["pictures"])["directions"]
    timed("matches: six pictures looked at", FIRST, lambda _: ask("matches/see", pictures=shown["pictures"]))
    timed("matches: the table", MODEL, lambda _: ask("matches/grid", pictures=seen, words=shown["words"]))
    painted = "taste: one of two pictures, painted and looked at"
    timed(painted, FIRST / 2, lambda run: ask("taste/paint", prompt="a fish", seed=run))
    liked, other = seen[:5] * 2, seen[1:6] * 2
    timed("taste: what ten choices tell", MODEL, lambda _: ask("taste/learn", liked=liked, other=other, pictures=seen))


def moved(address: str) -> None:
    """Sliders on the page. Their processor's time is that of the page's own thread, on average."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))))
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_context(locale="en-US", reduced_motion="reduce").new_page()
        page.set_default_timeout(PATIENCE)
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})

        def busy() -> float:
            told = session.send("Performance.getMetrics")["metrics"]
            return next(one["value"] for one in told if one["name"] == "TaskDuration")

        for experiment, names in SLIDERS.items():
            with page.expect_response(re.compile(f"lab/{ANSWERED[experiment]}$")):
                page.goto(f"{address}?lab={experiment}")
            page.wait_for_function(SETTLED, arg=experiment)
            for name in names:
                before = busy()
                took = page.evaluate(SLIDE, [experiment, name, RUNS])
                each = (busy() - before) / RUNS
                say(f"{experiment}: the slider “{name}”", PLAIN, [(wall, each) for wall in took])
        browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=0, help="of the processor for models; 0: as the studio has it")
    options = parser.parse_args()
    if options.threads:
        os.environ["STUDIO_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(options.threads)
    from studio import settings
    from studio.service import Studio

    print(f"{'seconds':58}{'best':>7}{'middle':>8}{'busy':>8}{'bound':>8}")
    with Studio(settings.load()) as studio:
        asked(studio)
    port = free_port()
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "STUDIO_OPEN_BROWSER": "0"}
    command = [sys.executable, str(ROOT / "app.py")]
    page = subprocess.Popen(command, cwd=ROOT, env=environment | {"STUDIO_PORT": str(port)}, stdout=subprocess.DEVNULL)
    try:
        while not answers(port):
            time.sleep(0.1)
        moved(f"http://127.0.0.1:{port}/")
    finally:
        page.terminate()
        page.wait()
    return int(bool(FAILED))


if __name__ == "__main__":
    sys.exit(main())
