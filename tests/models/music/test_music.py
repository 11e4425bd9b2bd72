"""Text-to-music: MusicGen, Stable Audio and ACE-Step through their engines."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import tiny_pipelines
import torch
from tiny import Recorder, card, load
from tiny_musicgen import save_musicgen

from studio.engines.music import musicgen
from studio.engines.music.audio_diffusion import AudioDiffusionEngine
from studio.engines.music.musicgen import MusicgenEngine
from studio.errors import Cancelled, StudioError
from studio.requests import MusicRequest

KINDS = {"musicgen": MusicgenEngine(), "stable_audio": AudioDiffusionEngine(), "ace_step": AudioDiffusionEngine()}
ASK = MusicRequest(
    prompt="hello world",
    duration=1.0,
    steps=3,
    guidance_scale=3.0,
    temperature=1.0,
    top_k=50,
    count=1,
    seed=5,
)


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Each model saved once."""
    made = {}
    for kind in KINDS:
        torch.manual_seed(0)
        made[kind] = tmp_path_factory.mktemp(kind)
        if kind == "musicgen":
            save_musicgen(made[kind])
        else:
            getattr(tiny_pipelines, kind)().save_pretrained(made[kind])
    return made


def sound(output) -> list[bytes]:
    return [piece.samples.tobytes() for piece in output.audio]


@pytest.mark.parametrize("kind", KINDS)
def test_a_piece_is_as_long_as_asked_and_as_the_seed_says(folders, kind):
    engine = KINDS[kind]
    model = load(engine, folders[kind])
    context = Recorder()
    first = model.run(ASK, context)
    piece = first.audio[0]
    assert piece.samples.dtype == np.float32
    assert piece.samples.ndim == 2
    assert piece.samples.shape[1] == piece.rate
    assert np.abs(piece.samples).max() <= 1
    assert first.seeds == (5,)
    assert context.steps[-1][0] == context.steps[-1][1] >= 3
    assert sound(model.run(ASK, Recorder())) == sound(first)
    assert sound(model.run(replace(ASK, seed=6), Recorder())) != sound(first)
    assert engine.weights(card(kind), folders[kind]) == pytest.approx(model.nbytes(), rel=0.1)
    model.close()


@pytest.mark.parametrize("kind", KINDS)
def test_stop_between_steps_leaves_the_model_usable(folders, kind):
    model = load(KINDS[kind], folders[kind])
    expected = sound(model.run(ASK, Recorder()))
    with pytest.raises(Cancelled):
        model.run(ASK, Recorder(stop_after=1))
    assert sound(model.run(ASK, Recorder())) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_the_same_as_single_pieces_and_keeps_what_is_finished(folders, kind):
    model = load(KINDS[kind], folders[kind])
    whole = Recorder()
    batch = model.run(replace(ASK, count=2), whole)
    assert sound(batch) == [sound(model.run(replace(ASK, seed=seed), Recorder()))[0] for seed in (5, 6)]
    stopped = model.run(replace(ASK, count=2), Recorder(stop_after=len(whole.steps) // 2 + 1))
    assert stopped.finish == "cancelled"
    assert sound(stopped) == sound(batch)[:1]


@pytest.mark.parametrize(
    ("kind", "names"),
    [("musicgen", ["no_negative", "no_lyrics"]), ("stable_audio", ["no_lyrics"]), ("ace_step", ["no_negative"])],
)
def test_what_a_model_does_not_take_is_said(folders, kind, names):
    model = load(KINDS[kind], folders[kind])
    output = model.run(replace(ASK, negative_prompt="noise", lyrics="[verse]\nhello"), Recorder())
    assert [name for name, _ in output.notes] == names


def test_lyrics_change_a_song(folders):
    model = load(KINDS["ace_step"], folders["ace_step"])
    assert sound(model.run(replace(ASK, lyrics="[verse]\nhello"), Recorder())) != sound(model.run(ASK, Recorder()))


def test_stable_audio_refuses_more_than_it_makes(folders):
    model = load(KINDS["stable_audio"], folders["stable_audio"])
    with pytest.raises(StudioError) as caught:
        model.run(replace(ASK, duration=60.0), Recorder())
    assert caught.value.code == "out_of_range"
    assert caught.value.params["high"] == 2.0


def test_stereo_has_two_channels(tmp_path):
    save_musicgen(tmp_path, channels=2)
    piece = load(KINDS["musicgen"], tmp_path).run(ASK, Recorder()).audio[0]
    assert piece.samples.shape == (2, piece.rate)


def test_numbers_that_are_none_are_an_error(folders):
    model = load(KINDS["stable_audio"], folders["stable_audio"])
    with torch.no_grad():
        next(model._pipe.vae.decoder.parameters()).fill_(float("nan"))
    with pytest.raises(StudioError) as caught:
        model.run(ASK, Recorder())
    assert caught.value.code == "bad_output"


def test_another_kind_of_model_is_not_musicgen(folders, tmp_path):
    shutil.copytree(folders["musicgen"], tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"model_type": "musicgen_melody"}))
    with pytest.raises(StudioError, match="musicgen_melody is not MusicGen"):
        load(KINDS["musicgen"], tmp_path)


