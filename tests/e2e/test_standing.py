"""Where the work is: results stand where they stood, and what ended with the studio is named."""

from __future__ import annotations

from pathlib import Path

import gradio
from playwright.sync_api import expect

from e2e.conftest import Serve, Visit, slowed
from tabs.serve import free_port


def test_after_a_restart_the_results_stand_and_a_job_that_was_cut_off_is_named(
    visit: Visit, serve: Serve, tmp_path: Path
) -> None:
    port = free_port("127.0.0.1", 0)
    studio, url = serve(demo=True, port=port)
    desk = visit(url)
    desk.go("image").paint("hills at dawn")
    desk.go("music").compose("a waltz")
    slowed(studio, 0.2)
    desk.go("image").type("hills at night").run()
    expect(desk.page.locator("#strip-text [data-job]")).to_be_visible()
    known = "() => JSON.parse(localStorage.getItem('atelier_stood_image') ?? '{}').job"
    desk.until(lambda: desk.page.evaluate(known) == studio.jobs()[-1].id)
    desk.page.goto("about:blank")
    studio.close()
    for page in gradio.Blocks.get_instances():
        if page.server_port == port:
            page.close(verbose=False)

    serve(demo=True, port=port)[0].clear()  # as every start does
    desk.page.goto(f"{url}#image")
    expect(desk.progress).to_contain_text("Interrupted when the studio ended.")
    expect(desk.details).to_contain_text("hills at dawn")
    expect(desk.pictures).to_have_count(1)
    desk.go("music")
    expect(desk.takes).to_have_count(1)
    expect(desk.takes).to_contain_text("a waltz")
    desk.go("image").progress.get_by_role("button", name="Run again").click()
    expect(desk.details).to_contain_text("hills at night")
