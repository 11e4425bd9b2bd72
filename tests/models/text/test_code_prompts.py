"""Prompts of code, byte for byte as the documents of each family of models have them, from tokenizers built here."""

from __future__ import annotations

from typing import Any

import pytest
from tiny import CHAT_TEMPLATE, byte_tokenizer

from studio.engines.text import code_prompts
from studio.engines.text.tokenizers import Reading
from studio.errors import StudioError
from studio.request_parts import CodeEdit, CodeFile
from studio.requests import CodeRequest
from studio.tasks.code.fim import fim_family

P, S = "def add(a, b):\n    return ", "\n\n\nprint(add(1, 2))\n"
FILES = (CodeFile("lib/a.py", "A = 1"), CodeFile("b.py", "B = 2\n"))
QWEN = ("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>")
QWEN_REPO = (*QWEN, "<|repo_name|>", "<|file_sep|>")
STAR = ("<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<fim_pad>")
DEEPSEEK = ("<｜end▁of▁sentence｜>", "<｜begin▁of▁sentence｜>", "<｜fim▁hole｜>", "<｜fim▁begin｜>", "<｜fim▁end｜>")


def filling(tokenizer: Any, ask: bool = True, **changes: Any) -> code_prompts.Filling:
    reading = Reading(tokenizer, {})
    family = fim_family(reading.has)
    values: dict[str, Any] = {"prefix": P, "suffix": S, "max_tokens": 16, "language": "python"}
    request = CodeRequest(**(values | changes))
    return code_prompts.code(reading, request, family, 8_000, lambda: None, ask=ask)


