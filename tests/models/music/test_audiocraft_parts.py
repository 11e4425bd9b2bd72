"""The engine audiocraft without the package: its absence, the converter, what stands in for other packages."""

import json
import math
import sys
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from tiny import CPU, card
from typer.testing import CliRunner

from studio.catalog.card import Source
from studio.catalog.card_reader import guess_engine
from studio.cli.words import app
from studio.engines.music import audiocraft_convert, audiocraft_shim
from studio.engines.music.audiocraft import AudiocraftEngine
from studio.engines.music.audiocraft_convert import convert, resolved
from studio.engines.shared import torch_loading
from studio.errors import StudioError

LM = {
    "solver": "magnet",
    "sample_rate": 32000,
    "lm_model": "transformer_lm_magnet",
    "transformer_lm": {"n_q": 4},
    "conditioners": {"description": {"model": "t5", "t5": {"rate": "${sample_rate}"}}},
    "dataset": {"segment_duration": 10},
    "logging": {"folder": "${nowhere}"},
}
CODEC = {"compression_model": "encodec", "encodec": {"sample_rate": "${sample_rate}"}, "sample_rate": 32000}
WEIGHTS = {"out.weight": torch.arange(6.0).reshape(2, 3)}


def package(settings: object = None, **changes: object) -> dict[str, object]:
    text = settings if isinstance(settings, str) else yaml.safe_dump(settings or LM)
    return {"best_state": WEIGHTS, "xp.cfg": text, "exported": True} | changes


@pytest.fixture
def published(tmp_path):
    """A folder as audiocraft publishes it, and the T5 beside it."""
    source, text = tmp_path / "in", tmp_path / "t5"
    source.mkdir()
    text.mkdir()
    torch.save(package(), source / "state_dict.bin")
    torch.save(package(CODEC), source / "compression_state_dict.bin")
    (text / "config.json").write_text('{"model_type": "t5"}')
    (text / "tokenizer.json").write_text("{}")
    (text / "pytorch_model.bin").write_bytes(b"a pickle")
    names = ("shared.weight", "encoder.final.weight", "decoder.final.weight", "lm_head.weight")
    save_file({name: torch.zeros(2) for name in names}, text / "model.safetensors")
    return tmp_path


def turned(root: Path) -> None:
    convert(root / "in", root / "out", root / "t5")


def left(root: Path) -> set[str]:
    return {entry.name for entry in root.iterdir()} - {"in", "t5"}


# The package is absent


def test_without_the_package_the_error_names_the_one_command(published, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("audiocraft.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "audiocraft", None)  # what Python takes for absent
    monkeypatch.setattr(audiocraft_shim, "_modules", {})
    turned(published)
    with pytest.raises(StudioError) as caught:
        AudiocraftEngine().load(card("audiocraft"), published / "out", CPU, lambda _: None)
    assert caught.value.code == "no_audiocraft"
    assert "python start.py audiocraft" in caught.value.next("en")
    assert "python start.py audiocraft" in caught.value.next("zh-CN")


def test_a_package_that_breaks_while_it_is_imported_leaves_no_stand_in(monkeypatch):
    def broken(name: str, *_: object) -> object:
        if name.startswith("audiocraft"):
            assert "torchaudio" in sys.modules
            raise ImportError(name)
        return sys.modules[name]

    monkeypatch.setattr(audiocraft_shim, "import_module", broken)
    monkeypatch.setattr(audiocraft_shim, "_modules", {})
    import transformers

    assert transformers.T5EncoderModel
    before = set(sys.modules)
    with pytest.raises(ImportError):
        audiocraft_shim.load()
    assert not {name.partition(".")[0] for name in set(sys.modules) - before} & {"torchaudio", "xformers", "librosa"}


# The converter


def test_a_converted_folder_has_the_weights_and_what_the_model_is_built_from(published):
    turned(published)
    out = published / "out"
    config = json.loads((out / "config.json").read_text())
    assert config["kind"] == "magnet"
    assert config["conditioners"]["description"]["t5"]["rate"] == 32000
    assert "logging" not in config
    assert torch.equal(load_file(out / "model.safetensors")["out.weight"], WEIGHTS["out.weight"])
    assert json.loads((out / "codec" / "config.json").read_text())["encodec"] == {"sample_rate": 32000}
    assert load_file(out / "text_encoder" / "model.safetensors").keys() == {"shared.weight", "encoder.final.weight"}
    assert not list(out.rglob("*.bin"))


def test_the_engine_is_known_by_the_folder(published):
    turned(published)
    assert guess_engine(("music",), Source("local", path=str(published / "out"))) == "audiocraft"


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"solver": "musicgen"}, "musicgen"),
        ({"solver": "audiogen"}, "audiogen"),
        ({"solver": "audio_magnet"}, "magnet"),
        ({"lm_model": "transformer_lm_magnet"}, "magnet"),
        ({"sample_rate": 16000}, "audiogen"),
        ({"sample_rate": 32000}, "musicgen"),
    ],
)
def test_the_kind_is_what_it_was_trained_as(published, settings, kind):
    torch.save(package(settings), published / "in" / "state_dict.bin")
    turned(published)
    assert json.loads((published / "out" / "config.json").read_text())["kind"] == kind


