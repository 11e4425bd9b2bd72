"""Causal language models through the text engine: chat, code completion, and what is refused."""

import dataclasses
import json
import pickle
import shutil
from pathlib import Path

import pytest
from tiny import CPU, Recorder, byte_tokenizer, card, load, tiny_llama, tiny_qwen

from studio.engines.text.transformers_lm import TextEngine
from studio.errors import Cancelled, StudioError
from studio.request_parts import Message
from studio.requests import ChatRequest, CodeRequest

ENGINE = TextEngine()
OPTIONS = {"dtype": "float32"}


def ask(*turns: str, **changes) -> ChatRequest:
    messages = tuple(Message(("user", "assistant")[number % 2], text) for number, text in enumerate(turns))
    values = {"max_tokens": 12, "temperature": 0.0, "top_p": 1.0, "top_k": 0, "min_p": 0.0, "repetition_penalty": 1.0}
    return ChatRequest(messages=messages, **(values | {"seed": 1} | changes))


def complete(prefix: str, suffix: str = "", **changes) -> CodeRequest:
    values = {"max_tokens": 12, "temperature": 0.0, "top_p": 1.0, "seed": 1}
    return CodeRequest(prefix=prefix, suffix=suffix, **(values | changes))


@pytest.fixture(scope="module")
def chat(chat_folder):
    model = load(ENGINE, chat_folder, options=OPTIONS)
    yield model
    model.close()


@pytest.fixture(scope="module")
def code(code_folder):
    model = load(ENGINE, code_folder, options=OPTIONS)
    yield model
    model.close()


@pytest.fixture
def forwards(chat, monkeypatch):
    """The lengths of the pieces that the chat model computes."""
    lengths: list[int] = []
    inner = chat._model.model.forward

    def forward(*args, **kwargs):
        ids = kwargs.get("input_ids", args[0] if args else None)
        lengths.append(ids.shape[1])
        return inner(*args, **kwargs)

    monkeypatch.setattr(chat._model.model, "forward", forward)
    return lengths


def test_text_streams_and_adds_up_to_the_answer(chat):
    context = Recorder()
    output = chat.run(ask("hello world"), context)
    assert output.text
    assert "".join(context.texts) == output.text
    assert "\ufffd" not in output.text
    assert context.steps[-1] == (12, 12)
    assert output.finish == "length"
    assert output.stats["tokens"] == 12
    assert output.stats["tokens_per_second"] > 0


def test_the_same_seed_gives_the_same_answer_and_another_seed_another(chat):
    answers = [chat.run(ask("hi", temperature=1.5, seed=seed), Recorder()).text for seed in (7, 7, 8)]
    assert answers[0] == answers[1] != answers[2]


def test_a_second_turn_computes_only_what_is_new_and_says_the_same(chat, chat_folder, forwards):
    first = chat.run(ask("a picture of a red heart"), Recorder()).text
    forwards.clear()
    second = ask("a picture of a red heart", first, "and the capital of France?")
    reused = chat.run(second, Recorder())
    fresh = load(ENGINE, chat_folder, options=OPTIONS).run(second, Recorder())
    assert reused.text == fresh.text
    assert fresh.stats["cached_tokens"] == 0
    assert reused.stats["cached_tokens"] > 0
    assert sum(forwards[:2]) == reused.stats["prompt_tokens"] - reused.stats["cached_tokens"]


def test_an_edited_turn_is_answered_as_if_it_had_always_been_so(chat, chat_folder):
    chat.run(ask("hello world", "yes", "a red heart"), Recorder())
    edited = ask("hello world", "yes", "a blue car and more words than before")
    output = chat.run(edited, Recorder())
    assert output.stats["cached_tokens"] > 0
    assert output.text == load(ENGINE, chat_folder, options=OPTIONS).run(edited, Recorder()).text


