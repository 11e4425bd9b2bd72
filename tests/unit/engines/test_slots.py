"""Which slot of a llama.cpp server a request gets."""

from __future__ import annotations

import threading

import pytest

from studio.engines.text.slots import Slots
from studio.errors import Cancelled
from studio.requests import Task

SYSTEM = list(range(30))


def never() -> None: ...


def use(slots: Slots, ids: list[int], task: Task = "chat") -> int:
    with slots.taken(ids, task, never) as slot:
        slot.read = ids
        return slot.number


def talk(who: int, turns: int) -> list[int]:
    return SYSTEM + [1000 * who + number for number in range(20 * turns)]


def test_a_conversation_comes_back_to_its_slot_whoever_talks_meanwhile() -> None:
    slots = Slots(3)
    first = [use(slots, talk(who, 1)) for who in (1, 2, 3)]
    assert sorted(first) == [0, 1, 2], "one system prompt makes them no one conversation"
    for turns in range(2, 8):
        assert [use(slots, talk(who, turns)) for who in (2, 3, 1)] == [first[1], first[2], first[0]]


def test_a_new_one_gets_the_slot_that_was_left_longest_ago() -> None:
    slots = Slots(3)
    first = [use(slots, talk(who, 3)) for who in (1, 2, 3)]
    use(slots, talk(1, 4))
    assert use(slots, talk(4, 1)) == first[1]
    assert use(slots, talk(1, 5)) == first[0]


def test_code_that_is_typed_keeps_to_its_slot_wherever_the_cursor_is() -> None:
    slots = Slots(4)
    chats = [use(slots, talk(who, 2)) for who in (1, 2)]
    code = use(slots, list(range(5000, 5400)), "code")
    for start in (10, 200, 3):
        assert use(slots, list(range(5000, 5000 + start)) + [start] * 300, "code") == code
    assert [use(slots, talk(who, 3)) for who in (1, 2)] == chats


def test_nobody_gets_a_slot_that_is_in_use_and_stop_ends_the_waiting() -> None:
    slots, stopped, got = Slots(1), threading.Event(), list[object]()

    def check() -> None:
        if stopped.is_set():
            raise Cancelled

    def wait() -> None:
        try:
            with slots.taken(talk(1, 2), "chat", check) as slot:
                got.append(slot.number)
        except Cancelled:
            got.append("stopped")

    with slots.taken(talk(1, 1), "chat", never):
        waiting = threading.Thread(target=wait)
        waiting.start()
        waiting.join(0.05)
        assert got == []
        stopped.set()
        waiting.join(5)
    assert got == ["stopped"]
    stopped.clear()
    wait()
    assert got == ["stopped", 0]


def test_a_slot_is_free_again_after_a_failure() -> None:
    slots = Slots(1)
    with pytest.raises(ValueError, match="broke"), slots.taken([1], "chat", never):
        raise ValueError("broke")
    assert use(slots, [1]) == 0
