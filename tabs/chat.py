"""The chat tab: conversations on the left, the talk in the middle, the composer below.

Conversations live on disk (studio.chats); the page only shows them. So an answer that was on its way when the
page closed is there when it opens again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.chats import Chat, Entry
from studio.errors import StudioError
from studio.i18n import text
from studio.jobs import Job
from studio.requests import ChatRequest
from studio.types import Update
from tabs import pump
from tabs.chat_list import ChatList
from tabs.i18n import language, t
from tabs.offers import Offers
from tabs.parts import examples, number, read, read_whole, run_row, seed_row
from tabs.picker import ModelPicker
from tabs.shared import Page, pumping, quick

TASK = "chat"
LATEX = [
    {"left": "$$", "right": "$$", "display": True},
    {"left": "\\[", "right": "\\]", "display": True},
    {"left": "\\(", "right": "\\)", "display": False},
]


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    with gr.Row(elem_classes="a-chat"):
        chats = ChatList(page)
        with gr.Column(elem_classes="a-talk"):
            picker = ModelPicker(page, TASK)
            talk = gr.Chatbot(
                show_label=False, label=t("tab.chat"), elem_id="chat-talk", height=None, layout="panel",
                allow_tags=False, sanitize_html=True, reasoning_tags=[("<think>", "</think>")], editable="user",
                latex_delimiters=LATEX, buttons=["copy"], allow_file_downloads=False, container=False,
                placeholder=t("chat.empty"), group_consecutive_messages=False,
            )  # fmt: skip
            starters = examples(TASK, chats.prompt, ("chat.example1", "chat.example2", "chat.example3"))
            progress = gr.HTML(elem_id="chat-progress", elem_classes="a-live")
            with gr.Row(elem_classes="a-composer"):
                chats.prompt.render()
                run, stop = run_row(TASK, "chat.run", page.stop(TASK))
            with gr.Accordion(t("page.more"), open=False, elem_classes="a-more", elem_id="chat-more"):
                system = gr.Textbox(
                    label=t("label.system"), info=t("help.system"), lines=2, max_lines=8, elem_id="chat-system",
                    elem_classes="a-remember",
                )  # fmt: skip
                with gr.Row():
                    temperature = number(TASK, "temperature")
                    top_p = number(TASK, "top_p")
                    repetition = number(TASK, "repetition_penalty")
                with gr.Row():
                    max_tokens = number(TASK, "max_tokens")
                    seed = seed_row(TASK)
    page.prompts[TASK] = chats.prompt
    offers = Offers(page, TASK, picker, {"max_tokens": max_tokens})
    settings = [picker.list, system, temperature, top_p, repetition, max_tokens, seed]
    outputs = [run, stop, progress, talk, starters, chats.prompt, chats.list, chats.current]

    def view(chat: Chat, answer: str | None = None) -> list[dict[str, str]]:
        messages = [{"role": entry.role, "content": entry.content} for entry in chat.messages]
        return messages if answer is None else [*messages, {"role": "assistant", "content": answer}]

    def settings_of(values: tuple[Any, ...]) -> ChatRequest:
        model, system_text, heat, nucleus, penalty, tokens, fixed = values
        return ChatRequest(
            messages=(), model=model or "", system=(system_text or "").strip(),
            temperature=read("temperature", heat), top_p=read("top_p", nucleus),
            repetition_penalty=read("repetition_penalty", penalty), max_tokens=read_whole("max_tokens", tokens),
            seed=read_whole("seed", fixed),
        )  # fmt: skip

    def answer(chat: Chat, values: tuple[Any, ...], request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Have the last message answered, and follow the answer."""
        try:
            asked = settings_of(values)
            chat = replace(chat, model=asked.model, system=asked.system)
            with page.press(request, TASK) as free:
                store = page.chats(request)
                job = page.begin(request, lambda who: page.studio.say(chat, asked, who, store)) if free else None
        except StudioError as error:
            yield {progress: pump.failure(error, language(request))}
            return
        if job is None:
            yield {progress: pump.note(text("chat.busy", language(request)))}
            return
        yield {chats.prompt: "", starters: gr.update(visible=False), **chats.show(request, chat.id)}
        yield from follow(job, request)

    def follow(job: Job, request: gr.Request) -> Iterator[dict[Any, Any]]:
        """Show a conversation while it is being answered, from wherever the answer is now."""
        spoken, store = language(request), page.chats(request)
        chat, said = store.load(job.tag), ""
        for update in pump.watch(job, lambda: not page.newest(job)):
            said += update.text
            yield _step(update, spoken, view(store.load(job.tag)) if update.final else view(chat, said or "…"))

    def _step(update: Update, spoken: str, messages: list[dict[str, str]]) -> dict[Any, Any]:
        on = not update.final and not update.stopping
        changes: dict[Any, Any] = dict(zip((run, stop), pump.running(on), strict=True))
        quiet = update.kind == "running" and update.step and not update.stopping
        changes[progress] = (
            _figures(update, spoken) if quiet or update.kind == "done" else pump.progress(update, spoken)
        )
        changes[progress] += pump.notes(update, spoken)
        changes[talk] = messages
        return changes

    def send(request: gr.Request, words: str, current: str, *values: Any) -> Iterator[dict[Any, Any]]:
        chat = chats.load(request, current)
        if not words.strip():
            yield {
                progress: pump.failure(
                    StudioError("empty", field=text("label.prompt", language(request))), language(request)
                )
            }
            return
        chat = replace(chat, messages=(*chat.messages, Entry("user", words)))
        yield from answer(chat, values, request)

    def again(event: gr.RetryData, request: gr.Request, current: str, *values: Any) -> Iterator[dict[Any, Any]]:
        """Answer the last question once more."""
        del event
        yield from once_more(request, current, *values)

    def once_more(request: gr.Request, current: str, *values: Any) -> Iterator[dict[Any, Any]]:
        chat = chats.load(request, current)
        kept = [i for i, entry in enumerate(chat.messages) if entry.role == "user"]
        if kept:
            yield from answer(replace(chat, messages=chat.messages[: kept[-1] + 1]), values, request)

    def edit(
        event: gr.EditData, request: gr.Request, shown: list[Any], current: str, *values: Any
    ) -> Iterator[dict[Any, Any]]:
        """Change a question: what followed it goes, and it is answered anew."""
        chat = chats.load(request, current)
        index = event.index if isinstance(event.index, int) else event.index[0]
        before = sum(message["role"] == "user" for message in shown[:index])
        users = [i for i, entry in enumerate(chat.messages) if entry.role == "user"]
        if before < len(users):
            changed = Entry("user", str(event.value))
            yield from answer(replace(chat, messages=(*chat.messages[: users[before]], changed)), values, request)

    def undo(current: str, request: gr.Request) -> dict[Any, Any]:
        """Take the last question back into the composer."""
        chat = chats.load(request, current)
        users = [i for i, entry in enumerate(chat.messages) if entry.role == "user"]
        if not users or page.running(request, TASK) is not None:
            return {progress: gr.skip()}
        words, chat = chat.messages[users[-1]].content, replace(chat, messages=chat.messages[: users[-1]])
        page.chats(request).save(chat)
        return {chats.prompt: words, talk: view(chat), starters: gr.update(visible=not chat.messages)}

    def opened(current: str, request: gr.Request) -> dict[Any, Any]:
        chat = chats.load(request, current)
        return {
            talk: view(chat), starters: gr.update(visible=not chat.messages), progress: "", system: chat.system,
            run: gr.update(visible=True), stop: gr.update(visible=False),
        }  # fmt: skip

    def attach(request: gr.Request) -> Iterator[dict[Any, Any]]:
        """A page that was opened again shows the answer that runs, else the newest conversation."""
        job = page.running(request, TASK)
        if job is None:
            changes = chats.show(request, None)
            chat = chats.load(request, changes[chats.current])
            yield {**changes, talk: view(chat), starters: gr.update(visible=not chat.messages)}
            return
        yield {**chats.show(request, job.tag), starters: gr.update(visible=False)}
        yield from follow(job, request)

    run.click(send, [chats.prompt, chats.current, *settings], outputs, **pumping())
    chats.prompt.submit(send, [chats.prompt, chats.current, *settings], outputs, **pumping())
    offers.wire(fn=once_more, inputs=[chats.current, *settings], outputs=outputs, **pumping())
    talk.retry(again, [chats.current, *settings], outputs, **pumping())
    talk.edit(edit, [talk, chats.current, *settings], outputs, **pumping())
    talk.undo(undo, chats.current, outputs, **quick())
    chats.on_open(opened, [*outputs, system])
    page.blocks.load(attach, None, outputs, **pumping())


def _figures(update: Update, spoken: str) -> str:
    """Speed while it writes; tokens, speed and model when it is done."""
    artifact = update.artifact
    if artifact is None:
        seconds = max(update.elapsed, 0.1)
        return pump.note(text("chat.writing", spoken, count=update.step, seconds=f"{seconds:.0f}"))
    stats = artifact.stats
    figures = text(
        "chat.figures", spoken, count=round(stats.get("tokens", 0)), rate=round(stats.get("tokens_per_second", 0)),
        model=artifact.recipe["model"]["title"],
    )  # fmt: skip
    return pump.note(figures + (" · " + text("chat.cut", spoken) if artifact.finish == "length" else ""))
