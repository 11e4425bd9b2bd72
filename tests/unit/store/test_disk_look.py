"""Looking through folders of other programs: what is found there, as what, and how fast; nothing is touched."""

from __future__ import annotations

import json
import time
from pathlib import Path

import disk_files
import pytest
from disk_files import CLIP, SD1, SDXL, UNET, VAE

from studio.catalog.card import Card
from studio.paths import Home
from studio.store import Store, manifest
from studio.store.disk import cards, places
from studio.store.disk.folders import Folders
from studio.store.disk.look import Headers, look
from studio.store.disk.places import Place
from studio.store.item import Pieces

WHOLE = SD1 | VAE | {CLIP: (77, 768)}
FLUX = {
    "double_blocks.0.img_attn.norm.key_norm.scale": (128,), "img_in.weight": (3072, 64), "txt_in.weight": (3072, 4096),
    "guidance_in.in_layer.weight": (3072, 256),
}  # fmt: skip
DECODER = {"decoder.conv_in.weight": (512, 16, 3, 3), "decoder.mid.block_1.norm1.weight": (512,)}
SMALL_DECODER = DECODER | {"decoder.conv_in.weight": (512, 4, 3, 3)}
T5 = {"encoder.block.0.layer.0.SelfAttention.q.weight": (4096, 4096)}
READER = {"text_model.embeddings.position_embedding.weight": (77, 768)}
LORA = {"lora_te_text_model_x.lora_down.weight": (4, 768)}


def seen(folder: Path) -> dict[str, tuple[str, bool, str]]:
    return {
        one.path.relative_to(folder).as_posix(): (one.program, one.usable, one.reason)
        for one in look([Place(folder)], Headers())
    }


def test_a_web_uis_folders_are_known_and_the_others_left_alone(tmp_path: Path) -> None:
    for place, shapes in {
        "models/Stable-diffusion/anime/dream.safetensors": WHOLE, "models/Lora/ink.safetensors": LORA,
        "models/VAE/ft-mse.safetensors": SMALL_DECODER, "embeddings/easy.safetensors": {"emb_params": (8, 768)},
        "models/ESRGAN/4x.safetensors": disk_files.ESRGAN,
        "models/ESRGAN/grey.safetensors": {"body.0.weight": (8, 1, 3, 3), "body.1.weight": (8,), "body.2.bias": (4,)},
        "venv/lib/site-packages/x.safetensors": WHOLE, "outputs/y.safetensors": WHOLE,
    }.items():  # fmt: skip
        disk_files.weights(tmp_path / place, shapes)
    (tmp_path / "models" / "Stable-diffusion" / "old.ckpt").write_bytes(b"\x80\x02" + b"x" * 2_000_000)
    assert seen(tmp_path) == {
        "models/Stable-diffusion/anime/dream.safetensors": ("AUTOMATIC1111", True, ""),
        "models/Stable-diffusion/old.ckpt": ("AUTOMATIC1111", False, "pickle"),
        "models/Lora/ink.safetensors": ("AUTOMATIC1111", False, "lora"),
        "models/VAE/ft-mse.safetensors": ("AUTOMATIC1111", False, "part"),
        "models/ESRGAN/4x.safetensors": ("AUTOMATIC1111", True, ""),
        "models/ESRGAN/grey.safetensors": ("AUTOMATIC1111", False, "network"),
        "embeddings/easy.safetensors": ("AUTOMATIC1111", False, "no_use"),
    }


def test_comfyuis_folders_and_those_that_its_list_names_are_looked_at(tmp_path: Path) -> None:
    comfy, elsewhere = tmp_path / "ComfyUI", tmp_path / "disk2"
    disk_files.weights(comfy / "models" / "checkpoints" / "xl.safetensors", SDXL | VAE)
    disk_files.weights(comfy / "models" / "diffusion_models" / "flux.safetensors", FLUX)
    disk_files.weights(elsewhere / "sd" / "dream.safetensors", WHOLE)
    disk_files.weights(elsewhere / "loras" / "ink.safetensors", LORA)
    (comfy / "extra_model_paths.yaml").write_text(
        f"a111:\n  base_path: {elsewhere}\n  checkpoints: sd\n  loras: |\n    loras\n    nowhere\n# comment\n"
    )
    found = {one.path.name: one for one in look([Place(comfy)], Headers())}
    assert {name: one.program for name, one in found.items()} == dict.fromkeys(
        ("xl.safetensors", "flux.safetensors", "dream.safetensors", "ink.safetensors"), "ComfyUI"
    )
    assert found["flux.safetensors"].missing == ("vae", "clip_l", "t5", "t5_words")
    (comfy / "extra_model_paths.yaml").write_text("a: [b\n!!python/object:os.system {}")
    assert len(look([Place(comfy)], Headers())) == 2