def test_regenerating_computes_one_token_of_the_prompt_again(chat, forwards):
    chat.run(ask("hello world"), Recorder())
    forwards.clear()
    chat.run(ask("hello world"), Recorder())
    assert forwards[0] == 1


def test_stop_keeps_what_was_said_and_the_next_answer_is_right(chat, chat_folder):
    context = Recorder(stop_after=4)
    output = chat.run(ask("hello world"), context)
    assert output.finish == "cancelled"
    assert output.stats["tokens"] <= 5
    assert "".join(context.texts) == output.text
    again = chat.run(ask("hello world"), Recorder()).text
    assert again == load(ENGINE, chat_folder, options=OPTIONS).run(ask("hello world"), Recorder()).text
    assert again.startswith(output.text)


def test_stop_is_heard_while_a_long_prompt_is_read(chat):
    with pytest.raises(Cancelled):
        chat.run(ask("word " * 400), Recorder(stop_after=0))


def test_a_long_prompt_read_in_parts_gives_the_same_answer(chat, monkeypatch):
    long = ask("hello world " * 20)
    whole = chat.run(long, Recorder()).text
    monkeypatch.setattr("studio.engines.text.transformers_lm._PREFILL", 16)
    chat.run(ask("something else"), Recorder())
    assert chat.run(long, Recorder()).text == whole


def test_a_model_that_keeps_a_state_starts_anew_where_a_turn_was_edited(tmp_path, monkeypatch):
    tiny_qwen(tmp_path)
    model = load(ENGINE, tmp_path, options=OPTIONS)
    assert "visual" not in dict(model._model.named_modules())
    model.run(ask("hello world"), Recorder())
    edited = model.run(ask("hello France"), Recorder())
    assert edited.stats["cached_tokens"] == 0
    monkeypatch.setattr("studio.engines.text.transformers_lm._PREFILL", 8)
    assert load(ENGINE, tmp_path, options=OPTIONS).run(ask("hello France"), Recorder()).text == edited.text


def test_a_full_memory_is_said_and_the_next_answer_is_right(chat, monkeypatch):
    expected = chat.run(ask("hello world"), Recorder()).text

    def full(*_, **__):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes.")

    with monkeypatch.context() as patch:
        patch.setattr(chat._model, "generate", full)
        with pytest.raises(StudioError) as caught:
            chat.run(ask("hello world"), Recorder())
    assert caught.value.code == "out_of_memory"
    assert chat.run(ask("hello world"), Recorder()).text == expected


def test_a_stop_string_ends_the_answer_and_is_not_shown(chat):
    whole = chat.run(ask("hello world"), Recorder()).text
    stop = whole[3:5]
    context = Recorder()
    output = chat.run(ask("hello world", stop=(stop,)), context)
    assert output.finish == "stop"
    assert output.text == "".join(context.texts) == whole[: whole.index(stop)]


def test_a_conversation_that_does_not_fit_is_refused_with_its_numbers(chat):
    with pytest.raises(StudioError) as caught:
        chat.run(ask("word " * 4000), Recorder())
    assert caught.value.code == "context_full"
    assert caught.value.params["count"] > caught.value.params["limit"] == 2048


def test_the_context_limit_of_the_card_counts(chat_folder):
    model = load(ENGINE, chat_folder, options=OPTIONS, limits={"context": 64})
    with pytest.raises(StudioError, match="reads 64"):
        model.run(ask("word " * 60), Recorder())


def test_an_answer_goes_on_from_its_beginning(chat):
    context = Recorder()
    begun = chat.run(ask("hello world", opening="Sure, <|im_end|> here"), context)
    assert begun.text.startswith("Sure, <|im_end|> here")
    assert "".join(context.texts) == begun.text
    plain = chat.run(ask("hello world"), Recorder())
    assert begun.stats["prompt_tokens"] > plain.stats["prompt_tokens"] + 10  # as text, not as the token that ends it
    assert begun.stats["tokens"] == 12


