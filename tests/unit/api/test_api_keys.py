"""Keys: made, found, revoked; and who gets in where, with which."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from serving import Place, key, served, until
from typer.testing import CliRunner

from studio import keys as module
from studio.api import tries
from studio.cli.words import app
from studio.errors import StudioError
from studio.keys import SECRET, Keys

HELLO = {"messages": [{"role": "user", "content": "Hello"}], "model": "demo-chat"}
WORDS = "correct horse battery"


# The keys themselves


def test_the_disk_has_hashes_alone(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    told = keys.add("vscode", jobs=3)
    assert told.startswith(module.PREFIX)
    assert len(told) > 40
    assert told not in (tmp_path / "keys.json").read_text()
    assert told.removeprefix(module.PREFIX) not in (tmp_path / "keys.json").read_text()
    assert stat.S_IMODE((tmp_path / "keys.json").stat().st_mode) == 0o600
    found = keys.find(told)
    assert found is not None
    assert (found.name, found.jobs) == ("vscode", 3)
    assert keys.find(told + "x") is None
    assert keys.find("") is None


def test_no_two_keys_are_alike(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    assert len({keys.add(f"name-{number}") for number in range(20)}) == 20


def test_another_process_that_revokes_is_heard_at_once(tmp_path: Path) -> None:
    keys, other = Keys(tmp_path / "keys.json"), Keys(tmp_path / "keys.json")
    told = keys.add("vscode")
    assert other.find(told) is not None
    keys.revoke("vscode")
    assert other.find(told) is None
    assert not other.any


@pytest.mark.parametrize("name", ["", " ", "a b", "../x", "x" * 41, ".hidden", "名", "a\n"])
def test_a_name_is_plain(tmp_path: Path, name: str) -> None:
    with pytest.raises(StudioError) as caught:
        Keys(tmp_path / "keys.json").add(name)
    assert caught.value.code == "key_name"


def test_a_name_is_given_once(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json")
    keys.add("Phone")
    with pytest.raises(StudioError, match="phone"):
        keys.add("phone")
    with pytest.raises(StudioError, match="tablet"):
        keys.revoke("tablet")


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1}', '{"a": {}}', '{"a": {"sha256": "x", "jobs": "9"}}'])
def test_a_damaged_file_lets_nobody_in(tmp_path: Path, content: str) -> None:
    (tmp_path / "keys.json").write_text(content)
    keys = Keys(tmp_path / "keys.json")
    assert keys.find("anything") is None
    with pytest.raises(StudioError, match="cannot be understood"):
        keys.list()


def test_the_secret_of_the_environment_is_a_key(tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys.json", "sixteen letters!")
    assert keys.any
    found = keys.find("sixteen letters!")
    assert found is not None
    assert found.name == SECRET
    assert keys.list() == ()


# On the command line


def test_the_command_line_makes_lists_and_revokes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUDIO_HOME", str(tmp_path))
    monkeypatch.setenv("STUDIO_LANGUAGE", "en")
    run = CliRunner().invoke
    told = run(app, ["keys", "add", "vscode", "--jobs", "2"])
    assert told.exit_code == 0
    assert Keys(tmp_path / "keys.json").find(told.stdout.strip()) is not None
    assert run(app, ["keys", "list"]).stdout.startswith("vscode")
    assert json.loads(run(app, ["keys", "list", "--json"]).stdout)["keys"][0]["jobs"] == 2
    assert run(app, ["keys", "add", "vscode"]).exit_code == 1
    assert run(app, ["keys", "revoke", "vscode"]).exit_code == 0
    assert run(app, ["keys", "revoke", "vscode"]).exit_code == 1
    assert Keys(tmp_path / "keys.json").find(told.stdout.strip()) is None


# At the door


@pytest.fixture(scope="module")
def lan(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with served(tmp_path_factory.mktemp("lan"), told_address, profile="lan", password=WORDS) as found:
        yield found


def told_address(scope: Any) -> str:
    return dict(scope["headers"]).get(b"x-from", b"192.168.1.9").decode()


def bearer(told: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {told}"}


def test_on_this_machine_alone_any_key_will_do_or_none(place: Place) -> None:
    assert place.http.post("/v1/chat/completions", json=HELLO).status_code == 200
    assert place.http.post("/v1/chat/completions", json=HELLO, headers=bearer("sk-anything")).status_code == 200


def test_in_a_network_nothing_answers_without(lan: Place) -> None:
    for path in ("/v1/models", "/v1/jobs", "/props"):
        answer = lan.http.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"][:6]) == (401, "Bearer")
    assert lan.http.get("/v1/models").json()["error"]["code"] == "key_missing"
    assert lan.http.get("/health").status_code == 200
    with pytest.raises(openai.AuthenticationError):
        lan.openai.models.list()


def test_a_key_or_the_password_opens_both_ways(lan: Place) -> None:
    told = key(lan, "both-ways")
    for words in (told, WORDS):
        assert lan.http.get("/v1/models", headers=bearer(words)).status_code == 200
        assert lan.http.get("/v1/models", auth=("anybody", words)).status_code == 200
    Keys(lan.studio.home.keys).revoke("both-ways")
    assert lan.http.get("/v1/models", headers=bearer(told) | {"x-from": "192.168.1.77"}).status_code == 401


@pytest.mark.parametrize("said", ["", "Bearer", "Basic", "Basic !!!", "Basic Og==", "Digest x", "Bearer \xff"])
def test_what_is_no_key_is_none(lan: Place, said: str) -> None:
    headers = {"Authorization": said.encode("latin-1"), "x-from": "192.168.1.50"}
    assert lan.http.get("/v1/models", headers=headers).status_code in (400, 401, 429)


def test_each_wrong_one_of_an_address_waits_longer(lan: Place) -> None:
    here = {"x-from": "192.168.1.66"}
    codes = [lan.http.get("/v1/models", headers=bearer("wrong") | here).status_code for _ in range(tries.FREE + 2)]
    assert codes == [401] * tries.FREE + [429] * 2
    answer = lan.http.get("/v1/models", headers=bearer(WORDS) | here)
    assert answer.status_code == 429  # else the wait would tell nothing
    assert int(answer.headers["retry-after"]) > 0
    assert lan.http.get("/v1/models", headers=bearer(key(lan, "not-guessed")) | here).status_code == 200
    assert lan.http.get("/v1/models", headers=bearer(WORDS)).status_code == 200


def test_people_see_nothing_of_each_other(lan: Place) -> None:
    one, two = bearer(key(lan, "one")), bearer(key(lan, "two"))
    lan.http.post("/v1/chat/completions", json=HELLO, headers=one)
    mine = lan.http.get("/v1/jobs", headers=one).json()["data"]
    assert len(mine) == 1
    id = mine[0]["id"]
    assert lan.http.get("/v1/jobs", headers=two).json()["data"] == []
    for method, path in (("GET", ""), ("GET", "/events"), ("DELETE", "")):
        assert lan.http.request(method, f"/v1/jobs/{id}{path}", headers=two).status_code == 404
    assert lan.http.get(f"/v1/jobs/{id}", headers=one).json()["status"] == "done"


def test_an_idempotency_key_is_ones_own(lan: Place) -> None:
    one, two = bearer(key(lan, "mine")), bearer(key(lan, "yours"))
    found = [
        lan.http.post("/v1/chat/completions", json=HELLO, headers={**who, "Idempotency-Key": "same"}).json()["id"]
        for who in (one, two, one)
    ]
    assert found[0] == found[2] != found[1]


def test_a_key_has_its_share_and_no_more(lan: Place) -> None:
    few, many = bearer(key(lan, "few", jobs=1)), bearer(key(lan, "many"))
    slow = {**HELLO, "model": lan.slow("demo-chat", 0.1), "stream": True}
    with lan.http.stream("POST", "/v1/chat/completions", json=slow, headers=few):
        answer = lan.http.post("/v1/chat/completions", json=HELLO, headers=few)
        assert (answer.status_code, answer.json()["error"]["code"]) == (429, "too_many_jobs")
        with lan.http.stream("POST", "/v1/chat/completions", json=slow, headers=many) as other:
            assert other.status_code == 200
    assert until(lambda: not lan.running())
    assert {job.session for job in lan.studio.jobs()} >= {"key few", "key many"}


def test_a_space_answers_nothing_until_there_is_a_key(tmp_path: Path) -> None:
    with served(tmp_path, profile="space") as space:
        answer = space.http.get("/v1/models", headers=bearer("sk-anything"))
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "api_off")
        assert "off" in answer.json()["error"]["message"]
        assert space.http.post("/infill", json={"input_prefix": "x"}).status_code == 404


def test_a_space_with_a_secret_answers_who_knows_it(tmp_path: Path) -> None:
    secret = "a secret of a space"
    with served(tmp_path, profile="space", api_key=secret) as space:
        assert space.http.get("/v1/models").status_code == 401
        assert space.http.get("/v1/models", headers=bearer("wrong")).status_code == 401
        found = space.http.post("/v1/chat/completions", json=HELLO, headers=bearer(secret))
        assert found.json()["choices"][0]["message"]["content"].startswith("You asked")
        assert os.fspath(space.studio.home.root) not in found.text