class Hostile:
    """What a pickle can hold: a call that is made while it is opened."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


@pytest.mark.parametrize("name", ["state_dict.bin", "compression_state_dict.bin"])
@pytest.mark.parametrize("zipped", [True, False])
def test_program_code_in_a_checkpoint_is_refused_and_not_run(published, name, zipped):
    mark = published / "ran"
    torch.save(package(extra=Hostile(mark)), published / "in" / name, _use_new_zipfile_serialization=zipped)
    with pytest.raises(StudioError) as caught:
        turned(published)
    assert caught.value.code == "not_convertible"
    assert "program code" in str(caught.value.params["reason"])
    assert left(published) == set()


@pytest.mark.parametrize(
    "content",
    [
        {"best_state": WEIGHTS},
        {"xp.cfg": "a: 1"},
        package("- a list"),
        package("a: [1"),
        package("!!python/object/apply:os.getcwd []"),
        package("a: &a [1]\nb: *a"),
        package({**LM, "transformer_lm": {"n_q": "${nowhere.at.all}"}}),
        package({**LM, "transformer_lm": "${transformer_lm}"}),
        package({**LM, "transformer_lm": {"n_q": math.nan}}),
        package(best_state={}),
        package(best_state={"a": 1}),
        package(pretrained="facebook/encodec_32khz"),
        [1, 2],
    ],
)
def test_a_file_that_is_something_else_leaves_nothing_behind(published, content):
    torch.save(content, published / "in" / "state_dict.bin")
    with pytest.raises(StudioError) as caught:
        turned(published)
    assert caught.value.code == "not_convertible"
    assert left(published) == set()


@pytest.mark.parametrize("harm", ["cut", "empty", "gone"])
@pytest.mark.parametrize("file", ["in/state_dict.bin", "in/compression_state_dict.bin", "t5/model.safetensors"])
def test_a_damaged_or_missing_file_is_named(published, file, harm):
    path = published / file
    if harm == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:100] if harm == "cut" else b"")
    with pytest.raises(StudioError) as caught:
        turned(published)
    assert caught.value.code == "not_convertible"
    assert path.name in str(caught.value.params["file"])
    assert left(published) == set()


def test_what_is_there_already_is_not_touched(published):
    (published / "out").mkdir()
    (published / "out" / "mine").touch()
    with pytest.raises(StudioError) as caught:
        turned(published)
    assert caught.value.code == "folder_taken"
    assert [entry.name for entry in (published / "out").iterdir()] == ["mine"]


def test_a_disk_without_room_is_told_before_anything_is_written(published, monkeypatch):
    monkeypatch.setattr(audiocraft_convert, "_KEEP_FREE", 1 << 60)
    with pytest.raises(StudioError) as caught:
        turned(published)
    assert caught.value.code == "no_space"
    assert left(published) == set()


def test_pointers_in_a_configuration_are_followed():
    root = {"a": {"b": "${c}"}, "c": 5, "d": "${a}", "e": ["${a.b}", "text ${c}"]}
    assert resolved(root, root) == {"a": {"b": 5}, "c": 5, "d": {"b": 5}, "e": [5, "text ${c}"]}


def test_the_command_prints_the_new_folder(published):
    arguments = [str(published / "in"), str(published / "out"), "--text-encoder", str(published / "t5")]
    done = CliRunner().invoke(app, ["convert-audiocraft", *arguments])
    assert done.exit_code == 0
    assert done.stdout.strip() == str(published / "out")
    again = CliRunner().invoke(app, ["convert-audiocraft", *arguments, "--json"])
    assert again.exit_code == 1
    assert json.loads(again.stdout)["error"]["code"] == "folder_taken"


# What stands in


def naive(query, key, value, bias):
    scores = torch.einsum("bthd,bshd->bhts", query, key) / query.shape[-1] ** 0.5 + bias
    return torch.einsum("bhts,bshd->bthd", scores.softmax(-1), value)


@pytest.mark.parametrize("mask", ["none", "triangle", "window"])
def test_attention_is_softmax_of_the_masked_scores(mask):
    torch.manual_seed(0)
    query, key, value = torch.randn(3, 2, 7, 4, 8)
    distance = torch.arange(7)[:, None] - torch.arange(7)[None, :]
    hidden = {"none": distance > 99, "triangle": distance < 0, "window": distance.abs() > 2}[mask]
    bias = torch.where(hidden, -torch.inf, 0.0)
    given = {"none": None, "triangle": audiocraft_shim.LowerTriangularMask(), "window": bias.repeat(2, 4, 1, 1)}[mask]
    made = audiocraft_shim.memory_efficient_attention(query, key, value, given, p=0)
    assert torch.allclose(made, naive(query, key, value, bias), atol=1e-6)


@pytest.mark.parametrize(("hertz", "note"), [(261.63, 0), (329.63, 4), (440.0, 9), (880.0, 9)])
def test_a_tone_lights_up_its_own_chroma(hertz, note):
    rate, width = 32000, 16384
    spectrogram = audiocraft_shim._spectrogram()(n_fft=width, win_length=width, hop_length=width // 4, power=2)
    sound = torch.sin(2 * torch.pi * hertz * torch.arange(rate) / rate)[None, None]
    power = spectrogram(sound)
    assert power.shape == (1, 1, width // 2 + 1, 1 + rate // (width // 4))
    filters = torch.from_numpy(audiocraft_shim.chroma_filters(sr=rate, n_fft=width, tuning=0, n_chroma=12))
    assert (filters @ power[0, 0]).sum(-1).argmax() == note


def test_the_spectrogram_keeps_the_energy_of_the_sound():
    spectrogram = audiocraft_shim._spectrogram()(n_fft=256, win_length=256, hop_length=64)
    torch.manual_seed(0)
    noise = torch.randn(1, 40_000)
    power = spectrogram(noise)[0]
    whole = power[0].mean() + 2 * power[1:-1].mean(-1).sum() + power[-1].mean()
    assert whole / 256 == pytest.approx(1, abs=0.03)
    assert spectrogram.state_dict().keys() == {"window"}


def test_text_that_would_need_a_grammar_is_refused():
    with pytest.raises(ValueError, match="spacy"):
        audiocraft_shim._stand_ins()["spacy"].load("en_core_web_sm")


def test_a_folder_of_another_kind_is_one_clear_error(published):
    turned(published)
    for content in ("[]", "{", '{"format": "audiocraft", "kind": "song"}', '{"model_type": "musicgen"}'):
        (published / "out" / "config.json").write_text(content)
        with pytest.raises(StudioError) as caught:
            AudiocraftEngine().load(card("audiocraft"), published / "out", CPU, lambda _: None)
        assert caught.value.code == "broken_model"


def test_a_folder_that_is_gone_hears_nothing(tmp_path):
    assert AudiocraftEngine().hears(card("audiocraft", source=Source("local", path=str(tmp_path / "gone")))) == ()


@pytest.mark.parametrize(("kind", "width"), [("cpu", 4), ("mps", 4), ("cuda", 2)])
def test_its_size_is_that_of_all_parts(published, monkeypatch, kind, width):
    monkeypatch.setattr(torch_loading, "_state", {"kind": kind})
    turned(published)
    codec, text = 6 * 4, (2 + 2) * 4
    assert AudiocraftEngine().weights(card("audiocraft"), published / "out") == 6 * width + codec + text
