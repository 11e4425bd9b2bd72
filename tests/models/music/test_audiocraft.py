"""audiocraft's own models, tiny, from the files it publishes to pieces. Collected where the extra is installed."""

import json
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import tiny_audiocraft
import torch
from elsewhere import Elsewhere, on
from tiny import CPU, Recorder, card, load
from tiny_audiocraft import FRAME_RATE, RATE, WINDOW

from studio.catalog.card import Source
from studio.engines.music import audiocraft_shim
from studio.engines.music.audiocraft import AudiocraftEngine, windows
from studio.engines.music.audiocraft_convert import convert
from studio.engines.shared import parking, torch_loading
from studio.errors import Cancelled, StudioError
from studio.recipes.embed_audio import encode_wav
from studio.requests import MusicRequest
from studio.results import Audio

KINDS = ("musicgen", "melody", "audiogen", "magnet")
ENGINE = AudiocraftEngine()
ASK = MusicRequest(
    prompt="hello world", duration=1.0, steps=3, guidance_scale=3.0, temperature=1.0, top_k=50, count=1, seed=5
)
ABSENT = ("av", "demucs", "flashy", "julius", "librosa", "omegaconf", "spacy", "torchaudio", "xformers")


@pytest.fixture(scope="session")
def text_encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("t5")
    tiny_audiocraft.save_text_encoder(folder)
    return folder


@pytest.fixture(scope="session")
def published(tmp_path_factory, text_encoder):
    """Each kind as audiocraft publishes it."""
    root = tmp_path_factory.mktemp("published")
    for kind in KINDS:
        tiny_audiocraft.publish(root / kind, kind, text_encoder)
    return root


@pytest.fixture(scope="session")
def folders(tmp_path_factory, published, text_encoder):
    """Each kind converted once."""
    root = tmp_path_factory.mktemp("converted")
    for kind in KINDS:
        convert(published / kind, root / kind, text_encoder)
    return {kind: root / kind for kind in KINDS}


@pytest.fixture(scope="module")
def models(folders):
    made = {kind: load(ENGINE, folders[kind]) for kind in KINDS}
    yield made
    for model in made.values():
        model.close()


def sound(output) -> list[bytes]:
    return [piece.samples.tobytes() for piece in output.audio]


def tone(hertz: float, seconds: float = 1.5, rate: int = 8000) -> bytes:
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)
    return encode_wav(Audio(wave.astype(np.float32)[None], rate))


A, E = tone(440), tone(660)


# Every kind


@pytest.mark.parametrize("kind", KINDS)
def test_a_piece_is_as_long_as_asked_and_as_the_seed_says(models, folders, kind, monkeypatch):
    monkeypatch.setattr(torch_loading, "_state", {"kind": "cpu"})
    model, context = models[kind], Recorder()
    first = model.run(ASK, context)
    piece = first.audio[0]
    assert piece.samples.dtype == np.float32
    assert piece.samples.shape == (1, RATE)
    assert piece.rate == RATE
    assert piece.samples.std() > 0
    assert first.seeds == (5,)
    assert sound(model.run(ASK, Recorder())) == sound(first)
    assert sound(model.run(replace(ASK, seed=6), Recorder())) != sound(first)
    assert ENGINE.weights(card("audiocraft"), folders[kind]) == pytest.approx(model.nbytes(), rel=0.05)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_left_its_device_answers_as_before(models, kind, monkeypatch):
    device, model = Elsewhere(), models[kind]
    monkeypatch.setattr(parking, "_over", device.over)
    before, there = sound(model.run(ASK, Recorder())), model._weights
    try:
        on(device, model).park()
        assert device.held() == 0
        model.place()
        assert device.held() >= 0.9 * model.nbytes()
        assert sound(model.run(ASK, Recorder())) == before
        model.park()
    finally:
        model._weights = there


@pytest.mark.parametrize("kind", KINDS)
def test_each_piece_of_a_batch_can_be_made_again_alone(models, kind):
    batch = models[kind].run(replace(ASK, count=3), Recorder())
    alone = models[kind].run(replace(ASK, seed=7), Recorder())
    assert batch.seeds == (5, 6, 7)
    assert len(set(sound(batch))) == 3
    assert sound(batch)[2] == sound(alone)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_progress_counts_every_step_up_to_the_last(models, kind):
    context = Recorder()
    models[kind].run(replace(ASK, count=2), context)
    total = context.steps[0][1]
    assert context.steps == [(done, total) for done in range(1, total + 1)]


