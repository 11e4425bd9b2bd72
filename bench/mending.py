"""What mending Gradio's script saves the browser: seconds that the page's own thread is at work, mended ÷ as it comes.

Both are opened in turn in one Chromium and used alike, so that a busy machine slows both; medians are compared. The
studio runs its stand-ins. Needs the packages of the tests.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack

from playwright.sync_api import BrowserContext, Page, sync_playwright
from startup import ROOT, answers, free_port

PLAIN = (
    "import runpy; from tabs.door import mending; mending.CHANGES = (); runpy.run_path('app.py', run_name='__main__')"
)
IDLE = "() => [...document.querySelectorAll('[id$=-stop]')].every(one => !one.offsetParent)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5, help="counted turns of each; one more warms both up")
    parser.add_argument("--most-ratio", type=float, default=0.8, help="fail above this ratio of all seconds together")
    options = parser.parse_args()
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "STUDIO_OPEN_BROWSER": "0", "STUDIO_DEMO": "1"}
    found: dict[str, list[dict[str, float]]] = {"mended": [], "as it comes": []}
    with ExitStack() as stack:
        ports = {name: free_port() for name in found}
        for name, line in zip(found, (["app.py"], ["-c", PLAIN]), strict=True):
            home = stack.enter_context(tempfile.TemporaryDirectory())
            extra = {"STUDIO_HOME": home, "STUDIO_PORT": str(ports[name]), "PYTHONPATH": str(ROOT)}
            made = subprocess.Popen(
                [sys.executable, *line], env=environment | extra, cwd=ROOT, stdout=subprocess.DEVNULL
            )
            stack.callback(made.wait)
            stack.callback(made.terminate)
        while not all(map(answers, ports.values())):
            time.sleep(0.1)
        program = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))))
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        contexts = {name: browser.new_context(viewport={"width": 1440, "height": 900}) for name in found}
        for run in range(options.runs + 1):
            for name, context in contexts.items():
                seen = turn(context, f"http://127.0.0.1:{ports[name]}/")
                if run:
                    found[name].append(seen)
        browser.close()
    medians = {
        name: {what: statistics.median(one[what] for one in rows) for what in rows[0]} for name, rows in found.items()
    }
    for what, ours in medians["mended"].items():
        plain = medians["as it comes"][what]
        print(f"{what:32} mended {ours:6.2f} s   as it comes {plain:6.2f} s   ratio {ours / plain:.2f}")
    ratio = sum(medians["mended"].values()) / sum(medians["as it comes"].values())
    print(f"{'together':32} ratio {ratio:.2f}")
    return int(ratio > options.most_ratio)


def turn(context: BrowserContext, url: str) -> dict[str, float]:
    """What a visitor does: seconds of the page's thread for each."""
    page = context.new_page()
    session = context.new_cdp_session(page)
    session.send("Performance.enable")

    def worked() -> float:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(one["value"] for one in metrics if one["name"] == "TaskDuration")

    took: dict[str, float] = {}
    before = worked()
    for what, act in {"opening the page": opening(url), **ACTS}.items():
        act(page)
        page.wait_for_timeout(1500)  # what the page does a moment later counts as well
        now = worked()
        took[what], before = now - before, now
    page.close()
    return took


def opening(url: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.goto(url)
        page.wait_for_selector("html[data-ready~=chat] #chat-prompt textarea")

    return act


def tab(name: str, place: int) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.locator("#tabs > .tab-wrapper [role=tab]:visible").nth(place).click()
        page.wait_for_selector(f"html[data-ready~={name}] #{name}-model")

    return act


def run(name: str, shown: str) -> Callable[[Page], None]:
    def act(page: Page) -> None:
        page.locator(f"#{name}-prompt textarea").fill("hills")
        page.wait_for_timeout(300)
        page.locator(f"#{name}-run").click()
        page.wait_for_selector(shown)
        page.wait_for_function(IDLE)

    return act


ACTS = {
    "an answer": run("chat", "#chat-talk .bot-row .prose"),
    "opening the image tab": tab("image", 1),
    "a picture": run("image", "#image-gallery .grid-wrap img"),
    "opening the music tab": tab("music", 2),
}

if __name__ == "__main__":
    sys.exit(main())
