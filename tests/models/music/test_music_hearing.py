"""Music that starts from a sound: MusicGen and ACE-Step go on from it, MusicGen melody follows its tune."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_pipelines
import torch
from tiny import Recorder, load
from tiny_musicgen import save_musicgen

from studio.engines.music import melody_features
from studio.engines.music.audio_diffusion import AudioDiffusionEngine
from studio.engines.music.musicgen import MusicgenEngine
from studio.errors import StudioError
from studio.recipes.embed_audio import encode_wav
from studio.requests import MusicRequest
from studio.results import Audio

RATE = 8_000
ASK = MusicRequest(
    prompt="hello world", duration=1.0, steps=3, guidance_scale=1.0, temperature=1.0, top_k=50, count=1, seed=5
)


def tone(hertz: float = 40.0, seconds: float = 1.5, channels: int = 1) -> bytes:
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)
    return encode_wav(Audio(np.tile(wave.astype(np.float32), (channels, 1)), RATE))


@pytest.fixture(scope="module", params=["musicgen", "stereo", "ace_step"])
def hearing(request, tmp_path_factory):
    """A model that goes on from a sound."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    if request.param == "ace_step":
        tiny_pipelines.ace_step().save_pretrained(folder)
        return load(AudioDiffusionEngine(), folder, options={"continues": True})
    save_musicgen(folder, 2 if request.param == "stereo" else 1)
    return load(MusicgenEngine(), folder, options={"window": 1.0})


@pytest.fixture(scope="module")
def melody(tmp_path_factory):
    folder = tmp_path_factory.mktemp("melody")
    torch.manual_seed(0)
    save_musicgen(folder, melody=True)
    return folder


def shape(samples: np.ndarray) -> np.ndarray:
    """The sound without its level, which is that of the whole piece."""
    return samples / np.abs(samples).max()


def test_a_piece_begins_with_the_sound_and_goes_on_for_its_duration(hearing):
    piece = hearing.run(replace(ASK, sound=tone()), Recorder()).audio[0]
    assert piece.samples.shape[1] == round(2.5 * piece.rate)
    first = slice(0, round(1.45 * piece.rate))
    wave = np.sin(2 * np.pi * 40 * np.arange(round(1.5 * piece.rate)) / piece.rate)
    assert np.corrcoef(piece.samples[0, first], wave[first])[0, 1] > 0.99
    assert np.abs(piece.samples[:, round(1.6 * piece.rate) :]).max() > 0


def test_only_what_is_kept_of_the_sound_is_there(hearing):
    whole = hearing.run(replace(ASK, sound=tone(seconds=1.5)), Recorder()).audio[0]
    cut = hearing.run(replace(ASK, sound=tone(seconds=1.5), sound_keep=0.5), Recorder()).audio[0]
    assert cut.samples.shape[1] == round(1.5 * cut.rate)
    same = slice(0, round(0.4 * cut.rate))
    assert np.allclose(shape(cut.samples[:, same]), shape(whole.samples[:, same]), atol=1e-2)


def test_what_comes_depends_on_what_was_heard_and_on_the_seed(hearing):
    def rest(request: MusicRequest) -> bytes:
        piece = hearing.run(request, Recorder()).audio[0]
        return piece.samples[:, round(1.6 * piece.rate) :].tobytes()

    ask = replace(ASK, sound=tone())
    assert rest(ask) == rest(ask)
    assert rest(replace(ask, seed=6)) != rest(ask)
    assert rest(replace(ask, sound=tone(70))) != rest(ask)


def test_a_loop_that_goes_on_is_exact_to_the_sample(hearing):
    piece = hearing.run(replace(ASK, sound=tone(seconds=0.5), loop=True), Recorder()).audio[0]
    assert piece.samples.shape[1] == round(1.5 * piece.rate)


def test_ace_step_paints_no_more_than_it_may(tmp_path):
    tiny_pipelines.ace_step().save_pretrained(tmp_path)
    model = load(AudioDiffusionEngine(), tmp_path, options={"continues": True}, limits={"max_duration": 2})
    with pytest.raises(StudioError) as caught:
        model.run(replace(ASK, sound=tone()), Recorder())
    assert caught.value.code == "out_of_range"


def test_a_melody_is_followed_and_the_piece_is_as_long_as_asked(melody):
    model = load(MusicgenEngine(), melody, options={"melody": True, "window": 1.0})
    follow = replace(ASK, sound_use="follow", temperature=0.0)
    pieces = [model.run(replace(follow, sound=sound), Recorder()).audio[0] for sound in (b"", tone(110), tone(165))]
    assert all(piece.samples.shape == (1, piece.rate) for piece in pieces)
    assert len({piece.samples.tobytes() for piece in pieces}) == 3
    again = model.run(replace(follow, sound=tone(110)), Recorder()).audio[0]
    assert again.samples.tobytes() == pieces[1].samples.tobytes()
    with pytest.raises(StudioError) as caught:
        model.run(replace(follow, duration=1.5), Recorder())
    assert caught.value.code == "out_of_range"


def test_a_model_that_ignores_its_melody_is_refused(melody, monkeypatch):
    from transformers import MusicgenMelodyForConditionalGeneration as Melody

    prepare = Melody._prepare_encoder_hidden_states_kwargs_for_generation

    def deaf(self, *given, **more):
        found = prepare(self, *given, **more)
        found["encoder_hidden_states"] = torch.zeros_like(found["encoder_hidden_states"])
        return found

    monkeypatch.setattr(Melody, "_prepare_encoder_hidden_states_kwargs_for_generation", deaf)
    with pytest.raises(StudioError) as caught:
        load(MusicgenEngine(), melody, options={"melody": True})
    assert caught.value.code == "ignores_melody"


@pytest.mark.parametrize(("hertz", "tone_class"), [(261.63, 0), (440.0, 9), (880.0, 9), (493.88, 11)])
def test_the_strongest_tone_is_named_by_its_class(hertz, tone_class):
    model = SimpleNamespace(config=SimpleNamespace(num_chroma=12, audio_encoder=SimpleNamespace(sampling_rate=32_000)))
    wave = np.sin(2 * np.pi * hertz * np.arange(64_000) / 32_000, dtype=np.float32)
    found = melody_features.chroma(wave, model)
    assert found.shape == (1, 64_000 // melody_features.HOP + 1, 12)
    assert (found[0, 2:-2].argmax(-1) == tone_class).all()
    assert (found.sum(-1) == 1).all()
    assert melody_features.chroma(wave[:100], model).shape[1] >= 1


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("sound", [b"", tone(seconds=0.7)])
@pytest.mark.parametrize("seconds", [1.0, 4.5])
def test_what_is_heard_while_it_is_made_is_the_piece(tmp_path, channels, sound, seconds):
    torch.manual_seed(0)
    save_musicgen(tmp_path, channels)
    model = load(MusicgenEngine(), tmp_path, options={"window": 2.0})
    ask = replace(ASK, duration=seconds, sound=sound)
    listening = Recorder(previews=True)
    piece = model.run(ask, listening).audio[0]
    heard = np.concatenate([part for part, _ in listening.heard], axis=1)
    assert {rate for _, rate in listening.heard} == {piece.rate}
    assert len(listening.heard) >= int(seconds) - 1
    made = piece.samples[:, -round(seconds * piece.rate) :]
    heard = heard[:, : made.shape[1]]
    assert heard.shape == made.shape
    for one, other in zip(heard, made, strict=True):
        assert np.corrcoef(one, other)[0, 1] > 0.98
    assert model.run(ask, Recorder()).audio[0].samples.tobytes() == piece.samples.tobytes(), "listening changes nothing"