@pytest.mark.parametrize("kind", KINDS)
def test_stop_keeps_what_is_whole_and_leaves_the_model_usable(models, kind):
    model = models[kind]
    before = sound(model.run(ASK, Recorder()))
    with pytest.raises(Cancelled):
        model.run(ASK, Recorder(stop_after=7))
    context = Recorder()
    model.run(ASK, context)
    kept = model.run(replace(ASK, count=3), Recorder(stop_after=len(context.steps) + 3))
    assert kept.finish == "cancelled"
    assert kept.seeds == (5,)
    assert sound(kept) == before
    assert sound(model.run(ASK, Recorder())) == before


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_one_request_is_left_for_the_next(models, kind):
    model = models[kind]
    before = sound(model.run(ASK, Recorder()))
    model.run(replace(ASK, duration=1.5, temperature=0.0, top_k=3, guidance_scale=1.0), Recorder())
    assert sound(model.run(ASK, Recorder())) == before


@pytest.mark.parametrize("kind", KINDS)
def test_what_it_cannot_follow_is_noted(models, kind):
    asked = replace(ASK, negative_prompt="drums", lyrics="la", melody="C4")
    assert [name for name, _ in models[kind].run(asked, Recorder()).notes] == ["no_negative", "no_lyrics", "no_melody"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_is_exact_to_the_sample(models, kind):
    looped = models[kind].run(replace(ASK, loop=True), Recorder()).audio[0]
    assert looped.samples.shape == (1, RATE)
    assert looped.samples.tobytes() != models[kind].run(ASK, Recorder()).audio[0].samples.tobytes()


# Longer than the window


@pytest.mark.parametrize("kind", ["musicgen", "melody", "audiogen"])
@pytest.mark.parametrize("seconds", [2.0, 3.7, 7.03])
def test_a_piece_longer_than_the_window_is_whole_and_counted(models, kind, seconds):
    context = Recorder()
    piece = models[kind].run(replace(ASK, duration=seconds), context).audio[0]
    assert piece.samples.shape == (1, round(seconds * RATE))
    total = context.steps[0][1]
    assert [done for done, _ in context.steps] == list(range(1, total + 1))


def test_windows_are_those_that_audiocraft_makes():
    assert windows(30, 30, 18, 50) == [1500]
    assert windows(40, 30, 18, 50) == [1500, 500]
    assert windows(60, 30, 18, 50) == [1500, 900, 600]
    assert windows(12, 10, 2, 50) == [500, 100]
    assert windows(12, 30, 18, 50, heard=100) == [500]
    assert windows(40, 30, 18, 50, heard=500) == [1000, 500]


def test_magnet_says_how_long_its_pieces_can_be(models):
    with pytest.raises(StudioError) as caught:
        models["magnet"].run(replace(ASK, duration=WINDOW + 1.0), Recorder())
    assert caught.value.code == "out_of_range"
    assert caught.value.params["high"] == WINDOW


def test_magnet_takes_the_steps_that_its_card_names(folders):
    model, context = load(ENGINE, folders["magnet"], options={"decoding_steps": [3, 2, 1, 1]}), Recorder()
    model.run(ASK, context)
    assert len(context.steps) == 7


# Sound to start from


def test_a_melody_model_follows_sound_and_another_sound_otherwise(models):
    follow = replace(ASK, sound_use="follow")
    made = [sound(models["melody"].run(replace(follow, sound=one), Recorder())) for one in (b"", A, A, E)]
    assert made[1] == made[2]
    assert len({tuple(one) for one in made}) == 3
    assert made[0] == sound(models["melody"].run(ASK, Recorder()))


def test_a_melody_goes_on_past_the_window(models):
    asked = replace(ASK, duration=3.5, sound_use="follow", sound=A)
    assert models["melody"].run(asked, Recorder()).audio[0].samples.shape == (1, round(3.5 * RATE))


@pytest.mark.parametrize("kind", ["musicgen", "melody", "audiogen"])
@pytest.mark.parametrize(("seconds", "keep"), [(1.0, 0.0), (1.0, 0.3), (4.3, 1.5), (1.0, 0.01)])
def test_a_piece_begins_with_the_sound_and_goes_on(models, kind, seconds, keep):
    model, context = models[kind], Recorder()
    asked = replace(ASK, duration=seconds, sound=A, sound_keep=keep)
    piece = model.run(asked, context).audio[0]
    kept = keep or 1.5
    assert piece.samples.shape == (1, round((kept + seconds) * RATE))
    given = np.sin(2 * np.pi * 440 * np.arange(round(kept * RATE)) / RATE)
    whole = slice(0, round((kept - 0.05) * RATE))
    if kept > 0.1:
        assert np.corrcoef(piece.samples[0, whole], given[whole])[0, 1] > 0.99
    assert np.abs(piece.samples[:, round(kept * RATE) :]).max() > 0
    assert [done for done, _ in context.steps] == list(range(1, context.steps[0][1] + 1))
    assert sound(model.run(asked, Recorder())) == [piece.samples.tobytes()]
    other = model.run(replace(asked, seed=6), Recorder()).audio[0]
    assert (
        other.samples[:, round((kept + 0.1) * RATE) :].tobytes()
        != piece.samples[:, round((kept + 0.1) * RATE) :].tobytes()
    )


@pytest.mark.parametrize(
    ("kind", "uses"),
    [("musicgen", ("continue",)), ("melody", ("continue", "follow")), ("audiogen", ("continue",)), ("magnet", ())],
)
def test_each_kind_says_what_it_does_with_sound(folders, kind, uses):
    assert ENGINE.hears(card("audiocraft", source=Source("local", path=str(folders[kind])))) == uses


# What stands in for other packages


def test_the_stand_ins_are_gone_after_the_import(models):
    assert not [name for name in ABSENT if name in sys.modules]
    import transformers.models.llama.modeling_llama  # what a torchaudio that is none would break

    assert transformers.models.llama.modeling_llama


@pytest.mark.parametrize("kind", ["musicgen", "magnet"])
def test_attention_is_what_audiocraft_writes_out_itself(models, folders, tmp_path, kind):
    shutil.copytree(folders[kind], tmp_path / "plain")
    config = json.loads((tmp_path / "plain" / "config.json").read_text())
    config["transformer_lm"] |= {"memory_efficient": False, "custom": True}
    (tmp_path / "plain" / "config.json").write_text(json.dumps(config))
    plain = load(ENGINE, tmp_path / "plain")
    if kind == "magnet":  # its masks are a little too large for that way
        lm, steps = plain._model.lm, WINDOW * FRAME_RATE // 3 * 3  # whole spans
        lm.attn_mask_per_stage = [
            mask if mask is None else mask[..., :steps, :steps] for mask in lm.attn_mask_per_stage
        ]
    # what goes on begins with many steps at once, and the first of them must not see the last
    asked = replace(ASK, temperature=0.0, sound=A if kind == "musicgen" else b"")
    assert models[kind].run(asked, Recorder()).audio[0].samples == pytest.approx(
        plain.run(asked, Recorder()).audio[0].samples, abs=1e-4
    )


def test_one_mask_for_all_heads_is_the_same_as_one_each(models):
    lm = models["magnet"]._model.lm
    before = sound(models["magnet"].run(ASK, Recorder()))
    small = lm.attn_mask_per_stage
    assert all(mask is None or mask.shape[1] == 1 for mask in small)
    lm.attn_mask_per_stage = [mask if mask is None else mask.repeat(1, 2, 1, 1) for mask in small]
    assert sound(models["magnet"].run(ASK, Recorder())) == before
    lm.attn_mask_per_stage = small


def test_a_configuration_reads_like_audiocrafts_own():
    config = audiocraft_shim.Config.of({"a": {"b": [{"c": 1}]}})
    assert config.a.b[0].c == 1
    assert not hasattr(config, "d")
    config.d = 2
    assert config["d"] == 2


# Folders


def test_a_codec_in_transformers_layout_does_too(published, text_encoder, tmp_path):
    tiny_audiocraft.save_codec(tmp_path / "encodec")
    source = tmp_path / "source"
    source.mkdir()
    shutil.copy(published / "musicgen" / "state_dict.bin", source)
    torch.save({"pretrained": "facebook/encodec_32khz"}, source / "compression_state_dict.bin")
    with pytest.raises(StudioError, match="facebook/encodec_32khz"):
        convert(source, tmp_path / "out", text_encoder)
    convert(source, tmp_path / "out", text_encoder, tmp_path / "encodec")
    model = load(ENGINE, tmp_path / "out")
    assert model.run(ASK, Recorder()).audio[0].samples.shape == (1, RATE)
    assert model.run(replace(ASK, sound=A), Recorder()).audio[0].samples.shape == (1, round(2.5 * RATE))


def test_a_stereo_model_makes_and_goes_on_from_two_channels(text_encoder, tmp_path):
    tiny_audiocraft.publish(tmp_path / "source", "stereo", text_encoder)
    convert(tmp_path / "source", tmp_path / "out", text_encoder)
    model, context = load(ENGINE, tmp_path / "out"), Recorder()
    piece = model.run(replace(ASK, duration=2.5), context).audio[0]
    assert piece.samples.shape == (2, round(2.5 * RATE))
    assert piece.samples[0].tobytes() != piece.samples[1].tobytes()
    assert context.steps[-1][0] == context.steps[-1][1]
    assert model.run(replace(ASK, sound=A), Recorder()).audio[0].samples.shape == (2, round(2.5 * RATE))


def test_conversion_keeps_every_number(published, folders):
    from safetensors.torch import load_file

    package = torch.load(published / "melody" / "state_dict.bin", weights_only=True)
    written = load_file(folders["melody"] / "model.safetensors")
    assert written.keys() == package["best_state"].keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in package["best_state"].items())
    assert "/of/somebody" not in json.dumps(json.loads((folders["melody"] / "config.json").read_text())["dataset"])