def test_thinking_of_earlier_turns_is_not_given_back(chat):
    with_thought = chat.run(ask("hi", "<think>so much</think>\n\nyes", "more"), Recorder())
    without = chat.run(ask("hi", "yes", "more"), Recorder())
    assert with_thought.stats["prompt_tokens"] == without.stats["prompt_tokens"]


def test_a_system_prompt_reaches_a_model_whose_template_refuses_it(tmp_path):
    tokenizer = byte_tokenizer(
        "<|endoftext|>",
        template="{% for m in messages %}{% if m['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
        "{{ m['content'] }}{% endfor %}",
    )
    tokenizer.save_pretrained(tmp_path)
    tiny_llama(len(tokenizer)).save_pretrained(tmp_path)
    model = load(ENGINE, tmp_path, options=OPTIONS)
    output = model.run(ask("hi", system="Be brief."), Recorder())
    assert output.stats["prompt_tokens"] == len(tokenizer("Be brief.\n\nhi").input_ids)


def test_a_model_without_a_template_reads_plain_lines(code):
    output = code.run(ask("hello world", system="Be brief."), Recorder())
    tokenizer = byte_tokenizer("<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>")
    assert output.stats["prompt_tokens"] >= len(tokenizer("Be brief.\n\nUser: hello world\nAssistant:").input_ids) - 2


def test_a_gap_is_filled_in_the_model_s_own_format(code, monkeypatch):
    seen = []
    inner = code._model.generate
    monkeypatch.setattr(code._model, "generate", lambda ids, **rest: seen.append(ids) or inner(ids, **rest))
    code.run(complete("def add(a, b):", "print(i)"), Recorder())
    text = code._tokenizer.decode(seen[0][0])
    assert text == "<|fim_prefix|>def add(a, b):<|fim_suffix|>print(i)<|fim_middle|>"


def test_special_tokens_in_the_user_s_code_stay_text(code, monkeypatch):
    seen = []
    inner = code._model.generate
    monkeypatch.setattr(code._model, "generate", lambda ids, **rest: seen.append(ids) or inner(ids, **rest))
    code.run(complete('x = "<|fim_suffix|>"'), Recorder())
    special = code._tokenizer.convert_tokens_to_ids("<|fim_suffix|>")
    assert seen[0][0].tolist().count(special) == 1


def test_a_completion_streams_without_special_tokens(code):
    context = Recorder()
    output = code.run(complete("for i in range(", "):", temperature=1.0, max_tokens=60), context)
    assert "".join(context.texts) == output.text
    assert "<|" not in output.text


def test_a_model_without_the_tokens_says_so_and_writes_on(chat, chat_folder):
    output = chat.run(complete("def add(a, b):", "\nprint(1)"), Recorder())
    assert output.notes == (("asked_to_fill", {}),), "one that was taught to talk is asked"
    assert chat.run(complete("def add(a, b):"), Recorder()).notes == ()
    silent = load(ENGINE, chat_folder, options={**OPTIONS, "ask": False})
    assert silent.run(complete("def add(a, b):", "\nprint(1)"), Recorder()).notes == (("no_fim", {}),)


def test_how_sure_it_was_is_measured_where_there_are_several(code):
    import torch

    asked = complete("def add(a, b):", "print(i)", count=2, temperature=0.0, max_tokens=5)
    told = code.run(asked, Recorder()).stats
    prompt = code._tokenizer("<|fim_prefix|>def add(a, b):<|fim_suffix|>print(i)<|fim_middle|>", return_tensors="pt")
    ids, scores = prompt.input_ids, []
    for _ in range(int(told["tokens"])):  # the same by hand, all of it read anew for every token
        last = code._model(ids).logits[0, -1].float().log_softmax(-1)
        scores.append(float(last.max()))
        ids = torch.cat([ids, last.argmax().view(1, 1)], dim=1)
    assert told["mean_logprob"] == pytest.approx(sum(scores) / len(scores), abs=1e-3)
    assert "mean_logprob" not in code.run(complete("def add(a, b):", "print(i)"), Recorder()).stats


