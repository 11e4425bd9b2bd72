"""The chat tab: conversations on the left, the talk in the middle, the composer below.

Conversations live on disk, so an answer that was under way when the page closed is there afterwards. Every press says
which conversation it saw, and in which state (tabs.chat.open_pages), so that nothing lands in another one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.i18n import text
from studio.jobs.job import Job
from studio.jobs.languages import reads_chinese
from studio.tasks.chat import thoughts
from studio.tasks.chat.conversation import Chat, Entry
from tabs.chat import attached, message_actions, messages
from tabs.chat.context_line import ContextLine
from tabs.chat.open_pages import WHERE, Place, Windows
from tabs.chat.settings import ChatSettings
from tabs.chat.sidebar import ChatList
from tabs.shared import job_progress
from tabs.shared.context import Page
from tabs.shared.events import pumping, quick
from tabs.shared.i18n import language, t
from tabs.shared.model_picker import ModelPicker
from tabs.shared.suggestions import Offers
from tabs.shared.widgets import examples, run_row, tries

TASK = "chat"
ELSEWHERE = ("chat_changed", "chat_busy", "unknown_chat", "chat_damaged", "chat_unreadable", "chat_newer")
"""Errors after which the page shows the conversation anew."""
EXAMPLES = ("chat.example1", "chat.example2", "chat.example3")
DRAWING = 12
"""How many times longer than a long answer takes to be drawn the page waits before it draws it again."""
Changes = dict[Any, Any]
_ORDERED = f"(_, where, prompt, ...rest) => [atelier.order(), {WHERE}, prompt, ...rest]"


def build(page: Page) -> None:
    """Add the tab's parts and their events to the page."""
    windows = Windows()

    def halt(request: gr.Request) -> None:
        if (job := page.studio.answering(windows.chat(request))) is not None:
            job.cancel()

    with gr.Row(elem_classes="a-chat"):
        chats = ChatList(page)
        with gr.Column(elem_classes="a-talk"):
            picker = ModelPicker(page, TASK)
            with gr.Row(elem_classes="a-talk-head"):
                picker.place()
            settings = ChatSettings(page, picker)
            with gr.Column(elem_id="chat-talk", min_width=0):
                talk = gr.HTML(elem_id="chat-said")
                live = gr.HTML(elem_id="chat-live", visible=False)
            starters = tries(TASK, EXAMPLES, english=english(page, picker.list.value))
            progress = gr.HTML(elem_id="chat-progress", elem_classes="a-live")
            notice = gr.HTML(elem_id="chat-notice", elem_classes="a-live")
            now = gr.Button(t("chat.answer_now"), size="sm", visible=False, elem_id="chat-answer-now", scale=0)
            with gr.Column(elem_classes="a-composing", min_width=0):
                with gr.Row(elem_classes="a-composer"):
                    chats.files.render()
                    chats.prompt.render()
                    run, stop = run_row(TASK, "chat.run", halt)
                context = ContextLine(page, chats, settings)
            context.place()
    order = gr.Textbox(visible="hidden", elem_classes="a-hidden")
    ordered = gr.Button(visible="hidden", elem_id="chat-order", elem_classes="a-hidden")
    page.prompts[TASK] = chats.prompt
    offers = Offers(page, TASK, picker, {"max_tokens": settings.of["max_tokens"]})
    outputs = [run, stop, progress, notice, talk, live, starters, chats.prompt, *chats.shown, *settings.fields]
    outputs += [chats.files, settings.presets.list, chats.told, now]

    # ---- what is shown
    def shows(chat: Chat, request: gr.Request, *, running: bool = False, beside: int = -1) -> Changes:
        spoken = language(request)
        others = [] if running else settings.others(chat, spoken)
        files = attached.drawer(page, page.chats(request), chat, spoken)
        return {
            talk: messages.draw(chat, spoken, running=running, beside=beside, others=others, files=files),
            live: gr.update(visible=False, value=""),
            now: gr.update(visible=False),
            starters: gr.update(visible=not chat.messages),
        }

    def idle() -> Changes:
        return dict(zip((run, stop), job_progress.running(False), strict=True))

    def follow(
        job: Job, chat: Chat, request: gr.Request, turn: int, more: Changes, *, beside: bool = False
    ) -> Iterator[Changes]:
        """Show a conversation while it is being answered, from wherever the answer is, until the page shows another."""
        spoken, store, said, due, thinking = language(request), page.chats(request), "", 0.0, False
        buttons = zip((run, stop), job_progress.running(not job.cancelled), strict=True)
        yield {**shows(chat, request, running=True), **dict(buttons), **more}
        for update in job_progress.watch(job, lambda: not windows.at(request, turn)):
            if not windows.at(request, turn):
                break
            said += update.text
            on = not update.final and not update.stopping
            changes = dict(
                zip((run, stop, progress), (*job_progress.running(on), messages.progress(update, spoken)), strict=True)
            )
            if thoughts.under_way(said) != thinking:
                thinking = not thinking
                changes[now] = gr.update(visible=thinking and on)
            if not update.final and (begun := time.monotonic()) >= due:
                changes[live] = gr.update(visible=True, value=messages.live(said, spoken))
                due = begun + DRAWING * (time.monotonic() - begun)
            if update.final:
                try:
                    kept = store.load(chat.id)
                    changes |= shows(kept, request, beside=len(chat.messages) if beside else -1)
                    if kept.open and said.strip():  # the disk refused it: it can still be copied
                        changes[live] = gr.update(visible=True, value=messages.live(said, spoken))
                except StudioError as error:
                    changes |= {live: gr.update(visible=False), notice: job_progress.failure(error, spoken)}
            yield changes
        if not windows.at(request, turn):
            yield left(request)

    def left(request: gr.Request) -> Changes:
        """What a page shows by now: the last update for what it showed before may have come after that."""
        try:
            chat = chats.load(request, windows.chat(request))
        except StudioError:
            return {progress: gr.skip()}
        job = page.studio.answering(chat.id)
        changes = shows(chat, request, running=job is not None)
        on = job is not None and not job.cancelled
        changes |= zip((run, stop), job_progress.running(on), strict=True)
        if job is None:
            return {**changes, progress: ""}
        del changes[live]  # its own follower draws that
        return changes

    def open_(request: gr.Request, id: str, used: str | None, words: str = "") -> Iterator[Changes]:
        """Show a conversation, with the model and the sampling that it is answered with."""
        spoken = language(request)
        try:
            chat = chats.load(request, id)
        except StudioError as error:
            windows.show(request, "")
            changes = {**shows(page.chats(request).new(), request), **idle(), progress: ""}
            yield {**changes, **chats.update(request, ""), notice: job_progress.failure(error, spoken) + words}
            return
        turn = windows.show(request, id)
        said = settings.notice(chat, used, spoken)
        changes = {**settings.show(chat, spoken), **chats.update(request, id), progress: ""}
        changes[notice] = words + (job_progress.note(said) if said else "")
        if (job := page.studio.answering(id)) is not None:
            yield from follow(job, chat, request, turn, changes)
        else:
            yield {**shows(chat, request), **idle(), **changes}

    def refused(error: StudioError, request: gr.Request, place: Place, typed: Changes) -> Iterator[Changes]:
        """Say why nothing was done. What was typed stays; a conversation that is another one by now is shown."""
        spoken = language(request)
        said = job_progress.failure(error, spoken) + attached.instead(error, spoken)
        if error.code not in ELSEWHERE:
            yield {progress: said, notice: "", **typed}
            return
        yield {notice: said, **typed}
        try:
            chat = chats.load(request, place.chat)
        except StudioError:
            windows.show(request, "")
            yield {**shows(page.chats(request).new(), request), **idle(), **chats.update(request, "")}
            return
        turn, job = windows.show(request, chat.id), page.studio.answering(chat.id)
        if job is None:
            yield {**shows(chat, request), **idle(), **chats.update(request, chat.id)}
            return
        yield from follow(job, chat, request, turn, chats.update(request, chat.id))
        if error.code == "chat_busy" and windows.at(request, turn):
            yield {notice: ""}

    # ---- what is done
    def ask(
        request: gr.Request, place: Place, change: Callable[[Chat], Chat], values: tuple[Any, ...],
        accepted: Changes, typed: Changes, *, words: str = "", begins: Callable[[Chat], str] | None = None,
        late: bool = False, model: str = "",
    ) -> Iterator[Changes]:  # fmt: skip
        """Have a conversation answered after a change, and follow the answer.

        Args:
            accepted: updates once it is on its way. typed: updates that keep what was typed where it is refused.
            words: a new message. An answer that came while it was typed is no reason to refuse it.
            begins: of the conversation before the change, what its answer begins with.
            model: another one that answers this once; the answers stand side by side then.
            late: an answer that came since it was pressed is no reason to refuse it either.
        """
        store, spoken = page.chats(request), language(request)
        try:
            asked = settings.read(values)
            if (before := page.studio.answering(place.chat)) is not None and before.cancelled:
                for update in job_progress.watch(
                    before
                ):  # it was stopped: what it has said so far belongs before the question
                    yield {progress: job_progress.progress(update, spoken), **typed}
            with page.presses.turn(page.who(request) if page.studio.settings.public else ""):
                place = Place(place.chat or windows.chat(request), place.mark)
                found = chats.load(request, place.chat)
                if page.studio.answering(place.chat) is not None:
                    if words == found.messages[-1].content and not place.fits(found):
                        yield typed  # pressed twice before the page could show it
                        return
                    raise StudioError("chat_busy")
                if place.chat and not place.fits(found, answered=bool(words or late)):
                    raise StudioError("chat_changed")
                used = asked.model or page.studio.default_model(TASK).id
                note = settings.missing(found, used, spoken)
                chat = settings.keep(change(found), asked)
                asked = replace(asked, opening=begins(found)) if begins else asked
                asked = replace(asked, model=model) if model else asked
                seen = found.mark if place.chat else ""
                notes = (note,) if note else ()
                job = page.begin(request, lambda who: page.studio.say(chat, asked, who, store, seen=seen, notes=notes))
                turn = windows.show(request, chat.id)
        except StudioError as error:
            yield from refused(error, request, place, typed)
            return
        more = {**accepted, **chats.update(request, chat.id), notice: ""}
        yield from follow(job, chat, request, turn, more, beside=bool(model))

    def send(request: gr.Request, words: str, given: Any, where: str, *values: Any) -> Iterator[Changes]:
        try:
            files = attached.read(given, page.studio.settings.public)
            if not words.strip() and not files:
                raise StudioError("empty", field=text("label.prompt", language(request)))
        except StudioError as error:
            yield {progress: job_progress.failure(error, language(request))}
            return

        def more(chat: Chat) -> Chat:
            return chat.replaced(len(chat.messages), Entry("user", words, files=files))

        sent, kept = {chats.prompt: "", chats.files: None}, {chats.prompt: gr.skip(), chats.files: gr.skip()}
        yield from ask(request, Place.read(where), more, values, sent, kept, words=words, late=bool(files))

    def again(request: gr.Request, where: str, *values: Any, model: str = "") -> Iterator[Changes]:
        """Answer the last question once more; the answer that it had is kept."""
        kept = {chats.prompt: gr.skip()}
        yield from ask(request, Place.read(where), message_actions.asked_again, values, kept, kept, model=model)

    def answer_now(request: gr.Request, where: str, *values: Any) -> Iterator[Changes]:
        """End a thought that goes on, and have the answer written from there."""
        place, kept = Place.read(where), {chats.prompt: gr.skip()}
        if (job := page.studio.answering(place.chat or windows.chat(request))) is not None:
            job.cancel()
        again, begins = message_actions.asked_again, message_actions.to_answer_now
        yield from ask(request, place, again, values, kept, kept, begins=begins, late=True)

    def obey(request: gr.Request, said: str, where: str, prompt: str, *values: Any) -> Iterator[Changes]:
        """What was pressed at a message."""
        what, at, words = message_actions.read_order(said)
        place = Place.read(where)
        if what in ("retry", "answer"):
            yield from again(request, where, *values, model=words)
        elif what == "beside":
            yield from compared(request, place, at)
        elif what == "continue":
            kept = {chats.prompt: gr.skip()}
            cut, begins = message_actions.asked_again, message_actions.to_continue
            yield from ask(request, place, cut, values, kept, kept, begins=begins)
        elif what == "branch":
            yield from branched(request, place, at, values[0])
        elif what == "edit" and words.strip():
            typed = {chats.prompt: message_actions.together(prompt, words)}
            yield from ask(request, place, lambda chat: message_actions.edited(chat, at, words), values, {}, typed)
        elif what in ("undo", "earlier", "later", "back", "delete", "keep") or (what == "reword" and words.strip()):
            yield from turned(request, place, what, at, prompt, words)
        else:
            yield {progress: gr.skip()}

    def compared(request: gr.Request, place: Place, at: int) -> Iterator[Changes]:
        """Show all versions of a message."""
        try:
            chat = page.chats(request).load(place.chat)
            if page.studio.answering(place.chat) is not None or not 0 <= at < len(chat.messages):
                raise StudioError("chat_busy" if 0 <= at < len(chat.messages) else "chat_changed")
        except StudioError as error:
            yield from refused(error, request, place, {chats.prompt: gr.skip()})
            return
        yield shows(chat, request, beside=at)

    def branched(request: gr.Request, place: Place, at: int, used: Any) -> Iterator[Changes]:
        """Begin another conversation with what was said up to a message, and show it."""
        store = page.chats(request)
        try:
            found = store.load(place.chat)
            if not place.fits(found) or not 0 <= at < len(found.messages):
                raise StudioError("chat_changed")
            chat = store.branch(found, at)
        except StudioError as error:
            yield from refused(error, request, place, {chats.prompt: gr.skip()})
            return
        yield from open_(request, chat.id, used)

    def turned(request: gr.Request, place: Place, what: str, at: int, prompt: str, words: str) -> Iterator[Changes]:
        """Change a conversation without asking for an answer."""
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
            yield from refused(error, request, place, {chats.prompt: gr.skip()})
            return
        changes = {**shows(chat, request), progress: "", notice: "", chats.files: files or gr.skip()}
        yield {**changes, chats.prompt: message_actions.together(taken, prompt) if taken else gr.skip()}

    def keep(request: gr.Request, where: str, *values: Any) -> None:
        """What was changed in the fields is the conversation's from now on, also where nothing is sent."""
        settings.store(page.chats(request), Place.read(where).chat, values)

    def choose(request: gr.Request, where: str, *values: Any) -> None:
        """So is the model, where a person chose another one."""
        settings.store(page.chats(request), Place.read(where).chat, values, chosen=True)

    # ---- opening
    def new(used: str | None, request: gr.Request) -> Iterator[Changes]:
        yield from open_(request, "", used)

    def opened(id: str | None, used: str | None, request: gr.Request) -> Iterator[Changes]:
        yield from open_(request, id or "", used)

    def deleted(id: str, used: str | None, request: gr.Request) -> Iterator[Changes]:
        """Show another conversation instead of one that is gone."""
        if (job := page.studio.answering(id)) is not None:
            job.cancel()
        if windows.chat(request) != id:
            yield chats.update(request, windows.chat(request))
            return
        yield from open_(request, chats.newest(request), used)

    def attach(last: str | None, used: str | None, request: gr.Request) -> Iterator[Changes]:
        """A page that was opened again shows what it showed: else the answer that runs, else the newest conversation.

        Args:
            last: the conversation that the browser showed last; empty for a new one, None where it never showed any.
        """
        if last == "":  # nothing was said yet: what the fields hold is the browser's to know
            for changes in open_(request, "", used):
                yield {part: now for part, now in changes.items() if part not in settings.fields}
            return
        try:
            if last:
                chats.load(request, last)
        except StudioError:
            last = None
        job = page.running(request, TASK)
        yield from open_(request, last or (job.tag if job and job.tag else chats.newest(request)), used)

    picker.list.change(
        lambda used: gr.update(value=examples(EXAMPLES, english(page, used))), picker.list, starters, **quick()
    )
    asking = {**pumping(js=f"(words, files, _, ...rest) => [words, files, {WHERE}, ...rest]"), "preprocess": False}
    asked = [chats.prompt, chats.files, chats.where, *settings.fields]
    run.click(send, asked, outputs, **asking)
    chats.prompt.submit(send, asked, outputs, **asking)
    context.wire(talk, progress)
    here = f"(_, ...rest) => [{WHERE}, ...rest]"
    offers.wire(fn=again, inputs=[chats.where, *settings.fields], outputs=outputs, **pumping(js=here))
    now.click(answer_now, [chats.where, *settings.fields], outputs, **pumping(js=here))
    ordered.click(obey, [order, chats.where, chats.prompt, *settings.fields], outputs, **pumping(js=_ORDERED))
    kept = [chats.where, *settings.fields]
    for part in (settings.system, *settings.of.values()):
        part.blur(keep, kept, None, js=here, **quick())
    settings.presets.wire(settings, keep, kept, here)
    picker.list.input(choose, [chats.where, *settings.fields], None, js=here, **quick())
    chats.wire(new, opened, deleted, picker.list, outputs)
    last = "(_, used) => [atelier.lastChat(), used]"
    opening = pumping(js=last)
    page.after_recall(TASK, fn=attach, inputs=[chats.where, picker.list], outputs=outputs, **opening)
    page.localised(attach, [chats.where, picker.list], outputs, on_opening=False, idle=True, **opening)


def english(page: Page, model: Any) -> bool:
    """Whether a model reads English only."""
    card = page.studio.catalog.find(str(model or ""))
    return card is not None and not reads_chinese(card)