def test_a_picture_pipeline_is_not_loaded_as_music(tmp_path):
    tiny_pipelines.stable_diffusion().save_pretrained(tmp_path)
    with pytest.raises(StudioError, match="StableDiffusionPipeline"):
        load(KINDS["ace_step"], tmp_path)


def test_work_grows_with_the_duration():
    engine = KINDS["musicgen"]
    assert engine.work(card("musicgen"), replace(ASK, duration=20.0)) > engine.work(card("musicgen"), ASK)


@pytest.mark.parametrize("kind", KINDS)
def test_a_loop_is_as_long_as_its_bars_to_the_sample(folders, kind):
    model = load(KINDS[kind], folders[kind])
    piece = model.run(replace(ASK, loop=True, tempo=240.0, bars=1, duration=0.7), Recorder()).audio[0]
    assert piece.samples.shape[1] == piece.rate
    assert piece.played == {"tempo": 240.0, "bars": 1, "loop": True}


@pytest.mark.parametrize("kind", KINDS)
def test_tempo_key_and_players_reach_a_model_that_reads_only_words(folders, kind):
    model = load(KINDS[kind], folders[kind])
    beside = replace(ASK, prompt="hello", players="world")
    assert sound(model.run(beside, Recorder())) == sound(model.run(replace(ASK, prompt="hello, world"), Recorder()))


@pytest.mark.parametrize("channels", [1, 2])
def test_past_its_window_musicgen_goes_on_from_what_it_heard(tmp_path, channels):
    torch.manual_seed(0)
    save_musicgen(tmp_path, channels)
    model = load(KINDS["musicgen"], tmp_path, options={"window": 1.0})
    context = Recorder()
    piece = model.run(replace(ASK, duration=2.5), context).audio[0]
    assert piece.samples.shape == (channels, round(2.5 * piece.rate))
    steps = [done for done, _ in context.steps]
    assert steps == sorted(steps)
    assert context.steps[-1][0] == context.steps[-1][1]
    single = model.run(replace(ASK, duration=1.0), Recorder()).audio[0]
    joint = round(0.02 * piece.rate)
    assert (piece.samples[:, : piece.rate - joint] == single.samples[:, :-joint]).all()
    again = model.run(replace(ASK, duration=2.5), Recorder()).audio[0]
    assert (again.samples == piece.samples).all()
    later = slice(round(1.1 * piece.rate), None)
    assert np.abs(piece.samples[:, later]).max() > 0


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0.5, [0.5]), (30, [30]), (31, [30, 1]), (50, [30, 20]), (75, [30, 20, 20, 5])]
)
def test_windows_add_up_to_the_piece(seconds, expected):
    assert musicgen._windows(seconds, 30) == pytest.approx(expected)
