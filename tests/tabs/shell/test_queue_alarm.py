"""A queue that sleeps for long still begins at once."""

from __future__ import annotations

import gradio as gr
import httpx
import pytest

from tabs.shell import queue_alarm


def test_who_joins_does_not_wait_for_the_next_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_alarm, "SLEEP", 3600.0)
    with gr.Blocks(analytics_enabled=False) as page:
        field = gr.Textbox()
        event = field.submit(lambda words: words + "!", field, field)
    page.queue()
    queue_alarm.alarm(page._queue)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, server_name="127.0.0.1", inbrowser=False)
    try:
        for words in ("one", "two"):  # the second finds it asleep again
            asked = {"data": [words], "fn_index": event["id"], "session_hash": words}
            httpx.post(f"{url}gradio_api/queue/join", json=asked).raise_for_status()
            with httpx.stream("GET", f"{url}gradio_api/queue/data?session_hash={words}", timeout=20) as stream:
                assert any(f"{words}!" in line for line in stream.iter_lines())
    finally:
        page.close()
