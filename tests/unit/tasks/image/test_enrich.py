"""A few words made into a prompt by a chat model."""

from __future__ import annotations

import pytest

from studio.tasks.image import enrich


def test_tags_stay_out_of_what_the_model_reads_and_come_back() -> None:
    request = enrich.asked("a fox <lora:ink:0.7> in snow")
    assert request.messages[-1].content == "Idea: a fox in snow"
    assert (
        enrich.read("Prompt: A red fox in deep snow", "a fox <lora:ink:0.7>") == "A red fox in deep snow <lora:ink:0.7>"
    )


@pytest.mark.parametrize(
    ("answer", "prompt"),
    [
        ('Prompt: "A red fox in deep snow."', "A red fox in deep snow."),
        ("Prompt:\n\nA red fox\n\nI hope that this helps!", "A red fox"),
        ("Prompt: A red fox\nIdea: a dog\nPrompt: A dog", "A red fox"),
        ("Prompt: A red fox runs through deep snow. The pines are", "A red fox runs through deep snow."),
        ("提示词：“雪地里的红狐狸”", "雪地里的红狐狸"),
        ("Prompt: A fox,\nwith snow on its nose", "A fox, with snow on its nose"),
        ("Prompt:", ""), ("", ""), ("Prompt: \"\"", ""),
    ],
)  # fmt: skip
def test_what_of_an_answer_is_the_prompt(answer: str, prompt: str) -> None:
    assert enrich.read(answer, "a fox") == prompt


def test_an_endless_answer_is_cut() -> None:
    assert len(enrich.read("Prompt: " + "snow " * 5_000, "a fox")) <= enrich.LONGEST
