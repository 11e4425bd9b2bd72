"""A conversation as the chat tab shows it: drawn, followed while it is answered, opened, shown anew when refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.jobs.job import Job
from studio.jobs.languages import reads_chinese
from studio.tasks.chat import thoughts
from studio.tasks.chat.conversation import Chat
from tabs.chat import attached, messages
from tabs.chat.context_line import ContextLine
from tabs.chat.open_pages import Place, Windows
from tabs.chat.settings import ChatSettings
from tabs.chat.sidebar import ChatList
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.i18n import language, t
from tabs.shared.model_picker import ModelPicker
from tabs.shared.widgets import run_row, tries

TASK = "chat"
EXAMPLES = ("chat.example1", "chat.example2", "chat.example3")
_ELSEWHERE = ("chat_changed", "chat_busy", "unknown_chat", "chat_damaged", "chat_unreadable", "chat_newer")
"""Errors after which the page shows the conversation anew."""
_DRAWING = 12
"""How many times longer than a long answer takes to be drawn the page waits before it draws it again."""
Changes = dict[Any, Any]


class Talk:
    """The parts of the tab, and what they show. Placed where it is made."""

    def __init__(self, page: Page) -> None:
        self.page, self.windows = page, Windows()
        with gr.Row(elem_classes="a-chat"):
            self.chats = ChatList(page)
            with gr.Column(elem_classes="a-talk"):
                self.picker = ModelPicker(page, TASK)
                with gr.Row(elem_classes="a-talk-head"):
                    self.picker.place()
                self.settings = ChatSettings(page, self.picker)
                with gr.Column(elem_id="chat-talk", min_width=0):
                    self.said = gr.HTML(elem_id="chat-said")
                    self.live = gr.HTML(elem_id="chat-live", visible=False)
                self.starters = tries(TASK, EXAMPLES, english=english(page, self.picker.list.value))
                self.progress = gr.HTML(elem_id="chat-progress", elem_classes="a-live")
                self.notice = gr.HTML(elem_id="chat-notice", elem_classes="a-live")
                self.now = gr.Button(t("chat.answer_now"), size="sm", visible=False, elem_id="chat-answer-now", scale=0)
                with gr.Column(elem_classes="a-composing", min_width=0):
                    with gr.Row(elem_classes="a-composer"):
                        self.chats.files.render()
                        self.chats.prompt.render()
                        self.run, self.stop = run_row(TASK, "chat.run", self._halt)
                    self.context = ContextLine(page, self.chats, self.settings)
                self.context.place()

    @property
    def outputs(self) -> list[Any]:
        """All that a conversation may change when it is shown."""
        return [
            self.run, self.stop, self.progress, self.notice, self.said, self.live, self.starters, self.chats.prompt,
            *self.chats.shown, *self.settings.fields, self.chats.files, self.settings.presets.list,
            self.settings.presets.chosen, self.chats.told, self.now,
        ]  # fmt: skip

    def shows(self, chat: Chat, request: gr.Request, *, running: bool = False, beside: int = -1) -> Changes:
        """A conversation as it stands; `beside`: the message whose versions stand next to each other."""
        spoken = language(request)
        others = [] if running else self.settings.others(chat, spoken)
        files = attached.drawer(self.page, self.page.chats(request), chat, spoken)
        how: dict[str, Any] = {"running": running, "beside": beside, "others": others, "files": files}
        return {
            self.said: messages.draw(chat, spoken, **how, visiting=self.page.studio.settings.profile != "local"),
            self.live: gr.update(visible=False, value=""),
            self.now: gr.update(visible=False),
            self.starters: gr.update(visible=not chat.messages),
        }

    def follow(
        self, job: Job, chat: Chat, request: gr.Request, turn: int, more: Changes, *, beside: bool = False
    ) -> Iterator[Changes]:
        """Show a conversation while it is being answered, from wherever the answer is, until the page shows another."""
        spoken, store, said, due, thinking = language(request), self.page.chats(request), "", 0.0, False
        yield {**self.shows(chat, request, running=True), **self._buttons(not job.cancelled), **more}
        for update in job_progress.watch(job, lambda: not self.windows.at(request, turn)):
            if not self.windows.at(request, turn):
                break
            said += update.text
            on = not update.final and not update.stopping
            changes = {**self._buttons(on), self.progress: messages.progress(update, spoken)}
            if thoughts.under_way(said) != thinking:
                thinking = not thinking
                changes[self.now] = gr.update(visible=thinking and on)
            if not update.final and (begun := time.monotonic()) >= due:
                changes[self.live] = gr.update(visible=True, value=messages.live(said, spoken))
                due = begun + _DRAWING * (time.monotonic() - begun)
            if update.final:
                try:
                    kept = store.load(chat.id)
                    changes |= self.shows(kept, request, beside=len(chat.messages) if beside else -1)
                    if kept.open and said.strip():  # the disk refused it: it can still be copied
                        changes[self.live] = gr.update(visible=True, value=messages.live(said, spoken))
                except StudioError as error:
                    changes |= {
                        self.live: gr.update(visible=False), self.notice: job_progress.failure(error, spoken)
                    }  # fmt: skip
            yield changes
        if not self.windows.at(request, turn):
            yield self._left(request)

    def open(self, request: gr.Request, id: str, used: str | None, words: str = "") -> Iterator[Changes]:
        """Show a conversation, with the model and the sampling that it is answered with."""
        spoken = language(request)
        try:
            chat = self.chats.load(request, id)
        except StudioError as error:
            yield {**self._nothing(request), self.notice: job_progress.failure(error, spoken) + words}
            return
        turn = self.windows.show(request, id)
        said = self.settings.notice(chat, used, spoken)
        changes = {**self.settings.show(chat, spoken), **self.chats.update(request, id), self.progress: ""}
        changes[self.notice] = words + (job_progress.note(said) if said else "")
        if (job := self.page.studio.answering(id)) is not None:
            yield from self.follow(job, chat, request, turn, changes)
        else:
            yield {**self.shows(chat, request), **self._buttons(False), **changes}

    def refused(self, error: StudioError, request: gr.Request, place: Place, typed: Changes) -> Iterator[Changes]:
        """Say why nothing was done. What was typed stays; a conversation that is another one by now is shown."""
        spoken = language(request)
        said = job_progress.failure(error, spoken) + attached.instead(error, spoken)
        if error.code not in _ELSEWHERE:
            yield {self.progress: said, self.notice: "", **typed}
            return
        yield {self.notice: said, **typed}
        try:
            chat = self.chats.load(request, place.chat)
        except StudioError:
            yield self._nothing(request)
            return
        turn, job = self.windows.show(request, chat.id), self.page.studio.answering(chat.id)
        if job is None:
            yield {**self.shows(chat, request), **self._buttons(False), **self.chats.update(request, chat.id)}
            return
        yield from self.follow(job, chat, request, turn, self.chats.update(request, chat.id))
        if error.code == "chat_busy" and self.windows.at(request, turn):
            yield {self.notice: ""}

    def _nothing(self, request: gr.Request) -> Changes:
        """A conversation in which nothing was said yet, in the place of one that cannot be shown."""
        self.windows.show(request, "")
        empty = self.shows(self.page.chats(request).new(), request)
        return {**empty, **self._buttons(False), self.progress: "", **self.chats.update(request, "")}

    def _left(self, request: gr.Request) -> Changes:
        """What a page shows by now: the last update for what it showed before may have come after that."""
        try:
            chat = self.chats.load(request, self.windows.chat(request))
        except StudioError:
            return {self.progress: gr.skip()}
        job = self.page.studio.answering(chat.id)
        changes = self.shows(chat, request, running=job is not None)
        changes |= self._buttons(job is not None and not job.cancelled)
        if job is None:
            return {**changes, self.progress: ""}
        del changes[self.live]  # its own follower draws that
        return changes

    def _buttons(self, on: bool) -> Changes:
        return dict(zip((self.run, self.stop), job_progress.running(on), strict=True))

    def _halt(self, request: gr.Request) -> None:
        if (job := self.page.studio.answering(self.windows.chat(request))) is not None:
            job.cancel()


def english(page: Page, model: Any) -> bool:
    """Whether a model reads English only."""
    card = page.studio.catalog.find(str(model or ""))
    return card is not None and not reads_chinese(card)