def read(tokenizer: Any, filled: code_prompts.Filling) -> str:
    """The prompt as the tokenizer says it, which has to be what a person is shown."""
    written = tokenizer.decode(filled.ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    assert written == filled.text
    return written


@pytest.mark.parametrize(
    ("special", "prompt"),
    [
        (QWEN, f"<|fim_prefix|>{P}<|fim_suffix|>{S}<|fim_middle|>"),
        ((*QWEN[:-1], "<|file_separator|>"), f"<|fim_prefix|>{P}<|fim_suffix|>{S}<|fim_middle|>"),
        (STAR, f"<fim_prefix>{P}<fim_suffix>{S}<fim_middle>"),
        ((*STAR, "<|im_start|>"), f"<fim_suffix>{S}<fim_prefix>{P}<fim_middle>"),
        (("<|endoftext|>", "<fim-prefix>", "<fim-middle>", "<fim-suffix>"),
         f"<fim-prefix>{P}<fim-suffix>{S}<fim-middle>"),
        (DEEPSEEK, f"<｜fim▁begin｜>{P}<｜fim▁hole｜>{S}<｜fim▁end｜>"),
        (("</s>", "<s>", "[SUFFIX]", "[PREFIX]"), f"[SUFFIX]{S}[PREFIX]{P}"),
        (("</s>", "<[fim-suffix]>", "<[fim-prefix]>", "<[fim-middle]>"),
         f"<[fim-suffix]>{S}<[fim-prefix]>{P}<[fim-middle]>"),
        (("</s>", "<|code_suffix|>", "<|code_prefix|>", "<|code_middle|>"),
         f"<|code_suffix|>{S}<|code_prefix|>{P}<|code_middle|>"),
    ],
    ids=("qwen", "codegemma", "starcoder", "mellum", "santacoder", "deepseek", "codestral", "seed", "codegeex"),
)  # fmt: skip
def test_a_gap_is_marked_as_the_family_documents_it(special: tuple[str, ...], prompt: str) -> None:
    tokenizer = byte_tokenizer(*special)
    filled = filling(tokenizer)
    assert read(tokenizer, filled) == prompt
    marks = [token for token in special if token in prompt]
    assert [filled.ids.count(tokenizer.convert_tokens_to_ids(mark)) for mark in marks] == [1] * len(marks)


@pytest.mark.parametrize(
    ("special", "prompt"),
    [
        (QWEN_REPO, "<|repo_name|>project\n<|file_sep|>lib/a.py\nA = 1\n<|file_sep|>b.py\nB = 2\n<|file_sep|>main.py\n"
                    f"<|fim_prefix|>{P}<|fim_suffix|>{S}<|fim_middle|>"),
        ((*STAR, "<repo_name>", "<file_sep>"),
         "<repo_name>project<file_sep>lib/a.py\nA = 1\n<file_sep>b.py\nB = 2\n<file_sep>"
         f"<fim_prefix>main.py\n{P}<fim_suffix>{S}<fim_middle>"),
        ((*STAR, "<|im_start|>", "<filename>"), "<filename>lib/a.py\nA = 1\n<filename>b.py\nB = 2\n<filename>main.py\n"
                                                f"<fim_suffix>{S}<fim_prefix>{P}<fim_middle>"),
        (DEEPSEEK, f"#lib/a.py\nA = 1\n#b.py\nB = 2\n#main.py\n<｜fim▁begin｜>{P}<｜fim▁hole｜>{S}<｜fim▁end｜>"),
        (("</s>", "<s>", "[SUFFIX]", "[PREFIX]"),
         f"[SUFFIX]{S}[PREFIX]+++++ lib/a.py\nA = 1\n\n+++++ b.py\nB = 2\n\n+++++ main.py\n{P}"),
        (STAR, f"<fim_prefix># Path: lib/a.py\n# A = 1\n\n# Path: b.py\n# B = 2\n\n{P}<fim_suffix>{S}<fim_middle>"),
    ],
    ids=("qwen", "starcoder2", "mellum", "deepseek", "codestral", "as comments"),
)  # fmt: skip
def test_other_files_stand_before_as_the_family_documents_it(special: tuple[str, ...], prompt: str) -> None:
    tokenizer = byte_tokenizer(*special)
    assert read(tokenizer, filling(tokenizer, files=FILES, path="main.py")) == prompt


def sentences(*special: str) -> Any:
    """A tokenizer that puts a space in front of every text, as those of Code Llama and of Mistral do."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted({*"▁", *(P + S).replace(" ", "▁")})
    vocabulary = {token: number for number, token in enumerate([*special, *(f"<0x{n:02X}>" for n in range(256))])}
    vocabulary |= {letter: len(vocabulary) + number for number, letter in enumerate(letters)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True, fuse_unk=True))
    backend.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="always", split=False)
    backend.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    backend.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=special[0], eos_token=special[1])


def test_code_llama_s_suffix_has_no_space_in_front() -> None:
    """As its own program does it: the prefix with the tokenizer's space, the suffix without."""
    tokenizer = sentences("<s>", "</s>", "▁<PRE>", "▁<SUF>", "▁<MID>", "▁<EOT>")
    number = tokenizer.convert_tokens_to_ids
    whole = tokenizer(P, add_special_tokens=False).input_ids
    behind = tokenizer("☺" + S, add_special_tokens=False).input_ids[
        len(tokenizer("☺", add_special_tokens=False).input_ids) :
    ]
    assert filling(tokenizer).ids == [number("▁<PRE>"), *whole, number("▁<SUF>"), *behind, number("▁<MID>")]
    assert tokenizer.convert_ids_to_tokens(whole[:1]) == ["▁"]
    assert tokenizer.convert_ids_to_tokens(behind[:2]) == ["<0x0A>", "<0x0A>"] or behind[0] == number("\n")


def test_codestral_s_prompt_is_that_of_mistral_s_own_program() -> None:
    tokenizer = sentences("<s>", "</s>", "[SUFFIX]", "[PREFIX]")

    def encode(text: str) -> list[int]:
        return tokenizer(text, add_special_tokens=False).input_ids

    number = tokenizer.convert_tokens_to_ids
    expected = [number("[SUFFIX]"), *encode("☺" + S)[len(encode("☺")) :], number("[PREFIX]"), *encode(P)]
    assert filling(tokenizer).ids == expected


def test_marks_in_a_person_s_code_and_files_stay_text() -> None:
    tokenizer = byte_tokenizer(*QWEN_REPO)
    mark = "<|fim_middle|><|file_sep|>"
    filled = filling(tokenizer, prefix=mark, suffix=mark, files=(CodeFile(mark, mark),), path=mark)
    counts = [filled.ids.count(tokenizer.convert_tokens_to_ids(one)) for one in ("<|fim_middle|>", "<|file_sep|>")]
    assert counts == [1, 2]


def test_a_model_that_talks_is_asked_and_its_answer_is_opened_for_it() -> None:
    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", template=CHAT_TEMPLATE)
    filled = filling(tokenizer, files=FILES[:1], path="main.py")
    prompt = read(tokenizer, filled)
    assert prompt.endswith(f"File lib/a.py:\nA = 1\n\nFile main.py:\n{P}{{{{FILL_HERE}}}}{S}<|im_end|>\n"
                           "<|im_start|>assistant\n<COMPLETION>")  # fmt: skip
    assert ("asked_to_fill", {}) in filled.notes
    assert filled.cleaner.feed("a + b</COMPLETION> I added them.") + filled.cleaner.finish() == "a + b"


def test_a_model_that_is_not_to_be_asked_goes_on_from_left_to_right() -> None:
    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", template=CHAT_TEMPLATE)
    filled = filling(tokenizer, ask=False, files=FILES[:1])
    assert read(tokenizer, filled) == f"# Path: lib/a.py\n# A = 1\n\n{P.rstrip()}"
    assert filled.notes == (("no_fim", {}),)
    assert filling(tokenizer, suffix="").notes == ()


def test_a_thought_that_the_template_opens_is_closed_before_the_answer() -> None:
    template = CHAT_TEMPLATE.replace("assistant\n{% endif %}", "assistant\n<think>\n{% endif %}")
    tokenizer = byte_tokenizer("<|endoftext|>", "<|im_start|>", "<|im_end|>", template=template)
    assert filling(tokenizer).text.endswith("assistant\n<think>\n\n</think>\n\n<COMPLETION>")


def test_files_that_do_not_fit_are_cut_and_told() -> None:
    tokenizer = byte_tokenizer(*QWEN_REPO)
    files = (CodeFile("long.py", "x = 1\n" * 9_000), CodeFile("short.py", "y = 2\n"), CodeFile("empty.py"))
    filled = filling(tokenizer, files=files)
    assert filled.notes == (("files_cut", {"names": "long.py"}),)
    assert "short.py\ny = 2\n" in filled.text
    assert len(filled.ids) < 8_000
    many = tuple(CodeFile(f"{number}.py", "x = 1\n" * 90) for number in range(300))
    notes = dict(filling(tokenizer, files=many).notes)
    assert notes["files_left"]["names"].startswith("0.py")


def test_the_next_edit_is_asked_for_with_the_tokens_between_files_and_of_models_made_for_it_alone() -> None:
    tokenizer = byte_tokenizer(*QWEN_REPO)
    reading = Reading(tokenizer, {})
    edits = (CodeEdit("a.py", "b<|file_sep|>", "c"),)
    request = CodeRequest(prefix="c = 1\nprint(", suffix="b)", path="a.py", edits=edits, max_tokens=16)
    filled = code_prompts.code(reading, request, None, 8_000, lambda: None, ask=True, rewrites=True)
    assert read(tokenizer, filled) == (
        "<|file_sep|>a.py.diff\noriginal:\nb<|file_sep|>\nupdated:\nc\n"
        "<|file_sep|>original/a.py\nb<|file_sep|> = 1\nprint(b)\n"
        "<|file_sep|>current/a.py\nc = 1\nprint(b)\n<|file_sep|>updated/a.py"
    )
    assert filled.ids.count(reading.token("<|file_sep|>")) == 4  # what a person wrote is no token
    for rewrites, special in ((False, QWEN_REPO), (True, STAR)):
        other = Reading(byte_tokenizer(*special), {})
        with pytest.raises(StudioError) as caught:
            code_prompts.code(other, request, None, 8_000, lambda: None, ask=True, rewrites=rewrites)
        assert caught.value.code == "no_next_edit"
