"""The chat tab: conversations on the left, the talk in the middle, the composer below.

Conversations live on disk, so an answer that was under way when the page closed is there afterwards. What is shown is
tabs.chat.talk, what is done tabs.chat.turns.
"""

from __future__ import annotations

from collections.abc import Iterator

import gradio as gr

from studio.errors import StudioError
from tabs.chat import presets, taking_up
from tabs.chat.open_pages import WHERE
from tabs.chat.talk import EXAMPLES, TASK, Changes, Talk, english
from tabs.chat.turns import Turns
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.suggestions import Offers
from tabs.shared.widgets import examples

_ORDERED = f"(_, where, prompt, ...rest) => [atelier.order(), {WHERE}, prompt, ...rest]"


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    talk = Talk(page)
    turns = Turns(talk)
    chats, settings, picker, outputs = talk.chats, talk.settings, talk.picker, talk.outputs
    order = gr.Textbox(visible="hidden", elem_classes="a-hidden")
    ordered = gr.Button(visible="hidden", elem_id="chat-order", elem_classes="a-hidden")
    page.prompts[TASK] = chats.prompt
    picker.list.change(
        lambda used: gr.update(value=examples(EXAMPLES, english(page, used))), picker.list, talk.starters, **quick()
    )
    asking = {**pumping(js=f"(words, files, _, ...rest) => [words, files, {WHERE}, ...rest]"), "preprocess": False}
    asked = [chats.prompt, chats.files, chats.where, *settings.fields]
    talk.run.click(turns.send, asked, outputs, **asking)
    chats.prompt.submit(turns.send, asked, outputs, **asking)
    talk.context.wire(talk.said, talk.progress)
    here = f"(_, ...rest) => [{WHERE}, ...rest]"
    kept = [chats.where, *settings.fields]
    offers = Offers(page, TASK, picker, {"max_tokens": settings.of["max_tokens"]})
    offers.wire(fn=turns.again, inputs=kept, outputs=outputs, **pumping(js=here))
    talk.now.click(turns.answer_now, kept, outputs, **pumping(js=here))
    ordered.click(turns.obey, [order, chats.where, chats.prompt, *settings.fields], outputs, **pumping(js=_ORDERED))
    for part in (settings.system, *settings.of.values()):
        part.blur(turns.keep, kept, None, js=here, **quick())
    settings.summarise.input(turns.keep, kept, None, js=here, **quick())
    # a preset that was chosen is kept in the conversation as if it had been typed
    settings.presets.wire(presets.form(settings)).then(turns.keep, kept, None, js=here, **quick())
    picker.list.input(turns.choose, kept, None, js=here, **quick())
    taking_up.register(talk)
    _wire_opening(talk)


def _wire_opening(talk: Talk) -> None:
    """What the list of conversations opens, and what a page shows that was opened again."""
    page, chats, used_list, outputs = talk.page, talk.chats, talk.picker.list, talk.outputs

    def new(used: str | None, request: gr.Request) -> Iterator[Changes]:
        yield from talk.open(request, "", used)

    def opened(id: str | None, used: str | None, request: gr.Request) -> Iterator[Changes]:
        yield from talk.open(request, id or "", used)

    def deleted(id: str, used: str | None, request: gr.Request) -> Iterator[Changes]:
        """Show another conversation instead of one that is gone."""
        if (job := page.studio.answering(id)) is not None:
            job.cancel()
        if talk.windows.chat(request) != id:
            yield chats.update(request, talk.windows.chat(request))
            return
        yield from talk.open(request, chats.newest(request), used)

    def attach(last: str | None, used: str | None, request: gr.Request) -> Iterator[Changes]:
        """A page that was opened again shows what it showed: else the answer that runs, else the newest conversation.

        Args:
            last: the conversation that the browser showed last; empty for a new one, None where it never showed any.
        """
        if last == "":  # nothing was said yet: what the fields hold is the browser's to know
            for changes in talk.open(request, "", used):
                yield {part: now for part, now in changes.items() if part not in talk.settings.fields}
            return
        try:
            if last:
                chats.load(request, last)
        except StudioError:
            last = None
        job = page.running(request, TASK)
        yield from talk.open(request, last or (job.tag if job and job.tag else chats.newest(request)), used)

    chats.wire(new, opened, deleted, used_list, outputs)
    opening = pumping(js="async (_, used) => { await atelier.broughtBack(); return [atelier.lastChat(), used]; }")
    page.after_recall(TASK, fn=attach, inputs=[chats.where, used_list], outputs=outputs, **opening)
    page.localised(attach, [chats.where, used_list], outputs, on_opening=False, idle=True, **opening)
