"""`models add`: what a person names, told before it is added; refused with the reason where it cannot work."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import disk_files
import pytest
from disk_files import CLIP, SD1, SDXL, VAE
from file_server import FileServer, serving
from terminals import Run

from studio.errors import StudioError
from studio.store.disk import naming

COMMIT = "a" * 40
WHOLE = SD1 | VAE | {CLIP: (77, 768)}
README = b"---\nlicense: apache-2.0\ntags:\n- text\n---\n# A model\n"
CONFIG = {"architectures": ["Qwen3ForCausalLM"]}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    for name, value in {"DEMO": "0", "OFFLINE": "0"}.items():
        monkeypatch.setenv(f"STUDIO_{name}", value)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)  # read by the library when it is imported
    with serving() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.url)
        yield server


def publish(hub: FileServer, repo: str, files: dict[str, bytes], sizes: dict[str, int] | None = None) -> None:
    siblings = [
        {"rfilename": name, "size": (sizes or {}).get(name, len(body)), "blobId": hashlib.sha1(body).hexdigest()}
        for name, body in files.items()
    ]
    for name, body in files.items():
        hub.files[f"/{repo}/resolve/{COMMIT}/{name}"] = body
    hub.files[f"/api/models/{repo}"] = json.dumps({"id": repo, "sha": COMMIT, "siblings": siblings}).encode()


def table(tmp_path: Path, id: str) -> dict:
    return tomllib.loads((tmp_path / "home" / "models.toml").read_text())["models"][id]


def test_a_hub_model_is_told_and_added_with_its_licence(run: Run, hub: FileServer, tmp_path: Path) -> None:
    publish(hub, "owner/Chat-1B", {"config.json": json.dumps(CONFIG).encode(), "README.md": README,
                                   "model.safetensors": b"x" * 5000, "pytorch_model.bin": b"y"})  # fmt: skip
    told = run("models", "add", "https://huggingface.co/owner/Chat-1B/tree/main")
    assert told.code == 0
    assert "Chat-1B" in told.out
    assert "Apache-2.0" in told.out
    assert "models download chat-1b" in told.err
    added = table(tmp_path, "chat-1b")
    assert (added["hub"], added["tasks"], added["engine"]) == ("owner/Chat-1B", ["chat"], "text")
    assert (added["licence"], added["commercial"]) == ("Apache-2.0", True)
    listed = {one["id"]: one for one in json.loads(run("models", "--json").out)["models"]}
    assert listed["chat-1b"]["state"] == "absent"
    assert json.loads(run("models", "--json").out)["problems"] == []
    assert run("models", "add", "owner/Chat-1B").code == 0  # again: under another id
    assert table(tmp_path, "chat-1b-2")["hub"] == "owner/Chat-1B"
    assert "has a model called chat-1b already" in run("models", "add", "owner/Chat-1B", "--id", "chat-1b").err


def test_quantisations_are_offered_with_what_fits(run: Run, hub: FileServer, tmp_path: Path) -> None:
    packed = disk_files.gguf(tmp_path / "x.gguf", "qwen3").read_bytes()
    names = [
        "M-Coder-Q4_K_M.gguf",
        "M-Coder-Q8_0-00001-of-00002.gguf",
        "M-Coder-Q8_0-00002-of-00002.gguf",
        "mmproj-F16.gguf",
    ]
    sizes = {names[0]: 5_000_000_000, names[1]: 9_000_000_000_000, names[2]: 1_000_000_000_000}
    publish(hub, "owner/M-Coder-GGUF", dict.fromkeys(names, packed), sizes)
    told = run("models", "add", "owner/M-Coder-GGUF")
    assert told.code == 1
    assert "Q4_K_M  5.0 GB\n" in told.out
    assert "Q8_0  10000.0 GB  too" in told.out
    assert "Name one of them" in told.err
    assert not (tmp_path / "home" / "models.toml").exists()
    assert run("models", "add", "hf.co/owner/M-Coder-GGUF:q8_0", "--id", "big").code == 0
    added = table(tmp_path, "big")
    assert (added["engine"], added["tasks"], added["files"]) == ("llama", ["chat", "code"], sorted(names[1:3]))
    document = json.loads(run("models", "add", "owner/M-Coder-GGUF", "--choose", "Q4_K_M", "--dry-run", "--json").out)
    assert (document["bytes"], document["id"]) == (5_000_000_000, "")
    assert "There is no Q2_K there" in run("models", "add", "owner/M-Coder-GGUF", "--choose", "Q2_K").err


def test_a_checkpoint_of_the_hub_is_told_by_its_header_alone(run: Run, hub: FileServer, tmp_path: Path) -> None:
    file = disk_files.weights(tmp_path / "xl.safetensors", SDXL | {"v_pred": (0,)})
    publish(hub, "owner/Anime", {"anime-xl.safetensors": file.read_bytes()})
    told = run("models", "add", "https://huggingface.co/owner/Anime/blob/main/anime-xl.safetensors")
    assert told.code == 0
    assert "Stable Diffusion XL" in told.out
    assert "madebyollin/sdxl-vae-fp16-fix" in told.out
    added = table(tmp_path, "anime")
    assert (added["files"], added["defaults"]["width"]) == (["anime-xl.safetensors"], 1024)
    assert added["parts"]["rest"]["rename"]["config.json"] == "vae/config.json"
    listed = json.loads(run("models", "--json").out)
    assert listed["problems"] == []


def test_a_path_is_added_where_it_lies_and_nothing_of_the_file_is_lost(
    run: Run, hub: FileServer, tmp_path: Path
) -> None:
    mine = "# mine\n[models.first]   # best\ntask = 'chat'\nhub = \"owner/a\"\n"
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models.toml").write_text(mine)
    file = disk_files.weights(tmp_path / "shelf" / "nebula.safetensors", WHOLE)
    told = run("models", "add", file)
    assert told.code == 0
    assert "ready" in told.err
    assert (tmp_path / "home" / "models.toml").read_text().startswith(mine)
    assert table(tmp_path, "nebula")["path"] == str(file)
    disk_files.weights(tmp_path / "shelf" / "other.safetensors", WHOLE)
    assert "holds 2 models" in run("models", "add", tmp_path / "shelf").err


def test_what_cannot_work_is_refused_with_its_reason(run: Run, hub: FileServer, tmp_path: Path) -> None:
    publish(hub, "owner/pickled", {"config.json": json.dumps(CONFIG).encode(), "pytorch_model.bin": b"x"})
    code = {**CONFIG, "auto_map": {"AutoModel": "model.X"}}
    publish(hub, "owner/coded", {"config.json": json.dumps(code).encode(), "model.safetensors": b"x" * 99})
    odd = {"architectures": ["StrangeForEverything"]}
    publish(hub, "owner/odd", {"config.json": json.dumps(odd).encode(), "model.safetensors": b"x" * 99})
    film = {"_class_name": "WanPipeline"}
    publish(hub, "owner/film", {"model_index.json": json.dumps(film).encode(), "vae/x.safetensors": b"x"})
    lora = disk_files.weights(tmp_path / "ink.safetensors", {"lora_te_x.lora_down.weight": (4, 768)})
    old = tmp_path / "old.ckpt"
    old.write_bytes(b"\x80\x02" + bytes(2_000_000))
    for what, said in {
        "owner/pickled": "only formats that can run code", "owner/coded": "code of its own",
        "owner/odd": "StrangeForEverything", "owner/film": "WanPipeline", "owner/nothing": "no model called owner",
        "https://civitai.com/models/4384?modelVersionId=128713": "was not checked", "no such thing": "no model that",
        str(lora): "an adaptation (LoRA)", str(old): "can run code",
    }.items():  # fmt: skip
        told = run("models", "add", what)
        assert told.code == 1, what
        assert said in told.err, what
        assert "Traceback" not in told.err
    assert not (tmp_path / "home" / "models.toml").exists()


@pytest.mark.parametrize(
    ("text", "repo", "file", "site"),
    [
        ("owner/name", "owner/name", "", ""),
        ("https://www.modelscope.cn/models/Qwen/Qwen3-4B-GGUF/files", "Qwen/Qwen3-4B-GGUF", "", "modelscope.cn"),
        ("https://hf-mirror.com/owner/name/resolve/main/a/b%20c.gguf", "owner/name", "a/b c.gguf", "hf-mirror.com"),
        ("huggingface.co/owner/name", "owner/name", "", ""),
    ],
)
def test_addresses_mean_the_repository_that_they_are_of(text: str, repo: str, file: str, site: str) -> None:
    found = naming.parse(text)
    assert (found.repo, found.file, found.site) == (repo, file, site)


@pytest.mark.parametrize(
    "text", ["", "a", "../../etc", "owner/../x", "a\0b", "https://example.org/x", "file:///etc/passwd"]
)
def test_what_means_nothing_is_one_sentence(text: str) -> None:
    with pytest.raises(StudioError):
        naming.parse(text)