def test_the_exact_prompt_is_told_and_nothing_is_written(code):
    context = Recorder()
    output = code.run(complete("def add(a, b):", "print(i)", only_prompt=True), context)
    assert output.prompt == "<|fim_prefix|>def add(a, b):<|fim_suffix|>print(i)<|fim_middle|>"
    assert output.stats == {"prompt_tokens": len(code._tokenizer(output.prompt).input_ids)}
    assert (output.text, context.texts, context.steps) == ("", [], [])


def test_code_that_is_too_long_is_cut_far_from_the_cursor(code_folder):
    model = load(ENGINE, code_folder, options=OPTIONS, limits={"context": 128})
    output = model.run(complete("a" * 500, "b" * 500), Recorder())
    assert output.stats["prompt_tokens"] <= 128 - 12
    assert output.notes[0][0] == "code_cut"


def test_memory_is_counted_from_the_headers_and_once_for_tied_weights(chat_folder, tmp_path):
    model = load(ENGINE, chat_folder, options=OPTIONS)
    assert ENGINE.weights(card("text", options=OPTIONS), chat_folder) == pytest.approx(model.nbytes(), rel=0.01)
    halved = load(ENGINE, chat_folder, options={"dtype": "bfloat16"})
    assert halved.nbytes() * 2 == pytest.approx(model.nbytes(), rel=0.01)
    shutil.copytree(chat_folder, tmp_path, dirs_exist_ok=True)
    tied = tiny_llama(model._model.config.vocab_size, tie_word_embeddings=True)
    tied.save_pretrained(tmp_path)
    assert load(ENGINE, tmp_path, options=OPTIONS).nbytes() < model.nbytes()


def test_work_grows_with_the_prompt():
    assert ENGINE.work(card("text"), ask("word " * 1000)) > ENGINE.work(card("text"), ask("word"))


class _Attack:
    def __init__(self, target: Path) -> None:
        self.target = str(target)

    def __reduce__(self):
        return open, (self.target, "w")


def test_a_pickle_is_not_opened(chat_folder, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(chat_folder, folder)
    (folder / "model.safetensors").unlink()
    mark = tmp_path / "mark"
    for name in ("pytorch_model.bin", "model.pt", "model.ckpt"):
        (folder / name).write_bytes(pickle.dumps(_Attack(mark)))
    with pytest.raises(StudioError) as caught:
        load(ENGINE, folder)
    assert caught.value.code == "missing_files"
    assert not mark.exists()


def test_a_config_that_brings_code_is_refused(chat_folder, tmp_path):
    shutil.copytree(chat_folder, tmp_path, dirs_exist_ok=True)
    mark = tmp_path / "mark"
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')")
    config = json.loads((tmp_path / "config.json").read_text())
    config["auto_map"] = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(StudioError) as caught:
        load(ENGINE, tmp_path)
    assert caught.value.code == "custom_code"
    load(ENGINE, tmp_path, options={"ignore_code": True}).close()
    assert not mark.exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [("model.safetensors", b"\xff" * 64), ("model.safetensors", b""), ("config.json", b"{"), ("config.json", b"[]")],
)
def test_damaged_files_are_said_to_be_so(chat_folder, tmp_path, name, content):
    shutil.copytree(chat_folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StudioError) as caught:
        load(ENGINE, tmp_path)
    assert caught.value.code in ("broken_model", "missing_files")


def test_weights_that_are_not_all_there_are_refused(chat_folder, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(chat_folder, tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors.pop("model.norm.weight")
    save_file(tensors, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(StudioError, match="weights are missing"):
        load(ENGINE, tmp_path)


def test_requests_are_not_changed_and_cards_need_no_options(chat_folder):
    model = ENGINE.load(dataclasses.replace(card("text"), options={}), chat_folder, CPU, lambda _: None)
    assert model.run(ask("hello world"), Recorder()).finish == "length"
