"""Figures for Prometheus, read by its own library's parser."""

from __future__ import annotations

import math
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from serving import Place, key, served, until

from studio.api.metrics import _sample
from studio.errors import StudioError
from studio.request_parts import Message
from studio.requests import ChatRequest, ImageRequest


def figures(found: httpx.Response) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Name and labels -> value."""
    assert found.status_code == 200
    assert found.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = list(text_string_to_metric_families(found.text))
    assert all(family.documentation and family.type != "unknown" for family in families)
    return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}


def test_what_happened_is_counted(tmp_path: Path) -> None:
    with served(tmp_path) as place:
        studio = place.studio

        def of(name: str, **labels: str) -> float | None:
            return figures(place.http.get("/metrics")).get((name, frozenset(labels.items())))

        assert of("atelier_jobs_total", task="image", outcome="done") is None
        for _ in range(2):
            studio.submit(ImageRequest(prompt="x", width=64, height=64, steps=2)).result()
        answer = studio.submit(ChatRequest(messages=(Message("user", "one two three"),))).result()
        slow = place.slow("demo-chat", 0.05)
        stopped = studio.submit(ChatRequest(messages=(Message("user", "x"),), model=slow))
        assert until(lambda: stopped.kind == "running")
        assert of("atelier_jobs_running") == 1
        stopped.cancel()
        assert until(lambda: stopped.done)
        with pytest.raises(StudioError):
            studio.submit(ImageRequest(prompt=""))
        assert of("atelier_jobs_total", task="image", outcome="done") == 2
        assert of("atelier_jobs_total", task="chat", outcome="done") == 1
        assert of("atelier_tokens_total", task="chat", kind="completion") >= answer.stats["tokens"]
        assert of("atelier_job_seconds_count", task="image") == 2
        assert of("atelier_job_seconds_bucket", task="image", le="+Inf") == 2
        assert 0 < (of("atelier_job_seconds_sum", task="image") or 0) < 60
        assert of("atelier_job_wait_seconds_count", task="image") == 2
        assert of("atelier_model_loads_total", model="demo-image") == 1
        assert of("atelier_jobs_waiting") == 0
        device = str(studio.status().devices[0].device)
        assert (of("atelier_models_in_memory", device=device) or 0) >= 2
        assert (of("atelier_memory_bytes", device=device, kind="total") or 0) > 1e6


def test_buckets_rise(place: Place) -> None:
    place.studio.submit(ImageRequest(prompt="x", width=64, height=64, steps=2)).result()
    found = figures(place.http.get("/metrics"))
    buckets = sorted(
        (float(dict(labels)["le"]), value)
        for (name, labels), value in found.items()
        if name == "atelier_job_seconds_bucket" and ("task", "image") in labels
    )
    values = [value for _, value in buckets]
    assert buckets[-1][0] == math.inf
    assert values == sorted(values)


def test_off_this_machine_they_need_a_key(tmp_path: Path) -> None:
    with served(tmp_path, profile="lan", password="correct horse") as place:
        assert place.http.get("/metrics").status_code == 401
        told = key(place, "prometheus")
        assert place.http.get("/metrics", headers={"Authorization": f"Bearer {told}"}).status_code == 200


def test_a_name_with_signs_is_read_back() -> None:
    name = 'a "b" \\ c\nd'
    (family,) = text_string_to_metric_families(_sample("x", {"model": name}, 1.0))
    assert family.samples[0].labels == {"model": name}