def test_ollamas_models_are_found_by_their_names(tmp_path: Path) -> None:
    blob = disk_files.gguf(tmp_path / "blobs" / "sha256-abc123", "qwen3")
    manifest = tmp_path / "manifests" / "registry.ollama.ai" / "library" / "qwen3" / "4b"
    manifest.parent.mkdir(parents=True)
    layers = [
        {"mediaType": "application/vnd.ollama.image.template", "digest": "sha256:0"},
        {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:abc123"},
    ]
    manifest.write_text(json.dumps({"layers": layers}))
    (manifest.parent / "broken").write_text("{")
    (manifest.parent / "outside").write_text(
        json.dumps({"layers": [{"mediaType": "application/vnd.ollama.image.model", "digest": "../../x"}]})
    )
    (one,) = look([Place(tmp_path)], Headers())
    assert (one.title, one.path, one.tasks, one.engine) == ("qwen3:4b", blob, ("chat",), "llama")
    (card,) = cards.cards([one], ()).values()
    assert (card.id, card.isolate) == ("qwen3-4b", True)
    assert Store(Home.at(tmp_path / "home")).path(card) == blob


def test_the_hubs_cache_gives_each_model_once_as_it_was_asked_for_last(tmp_path: Path) -> None:
    for repo, name in (("owner--chat", "old"), ("owner--chat", "new"), ("owner--gguf", "x")):
        snapshot = tmp_path / f"models--{repo}" / "snapshots" / name
        blob = tmp_path / f"models--{repo}" / "blobs" / f"{name}1"
        snapshot.mkdir(parents=True)
        if repo == "owner--gguf":
            disk_files.gguf(blob, "llama")
            (snapshot / "coder-q4.gguf").symlink_to(blob)
            continue
        disk_files.weights(blob, {"model.layers.0.self_attn.q_proj.weight": (8, 8)})
        (snapshot / "model.safetensors").symlink_to(blob)
        (snapshot / "config.json").write_text(json.dumps({"architectures": ["Qwen3ForCausalLM"]}))
    refs = tmp_path / "models--owner--chat" / "refs"
    refs.mkdir()
    (refs / "main").write_text("new")
    found = {one.title: one for one in look([Place(tmp_path)], Headers())}
    assert found.keys() == {"owner/chat", "Tiny"}
    assert (found["owner/chat"].path.name, found["owner/chat"].tasks) == ("new", ("chat",))
    assert found["Tiny"].tasks == ("chat", "code")


def test_folders_of_models_are_one_model_each(tmp_path: Path) -> None:
    pipe = tmp_path / "painter"
    disk_files.weights(pipe / "unet" / "diffusion_pytorch_model.safetensors", {"down_blocks.0.x": (1,)})
    (pipe / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionXLPipeline"}))
    strange = tmp_path / "film"
    disk_files.weights(strange / "unet" / "x.safetensors", {"a": (1,)})
    (strange / "model_index.json").write_text(json.dumps({"_class_name": "WanPipeline"}))
    own_code = tmp_path / "clever"
    disk_files.weights(own_code / "model.safetensors", {"a": (1,)})
    (own_code / "config.json").write_text(json.dumps({"architectures": ["XForCausalLM"], "auto_map": {"A": "b"}}))
    pickled = tmp_path / "old"
    pickled.mkdir()
    (pickled / "pytorch_model.bin").write_bytes(b"x" * 2_000_000)
    (pickled / "config.json").write_text(json.dumps({"architectures": ["GPT2LMHeadModel"]}))
    assert seen(tmp_path) == {
        "painter": ("", True, ""), "film": ("", False, "family"), "clever": ("", False, "code"),
        "old": ("", False, "pickle"),
    }  # fmt: skip


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    disk_files.weights(tmp_path / "a" / "dream.safetensors", WHOLE)
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "a" / "gone.safetensors").symlink_to(tmp_path / "nothing")
    assert seen(tmp_path) == {
        "a/dream.safetensors": ("", True, ""), "a/gone.safetensors": ("", False, "not_readable")
    }  # fmt: skip


def test_what_a_checkpoint_lacks_comes_from_beside_it_or_from_the_hub(tmp_path: Path) -> None:
    models = tmp_path / "models"
    disk_files.weights(models / "diffusion_models" / "flux-dev.safetensors", FLUX)
    disk_files.weights(models / "vae" / "ae.safetensors", DECODER)
    disk_files.weights(models / "vae" / "sd3_vae.safetensors", DECODER)
    disk_files.weights(models / "text_encoders" / "t5xxl.safetensors", T5)
    disk_files.weights(models / "text_encoders" / "clip_l.safetensors", READER)
    disk_files.weights(models / "checkpoints" / "bare.safetensors", SD1 | {CLIP: (77, 768)})
    disk_files.weights(models / "checkpoints" / "zit.safetensors", {"layers.0.adaLN_modulation.0.weight": (15360, 256)})
    disk_files.weights(models / "unet" / "only.safetensors", SD1)
    made = cards.cards(look([Place(tmp_path)], Headers()), ())
    flux = made["flux-dev"]
    assert flux.options["vae"] == str(models / "vae" / "ae.safetensors")
    assert [Path(one).name for one in flux.options["text_encoders"]] == ["clip_l.safetensors", "t5xxl.safetensors"]
    (part,) = flux.parts
    assert (part.folder, part.source.files) == ("rest", ("tokenizer_2/*", "vae/*"))
    assert 0 < part.disk_bytes < 200_000_000
    (decoder,) = made["bare"].parts
    assert decoder.target("config.json") == "vae/config.json"
    assert made["zit"].parts[0].disk_bytes > 8_000_000_000
    assert "only" not in made  # nobody publishes its reader by itself
    whole = models / "diffusers" / "Z-Image"
    disk_files.weights(whole / "transformer" / "x.safetensors", {"a": (1,)})
    (whole / "model_index.json").write_text(json.dumps({"_class_name": "ZImagePipeline"}))
    assert cards.cards(look([Place(tmp_path)], Headers()), ())["zit"].options == {"rest": str(whole)}


def test_a_checkpoint_with_a_part_to_fetch_waits_for_it(tmp_path: Path) -> None:
    file = disk_files.weights(tmp_path / "bare.safetensors", SD1 | {CLIP: (77, 768)})
    (card,) = cards.cards(look([Place(tmp_path)], Headers()), ()).values()
    store = Store(Home.at(tmp_path / "home"), offline=True)
    assert store.state(card) == "absent"
    assert store.delete(card) == 0
    assert file.exists()


def test_two_of_a_name_have_two_ids_that_last(tmp_path: Path) -> None:
    for place in ("a", "b"):
        disk_files.weights(tmp_path / place / "Dream Shaper (8).safetensors", WHOLE)
    found = look([Place(tmp_path)], Headers())
    made = cards.cards(found, {"dream-shaper-8"})
    assert len(made) == 2
    assert all(id.startswith("dream-shaper-8-") for id in made)
    assert made.keys() == cards.cards(found, {"dream-shaper-8"}).keys()


def test_v_prediction_turbo_and_family_choose_the_defaults(tmp_path: Path) -> None:
    disk_files.weights(tmp_path / "xl.safetensors", SDXL | VAE)
    disk_files.weights(tmp_path / "xl-lightning.safetensors", SDXL | VAE)
    disk_files.weights(tmp_path / "one.safetensors", WHOLE)
    made = cards.cards(look([Place(tmp_path)], Headers()), ())
    assert (made["xl"].defaults["width"], made["xl"].defaults["steps"]) == (1024, 30)
    assert made["xl-lightning"].defaults["steps"] == 8
    assert made["one"].defaults["width"] == 512
    assert all(card.own and card.commercial is None for card in made.values())


def test_two_thousand_files_are_looked_through_within_two_seconds(tmp_path: Path) -> None:
    """Headers as large as real ones: 1,700 adaptations and 300 checkpoints, whose weights are holes."""
    many = {f"lora_unet_input_blocks_{n}_attn1_to_k.lora_down.weight": (4, 320) for n in range(500)} | LORA
    first = disk_files.weights(tmp_path / "first.safetensors", many)
    layers = {f"{UNET}input_blocks.1.1.transformer_blocks.0.layer{n}.weight": (320, 320) for n in range(500)}
    whole = disk_files.weights(tmp_path / "whole.safetensors", WHOLE | layers)
    head = whole.read_bytes()[:120_000]
    for number in range(1998):
        file = tmp_path / "models" / f"{number % 40}" / f"{number}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        if number < 1700:
            file.hardlink_to(first)
        else:
            with file.open("wb") as stream:
                stream.write(head)
                stream.truncate(whole.stat().st_size)
    headers = Headers()
    began = time.process_time()
    found = look([Place(tmp_path)], headers)
    assert time.process_time() - began < 2.0
    assert len(found) == 2000
    assert sum(one.usable for one in found) == 299
    began = time.process_time()
    assert look([Place(tmp_path)], headers) == found
    assert time.process_time() - began < 0.7


def test_only_headers_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk_files.weights(tmp_path / "a.safetensors", {**WHOLE, "x": (100_000, 1000)})
    read = 0
    real = Path.open

    def counting(self: Path, *arguments: object, **named: object):
        stream = real(self, *arguments, **named)
        inner = stream.read

        def told(size: int = -1):
            nonlocal read
            data = inner(size)
            read += len(data)
            return data

        stream.read = told
        return stream

    monkeypatch.setattr(Path, "open", counting)
    assert look([Place(tmp_path)], Headers())[0].usable
    assert 0 < read < 10_000


def test_usual_places_are_found_by_themselves(tmp_path: Path) -> None:
    for name in (".cache/huggingface/hub", "stable-diffusion-webui", "ComfyUI", ".lmstudio/models", ".ollama/models"):
        (tmp_path / name).mkdir(parents=True)
    elsewhere = tmp_path / "other" / "llama"
    elsewhere.mkdir(parents=True)
    found = places.usual({"LLAMA_CACHE": str(elsewhere)}, tmp_path)
    here = {place.program: place.folder for place in found if place.folder.is_relative_to(tmp_path)}
    assert here.keys() == {"Hugging Face", "AUTOMATIC1111", "ComfyUI", "LM Studio", "Ollama", "llama.cpp"}
    assert here["llama.cpp"] == elsewhere


def test_folders_are_remembered_in_the_persons_own_file_and_nothing_of_it_is_lost(tmp_path: Path) -> None:
    home = Home.at(tmp_path / "home")
    mine = "# my models\n[models.a]  # the best\ntask = 'chat'\nhub = \"owner/a\"\n"
    home.own_models.write_text(mine)
    shelf = tmp_path / "shelf"
    disk_files.weights(shelf / "dream.safetensors", WHOLE)
    folders = Folders(home)
    assert folders.last() == ()
    folders.remember([shelf])
    folders.remember([shelf])
    assert folders.remembered() == (shelf,)
    assert home.own_models.read_text().startswith(mine)
    assert [one.title for one in folders.again()] == ["dream"]
    (shelf / "dream.safetensors").unlink()
    assert [one.title for one in Folders(home).last()] == ["dream"]  # nothing is opened but the list
    assert Folders(home).again() == ()
    assert folders.forget(shelf) == ()
    assert home.own_models.read_text().startswith(mine)


def test_a_part_is_fetched_beside_a_checkpoint_that_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = disk_files.weights(tmp_path / "bare.safetensors", SD1 | {CLIP: (77, 768)})
    (card,) = cards.cards(look([Place(tmp_path)], Headers()), ()).values()

    def bring(pieces: Pieces, piece: Card, *_: object) -> None:
        for name in piece.source.files:
            pieces.folder(piece).mkdir(parents=True, exist_ok=True)
            (pieces.folder(piece) / name).write_bytes(b"part")
        manifest.add(pieces.folder(piece), piece, dict.fromkeys(piece.source.files, 4))

    monkeypatch.setattr(Pieces, "bring", bring)
    store = Store(Home.at(tmp_path / "home"))
    folder = store.fetch(card, lambda *_: None, lambda: False)
    assert store.state(card) == "ready"
    assert sorted(one.relative_to(folder).as_posix() for one in folder.rglob("*") if one.is_file()) == [
        "rest/vae/config.json", "rest/vae/diffusion_pytorch_model.safetensors",
    ]  # fmt: skip
    assert store.path(card) == folder
    store.delete(card)
    assert store.state(card) == "absent"
    assert file.exists()
    assert not folder.exists()
