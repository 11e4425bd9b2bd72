"""Bodies of every kind: none makes the API stumble, and each that is wrong gets one clear error in its own shape."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from serving import Place

from studio.api.app import surfaces
from studio.api.submitting import Desk

POSTS = (
    "/v1/chat/completions", "/v1/responses", "/v1/completions", "/v1/images/generations", "/v1/images/edits",
    "/v1/images/variations", "/v1/audio/music", "/v1/captions", "/infill", "/v1/fim/completions",
)  # fmt: skip
LLAMA = ("/infill", "/v1/fim/completions")
PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
ODD = st.recursive(
    PLAIN | st.sampled_from(["\ud800", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
FIELDS: dict[str, Any] = {
    "messages": [{"role": "user", "content": "x"}], "input": "x", "prompt": "x", "image": "eA==", "input_prefix": "x"
}  # fmt: skip
NAMES = (
    "model", "n", "stream", "stop", "seed", "temperature", "max_tokens", "size", "steps", "response_format", "messages",
    "input", "prompt", "image", "images", "mask", "input_prefix", "input_extra", "n_predict", "n_indent",
    "stream_options",
    "duration", "key", "sound", "text", "tools", "sampler", "suffix", "t_max_predict_ms", "require", "style", "tempo",
)  # fmt: skip


def clear(path: str, status: int, said: Any) -> None:
    """An error as this surface's clients read it."""
    error = said["error"]
    assert isinstance(error["message"], str)
    assert error["message"].strip()
    more = set() if path in LLAMA else {"param", "params"} if path.startswith("/v1/jobs") else {"param"}
    assert set(error) == {"code", "message", "type"} | more
    if path in LLAMA:
        assert error["code"] == status


@pytest.mark.parametrize("path", POSTS)
@given(st.dictionaries(st.sampled_from(NAMES), ODD, max_size=4))
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_odd_values_are_answered_or_refused(place: Place, path: str, odd: dict[str, Any]) -> None:
    body = json.dumps(FIELDS | {"size": "64x64", "steps": 1, "duration": 1} | odd).encode()
    answer = place.http.post(path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (200, 400, 404, 429), answer.text
    if answer.status_code != 200:
        clear(path, answer.status_code, answer.json())


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"[]", b"{", b'"x"', b"\xff\xfe", b"{}", b'{"messages": 5}', b"[" * 100_000, b'{"a":' * 50_000,
     b'{"prompt": NaN}', b'{"prompt": "\\ud800", "messages": [{"role": "user", "content": "\\ud800"}]}',
     b'{"input": "\x00", "model": "\\u0000\\r\\nx: y"}', b'{"n": ' + b"9" * 5_000 + b"}"],
    ids=lambda body: body[:12].hex(),
)  # fmt: skip
def test_what_is_no_message_is_refused_clearly(place: Place, path: str, body: bytes) -> None:
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        answer = place.http.post(path, content=body, headers={"content-type": kind})
        assert answer.status_code in (400, 404), answer.text
        clear(path, answer.status_code, answer.json())


@pytest.mark.parametrize("path", POSTS)
def test_a_message_that_is_too_long_is_refused_before_it_is_read(place: Place, path: str) -> None:
    limit = place.studio.settings.max_upload_mb * 1_400_000 + 8_000_000
    answer = place.http.post(path, headers={"content-type": "application/json"}, content=b" " * (limit + 1))
    assert answer.status_code == 413
    clear(path, 413, answer.json())


def test_what_stands_in_no_document_is_not_found_in_the_surfaces_words(place: Place) -> None:
    for method, path in (("GET", "/v1/nothing"), ("POST", "/v1/models"), ("GET", "/infill"), ("PUT", "/v1/jobs/x")):
        answer = place.http.request(method, path)
        assert answer.status_code in (404, 405)
        clear(path, answer.status_code, answer.json())


def operations(place: Place) -> list[Any]:
    raw = surfaces(Desk(place.studio)).openapi()
    return [found.ok() for found in schemathesis.openapi.from_dict(raw).get_all_operations()]


def test_what_the_published_form_allows_never_makes_it_stumble(place: Place) -> None:
    """schemathesis makes requests from the OpenAPI document, valid ones and such as break it."""
    known = operations(place)
    assert {"/v1/chat/completions", "/infill", "/v1/images/edits", "/v1/jobs/{id}"} <= {one.path for one in known}
    for operation in known:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=8, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None,
            derandomize=True,
        )  # fmt: skip
        def asked(case: Any) -> None:
            answer = case.call(base_url=place.url, timeout=30)
            assert answer.status_code < 500, answer.text

        asked()
