"""What is done with a conversation in the chat tab: asked, answered anew, edited, branched, compared.

Every press says which conversation it saw, and in which state (tabs.chat.open_pages), so that nothing lands in another
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.tasks.chat.conversation import Chat, Entry, Note
from tabs.chat import attached, message_actions
from tabs.chat.open_pages import Place
from tabs.chat.talk import TASK, Changes, Talk
from tabs.shared import job_progress
from tabs.shared.i18n import language


class Turns:
    """The handlers of what is pressed; each yields what the page shows then."""

    def __init__(self, talk: Talk) -> None:
        self._talk, self._page = talk, talk.page
        self._kept: Changes = {talk.chats.prompt: gr.skip()}
        """What was typed stays."""

    def send(self, request: gr.Request, words: str, attaching: Any, where: str, *values: Any) -> Iterator[Changes]:
        chats, page = self._talk.chats, self._page
        if attaching:  # a long PDF takes a while
            yield {self._talk.progress: job_progress.note(text("chat.reading", language(request)))}
        try:
            with page.presses.of(page.who(request), "chat-files") as mine:
                if not mine:  # pressed twice, or by a program many times
                    return
                files, told = attached.read(attaching, page.studio.settings.public)
            if not words.strip() and not files:
                raise StudioError("empty", field=text("label.prompt", language(request)))
        except StudioError as error:
            yield {self._talk.progress: job_progress.failure(error, language(request))}
            return

        def more(chat: Chat) -> Chat:
            return chat.replaced(len(chat.messages), Entry("user", words, files=files))

        sent, kept = {chats.prompt: "", chats.files: None}, {chats.prompt: gr.skip(), chats.files: gr.skip()}
        yield from self._ask(
            request, Place.read(where), more, values, sent, kept, words=words, late=bool(files), told=told
        )

    def again(self, request: gr.Request, where: str, *values: Any, model: str = "") -> Iterator[Changes]:
        """Answer the last question once more; the answer that it had is kept."""
        again = message_actions.asked_again
        yield from self._ask(request, Place.read(where), again, values, self._kept, self._kept, model=model)

    def answer_now(self, request: gr.Request, where: str, *values: Any) -> Iterator[Changes]:
        """End a thought that goes on, and have the answer written from there."""
        place = Place.read(where)
        if (job := self._page.studio.answering(place.chat or self._talk.windows.chat(request))) is not None:
            job.cancel()
        again, begins = message_actions.asked_again, message_actions.to_answer_now
        yield from self._ask(request, place, again, values, self._kept, self._kept, begins=begins, late=True)

    def obey(self, request: gr.Request, said: str, where: str, prompt: str, *values: Any) -> Iterator[Changes]:
        """What was pressed at a message."""
        what, at, words = message_actions.read_order(said)
        place = Place.read(where)
        if what in ("retry", "answer"):
            yield from self.again(request, where, *values, model=words)
        elif what == "beside":
            yield from self._compared(request, place, at)
        elif what == "continue":
            cut, begins = message_actions.asked_again, message_actions.to_continue
            yield from self._ask(request, place, cut, values, self._kept, self._kept, begins=begins)
        elif what == "branch":
            yield from self._branched(request, place, at, values[0])
        elif what == "edit" and words.strip():
            typed = {self._talk.chats.prompt: message_actions.together(prompt, words)}
            change = lambda chat: message_actions.edited(chat, at, words)  # noqa: E731
            yield from self._ask(request, place, change, values, {}, typed)
        elif what in ("undo", "earlier", "later", "back", "delete", "keep") or (what == "reword" and words.strip()):
            yield from self._turned(request, place, what, at, prompt, words)

    def keep(self, request: gr.Request, where: str, *values: Any) -> None:
        """What was changed in the fields is the conversation's from now on, also where nothing is sent."""
        self._talk.settings.store(self._page.chats(request), Place.read(where).chat, values)

    def choose(self, request: gr.Request, where: str, *values: Any) -> None:
        """So is the model, where a person chose another one."""
        self._talk.settings.store(self._page.chats(request), Place.read(where).chat, values, chosen=True)

    def _ask(
        self, request: gr.Request, place: Place, change: Callable[[Chat], Chat], values: tuple[Any, ...],
        accepted: Changes, typed: Changes, *, words: str = "", begins: Callable[[Chat], str] | None = None,
        late: bool = False, model: str = "", told: tuple[Note, ...] = (),
    ) -> Iterator[Changes]:  # fmt: skip
        """Have a conversation answered after a change, and follow the answer.

        Args:
            accepted: updates once it is on its way. typed: updates that keep what was typed where it is refused.
            words: a new message. An answer that came while it was typed is no reason to refuse it.
            begins: of the conversation before the change, what its answer begins with.
            model: another one that answers this once; the answers stand side by side then.
            told: what is to be known of what came along.
            late: an answer that came since it was pressed is no reason to refuse it either.
        """
        page, talk = self._page, self._talk
        store, spoken = page.chats(request), language(request)
        try:
            asked = talk.settings.read(values)
            if (before := page.studio.answering(place.chat)) is not None and before.cancelled:
                # it was stopped: what it has said so far belongs before the question
                for update in job_progress.watch(before):
                    yield {talk.progress: job_progress.progress(update, spoken), **typed}
            with page.presses.turn(page.who(request) if page.studio.settings.public else ""):
                place = Place(place.chat or talk.windows.chat(request), place.mark)
                found = talk.chats.load(request, place.chat)
                if page.studio.answering(place.chat) is not None:
                    if words == found.messages[-1].content and not place.fits(found):
                        yield typed  # pressed twice before the page could show it
                        return
                    raise StudioError("chat_busy")
                if place.chat and not place.fits(found, answered=bool(words or late)):
                    raise StudioError("chat_changed")
                used = asked.model or page.studio.default_model(TASK).id
                note = talk.settings.missing(found, used, spoken)
                chat = talk.settings.keep(change(found), asked)
                asked = replace(asked, opening=begins(found)) if begins else asked
                asked = replace(asked, model=model) if model else asked
                seen = found.mark if place.chat else ""
                notes = (*told, *((note,) if note else ()))
                job = page.begin(request, lambda who: page.studio.say(chat, asked, who, store, seen=seen, notes=notes))
                turn = talk.windows.show(request, chat.id)
        except StudioError as error:
            yield from talk.refused(error, request, place, typed)
            return
        more = {**accepted, **talk.chats.update(request, chat.id), talk.notice: ""}
        yield from talk.follow(job, chat, request, turn, more, beside=bool(model))

    def _compared(self, request: gr.Request, place: Place, at: int) -> Iterator[Changes]:
        """Show all versions of a message."""
        try:
            chat = self._page.chats(request).load(place.chat)
            if self._page.studio.answering(place.chat) is not None or not 0 <= at < len(chat.messages):
                raise StudioError("chat_busy" if 0 <= at < len(chat.messages) else "chat_changed")
        except StudioError as error:
            yield from self._talk.refused(error, request, place, self._kept)
            return
        yield self._talk.shows(chat, request, beside=at)

    def _branched(self, request: gr.Request, place: Place, at: int, used: Any) -> Iterator[Changes]:
        """Begin another conversation with what was said up to a message, and show it."""
        store = self._page.chats(request)
        try:
            found = store.load(place.chat)
            if not place.fits(found) or not 0 <= at < len(found.messages):
                raise StudioError("chat_changed")
            chat = store.branch(found, at)
        except StudioError as error:
            yield from self._talk.refused(error, request, place, self._kept)
            return
        yield from self._talk.open(request, chat.id, used)

    def _turned(
        self, request: gr.Request, place: Place, what: str, at: int, prompt: str, words: str
    ) -> Iterator[Changes]:
        """Change a conversation without asking for an answer."""
        page, talk = self._page, self._talk
        taken, files = "", list[str]()

        def turn(chat: Chat) -> Chat:
            nonlocal taken, files
            if not place.fits(chat):
                raise StudioError("chat_changed")
            now, taken = message_actions.changed(what, chat, at, words)
            if what == "undo":
                for entry in chat.messages[len(now.messages) :][:1]:
                    files = attached.back(page, page.chats(request), chat, entry.files)
            return now

        try:
            if page.studio.answering(place.chat) is not None:
                raise StudioError("chat_busy")
            chat = page.chats(request).change(place.chat, turn, quiet=True)
        except StudioError as error:
            yield from talk.refused(error, request, place, self._kept)
            return
        changes = {
            **talk.shows(chat, request), talk.progress: "", talk.notice: "", talk.chats.files: files or gr.skip()
        }  # fmt: skip
        yield {**changes, talk.chats.prompt: message_actions.together(taken, prompt) if taken else gr.skip()}
