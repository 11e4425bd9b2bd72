"""Jobs of any task, asked for in the studio's own words; parts for other studios, which nobody else gets."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Place, key, png, served, until
from test_api_bodies import ODD

from studio.manager.backends.process import wire
from studio.manager.backends.remote import forms
from studio.policy import REFUSED
from studio.request_parts import Attachment, CodeEdit, CodeFile, Control, Detail, Lora, Message, Reference, Region
from studio.requests import (
    TASKS,
    CaptionRequest,
    ChatRequest,
    CodeRequest,
    ImageRequest,
    MusicRequest,
    Request,
    Task,
    UpscaleRequest,
)

FILE = {"base64": base64.b64encode(png()).decode()}
EACH: dict[str, Request] = {
    "chat": ChatRequest(messages=(Message("user", "hi", (Attachment("a", "b", 1, True, b"x"),)),), stop=("x",), seed=1),
    "image": ImageRequest(
        prompt="a", image=b"1", mask=b"2", pictures=(b"3",), loras=(Lora("l", 0.5),), seed=2**64 - 1,
        controls=(Control("c", b"4", fit="fill"),), references=(Reference("r", b"5", mask=b"6"),), guidance_scale=1.5,
        regions=(Region("p", b"7"),), details=(Detail("d"),), seamless="x", rng="nv", prompts=("a",), styles=("s",),
    ),
    "music": MusicRequest(prompt="a", sound=b"8", sound_use="follow", duration=2.5),
    "code": CodeRequest(prefix="a", files=(CodeFile("f", "t"),), edits=(CodeEdit("f", "b", "a"),), temperature=0.0),
    "caption": CaptionRequest(image=b"9", require=("a",), style="tags"),
    "upscale": UpscaleRequest(image=b"10", scale=2),
}  # fmt: skip


@pytest.mark.parametrize("request_", EACH.values(), ids=EACH.keys())
def test_a_request_is_the_same_after_its_way_as_json(request_: Request) -> None:
    sent = json.loads(json.dumps(forms.written(request_)))
    again = forms.read_request(sent)
    assert again == request_
    assert repr(again) == repr(request_)
    if isinstance(request_, ChatRequest):
        assert isinstance(again, ChatRequest)
        assert again.messages[0].files[0].data == b"x", "which comparison leaves out"


def test_what_has_its_default_is_left_out() -> None:
    assert forms.written(ImageRequest(prompt="a")) == {"task": "image", "prompt": "a"}


WRONG: list[Any] = [
    {}, {"task": "paint"}, {"task": ["image"]}, {"task": "image"}, {"task": "image", "prompt": 7},
    {"task": "image", "prompt": "a", "steps": "many"}, {"task": "image", "prompt": "a", "color": "red"},
    {"task": "image", "prompt": "a", "loras": [{"name": "a", "wait": 1}]},
    {"task": "image", "prompt": "a", "image": {"base64": "?"}},
    {"task": "image", "prompt": "a", "image": {"base64": 7}},
    {"task": "image", "prompt": "a", "image": {"path": "/etc/passwd"}},
    {"task": "image", "prompt": "a", "count": 1e999},
    {"task": "chat", "messages": "hi"}, {"task": "chat", "messages": [{"role": "robot", "content": "x"}]},
    {"task": "chat", "messages": [{"role": "user", "content": {"a": 1}}]}, {"task": "caption", "image": "nothing"},
]  # fmt: skip


@pytest.mark.parametrize("request_", WRONG, ids=lambda one: json.dumps(one)[:50])
def test_what_is_no_request_is_refused_by_name(place: Place, request_: Any) -> None:
    body = json.dumps({"request": request_})
    answer = place.http.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["message"]


NAMES = ("prompt", "prefix", "messages", "image", "steps", "count", "loras", "seed", "stop", "sound", "scale", "schema")


@given(st.sampled_from(TASKS), st.dictionaries(st.sampled_from(NAMES), ODD, max_size=4))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_odd_values_are_accepted_or_refused(place: Place, task: Task, odd: dict[str, Any]) -> None:
    body = json.dumps({"request": {**odd, "task": task}, "stream": True}).encode()
    answer = place.http.post("/v1/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400, 404, 429), answer.text
    if answer.status_code != 200:
        assert set(answer.json()["error"]) == {"message", "type", "param", "code", "params"}


def test_a_job_is_accepted_and_goes_on_when_its_program_goes(place: Place) -> None:
    request = {"task": "image", "prompt": "a fox", "width": 64, "height": 64, "model": place.slow("demo-image")}
    body = {"request": request}
    answer = place.http.post("/v1/jobs", json=body)
    assert answer.status_code == 202
    told = answer.json()
    assert (told["object"], told["task"]) == ("job", "image")
    assert until(lambda: place.http.get(f"/v1/jobs/{told['id']}").json()["status"] == "done")
    (file,) = place.http.get(f"/v1/jobs/{told['id']}").json()["result"]["files"]
    assert place.http.get(file).content.startswith(b"\x89PNG"), "an ordinary job: it is in the library"


def test_its_events_are_its_answer_and_whoever_hangs_up_stops_it(place: Place) -> None:
    body = {"request": {"task": "caption", "image": FILE}, "stream": True}
    lines = [line for line in place.http.post("/v1/jobs", json=body).text.splitlines() if line.startswith("data: ")]
    assert json.loads(lines[-1][6:])["status"] == "done"
    body = {
        "request": {"task": "image", "prompt": "x", "steps": 100, "model": place.slow("demo-image")}, "stream": True,
    }  # fmt: skip
    with place.http.stream("POST", "/v1/jobs", json=body) as answer:
        lines = answer.iter_lines()  # held: httpx hangs up where nobody has them any more
        next(lines)
        assert place.running()
    assert until(lambda: not place.running(), 2.0)


def test_a_picture_in_work_is_skipped(place: Place) -> None:
    request = {"task": "image", "prompt": "x", "steps": 40, "count": 2, "seed": 5, "model": place.slow("demo-image")}
    id = place.http.post("/v1/jobs", json={"request": request}).json()["id"]
    assert until(lambda: place.http.get(f"/v1/jobs/{id}").json().get("step", 0) > 1)
    assert place.http.post(f"/v1/jobs/{id}/skip").status_code == 200
    assert until(lambda: place.http.get(f"/v1/jobs/{id}").json()["status"] == "done", 20)
    assert place.http.get(f"/v1/jobs/{id}").json()["result"]["seeds"] == [6]


def part(place: Place, request: Request, **more: Any) -> Any:
    return place.http.stream("POST", "/v1/jobs", json={"request": forms.written(request), "part": True, **more})


def test_a_part_is_handed_over_as_the_model_made_it_and_nothing_is_kept(place: Place) -> None:
    before = len(place.studio.library.recent(limit=200))
    request = ImageRequest(prompt="a fox", width=64, height=64, count=2, seed=3, prompts=("a", "b"))
    with part(place, request) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: ") and json.loads(line[6:])["status"] == "done":
                id = json.loads(line[6:])["id"]
                (output,) = wire.unpack(place.http.get(f"/v1/jobs/{id}/output").content)
                assert [image.size for image in output.images] == [(64, 64)] * 2
                assert output.seeds == (3, 4)
    assert place.http.get(f"/v1/jobs/{id}/output").status_code == 404, "it was there as long as somebody listened"
    assert len(place.studio.library.recent(limit=200)) == before
    assert place.studio.job(id).asked is not None
    assert not place.studio.job(id).asked.again, "and nobody here repeats it"


def test_an_output_that_nobody_fetches_is_forgotten_when_they_go(place: Place) -> None:
    with part(place, CaptionRequest(image=png())) as answer:
        for line in answer.iter_lines():
            if '"done"' in line:
                break
    assert until(lambda: place.http.get(f"/v1/jobs/{place.studio.jobs()[-1].id}/output").status_code == 404)


def test_what_may_not_be_shown_is_not_handed_over(tmp_path: Path) -> None:
    rules = tmp_path / "policy.toml"
    rules.write_text('[[rule]]\nreason = "sexual"\ngroups = [["stand-in"]]\n')  # a word of the answer
    with served(tmp_path / "home", policy=str(rules)) as place:
        request = forms.written(ChatRequest(messages=(Message("user", "hi"),)))
        answer = place.http.post("/v1/jobs", json={"request": request, "part": True})
        *_, last = [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]
        assert (last["status"], last["error"]["code"]) == ("failed", REFUSED)
        assert place.http.get(f"/v1/jobs/{last['id']}/output").status_code == 404


def test_a_part_is_its_own_studios_alone_and_counts_for_its_key(tmp_path: Path) -> None:
    with served(tmp_path, profile="lan", password="correct horse") as place:
        place.http.headers["Authorization"] = f"Bearer {key(place, 'one', 1)}"
        other = {"Authorization": f"Bearer {key(place, 'two')}"}
        model = place.slow("demo-chat", 0.5)
        request = ChatRequest(messages=(Message("user", "hi"),), model=model)
        with part(place, request) as answer:
            lines = answer.iter_lines()  # held, as above
            id = json.loads(next(line for line in lines if line.startswith("data: "))[6:])["id"]
            refused = place.http.post("/v1/jobs", json={"request": forms.written(request), "part": True})
            assert refused.json()["error"]["code"] == "too_many_jobs"
            for method, path in (("GET", "output"), ("GET", "events"), ("POST", "skip")):
                assert place.http.request(method, f"/v1/jobs/{id}/{path}", headers=other).status_code == 404
        assert until(lambda: place.studio.job(id).done, 2.0)
        place.http.headers.pop("Authorization")
        assert place.http.post("/v1/jobs", json={"request": forms.written(request)}).status_code == 401
