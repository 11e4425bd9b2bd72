"""What the page weighs and how long it takes until its first field can be used, against a bare Gradio page.

Both are opened in turn in one Chromium, so that a busy machine slows both alike, and medians are compared. The bare
page has five tabs with what a first sketch of this studio would have in them: a chat, a gallery, a player, an editor,
an upload. The studio runs its stand-ins; models make no difference to the page. Needs the packages of the tests.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack

import psutil
from playwright.sync_api import Browser, sync_playwright
from startup import ROOT, answers, free_port

BARE = """
import sys
import gradio as gr
with gr.Blocks() as page:
    with gr.Tabs():
        with gr.Tab("Chat"):
            talk, words, run = gr.Chatbot(), gr.Textbox(elem_id="chat-prompt"), gr.Button("Run")
            run.click(lambda words: [], words, talk)
        with gr.Tab("Image"):
            words, run, made = gr.Textbox(), gr.Button("Run"), gr.Gallery()
            run.click(lambda words: [], words, made)
        with gr.Tab("Music"):
            words, run, made = gr.Textbox(), gr.Button("Run"), gr.Audio()
            run.click(lambda words: None, words, made)
        with gr.Tab("Code"):
            code, run = gr.Code(), gr.Button("Run")
            run.click(lambda code: code, code, code)
        with gr.Tab("Caption"):
            made, run, words = gr.Image(), gr.Button("Run"), gr.Textbox()
            run.click(lambda made: "", made, words)
page.launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True)
"""
FIELD = "#chat-prompt textarea"
SEEN = """() => {
    const all = [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")];
    return [all.reduce((sum, one) => sum + one.encodedBodySize, 0), all.length, window.long ?? 0];
}"""
LONG = """
    window.long = 0;
    new PerformanceObserver((list) => { for (const one of list.getEntries()) window.long += one.duration; })
        .observe({type: "longtask", buffered: true});
"""
NAMES = ("kilobytes", "requests", "seconds", "seconds in long tasks", "megabytes of heap")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=7, help="counted visits of each; one more warms both up")
    parser.add_argument("--idle", type=float, default=20.0, help="seconds over which an idle process is watched")
    parser.add_argument("--most-ratio", type=float, default=1.3, help="fail above this ratio of bytes and of seconds")
    parser.add_argument("--most-idle", type=float, default=0.5, help="fail above this percentage of a core")
    options = parser.parse_args()
    environment = {**os.environ, "GRADIO_ANALYTICS_ENABLED": "False", "STUDIO_OPEN_BROWSER": "0", "STUDIO_DEMO": "1"}
    with ExitStack() as stack:
        environment["STUDIO_HOME"] = stack.enter_context(tempfile.TemporaryDirectory())
        ports = {"studio": free_port(), "bare": free_port()}
        lines = {"studio": [str(ROOT / "app.py")], "bare": ["-c", BARE, str(ports["bare"])]}
        processes = {}
        for name, line in lines.items():
            extra = {"STUDIO_PORT": str(ports[name])}
            made = subprocess.Popen(
                [sys.executable, *line], env=environment | extra, cwd=ROOT, stdout=subprocess.DEVNULL
            )
            stack.callback(made.terminate)
            processes[name] = psutil.Process(made.pid)
        while not all(map(answers, ports.values())):
            time.sleep(0.1)
        time.sleep(2)
        idle = idles(processes, options.idle)
        chromium = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "google-chrome"))))
        browser = stack.enter_context(sync_playwright()).chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        found = {name: [] for name in ports}
        for run in range(options.runs + 1):
            for name, port in ports.items():
                seen = visit(browser, f"http://127.0.0.1:{port}/")
                if run:
                    found[name].append(seen)
        browser.close()
    medians = {name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in found.items()}
    ratios = {}
    for what, ours, bare in zip(NAMES, medians["studio"], medians["bare"], strict=True):
        ratios[what] = ours / bare if bare else float("inf")
        print(f"{what:24} studio {ours:8.2f}   bare {bare:8.2f}   ratio {ratios[what]:.2f}")
    print(f"{'idle, % of a core':24} studio {idle['studio']:8.2f}   bare {idle['bare']:8.2f}")
    worst = max(ratios["kilobytes"], ratios["seconds"])
    return int(worst > options.most_ratio or idle["studio"] > options.most_idle)


def visit(browser: Browser, url: str) -> tuple[float, ...]:
    """One first visit, with nothing in the cache: what NAMES say."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(LONG)
    began = time.perf_counter()
    page.goto(url, wait_until="commit")
    page.wait_for_selector(FIELD)
    took = time.perf_counter() - began
    page.wait_for_timeout(1500)
    size, requests, long = page.evaluate(SEEN)
    session = context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    session.send("Performance.enable")
    metrics = {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}
    context.close()
    return size / 1e3, requests, took, long / 1e3, metrics["JSHeapUsedSize"] / 1e6


def idles(processes: dict[str, psutil.Process], seconds: float) -> dict[str, float]:
    """Percentage of a core that each takes while nobody has it open."""
    before = {name: sum(process.cpu_times()[:2]) for name, process in processes.items()}
    time.sleep(seconds)
    return {name: (sum(one.cpu_times()[:2]) - before[name]) / seconds * 100 for name, one in processes.items()}


if __name__ == "__main__":
    sys.exit(main())