@pytest.mark.parametrize("part", [".", "codec", "text_encoder"])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_damaged_folder_is_one_clear_error(folders, tmp_path, part, harm):
    shutil.copytree(folders["musicgen"], tmp_path / "broken")
    file = tmp_path / "broken" / part / "model.safetensors"
    if harm == "cut":
        file.write_bytes(file.read_bytes()[:200])
    else:
        file.unlink()
    with pytest.raises(StudioError) as caught:
        ENGINE.load(card("audiocraft"), tmp_path / "broken", CPU, lambda _: None)
    assert caught.value.code in ("broken_model", "missing_files")


def test_weights_that_are_missing_are_not_made_up(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    shutil.copytree(folders["musicgen"], tmp_path / "broken")
    file = tmp_path / "broken" / "model.safetensors"
    state = load_file(file)
    state.pop("out_norm.weight")
    save_file(state, file)
    with pytest.raises(StudioError, match="out_norm"):
        ENGINE.load(card("audiocraft"), tmp_path / "broken", CPU, lambda _: None)


def test_another_text_encoder_than_it_was_trained_with_is_refused_by_name(folders, tmp_path):
    shutil.copytree(folders["musicgen"], tmp_path / "other")
    config = json.loads((tmp_path / "other" / "config.json").read_text())
    config["conditioners"]["description"]["t5"]["name"] = "t5-base"
    (tmp_path / "other" / "config.json").write_text(json.dumps(config))
    with pytest.raises(StudioError, match="t5-base"):
        ENGINE.load(card("audiocraft"), tmp_path / "other", CPU, lambda _: None)


def test_a_style_model_is_refused_by_name(folders, tmp_path):
    shutil.copytree(folders["musicgen"], tmp_path / "style")
    config = json.loads((tmp_path / "style" / "config.json").read_text())
    config["conditioners"]["self_wav"] = {"model": "style", "style": {}}
    (tmp_path / "style" / "config.json").write_text(json.dumps(config))
    with pytest.raises(StudioError, match="style"):
        ENGINE.load(card("audiocraft"), tmp_path / "style", CPU, lambda _: None)
