"""The files for `ray up` and for KubeRay, held against what their readers publish."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config

from studio.cluster.node import ROOM
from studio.settings import Settings

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "deploy" / "ray"

TEXT, NUMBER, YES = str, int, bool
POD: Any = {"metadata": dict, "spec": dict}
RAY_CLUSTER: dict[str, Any] = {
    "rayVersion": TEXT,
    "authOptions": {"mode": ("disabled", "token"), "secretName": TEXT},
    "enableInTreeAutoscaling": YES,
    "autoscalerOptions": {
        "upscalingMode": ("Default", "Aggressive", "Conservative"), "idleTimeoutSeconds": NUMBER, "image": TEXT,
        "imagePullPolicy": TEXT, "resources": dict, "env": list, "envFrom": list, "version": TEXT,
    },
    "headServiceAnnotations": dict, "suspend": YES,
    "headGroupSpec": {
        "serviceType": ("ClusterIP", "NodePort", "LoadBalancer"), "headService": dict, "enableIngress": YES,
        "rayStartParams": {...: TEXT}, "template": POD,
    },
    "workerGroupSpecs": [{
        "groupName": TEXT, "replicas": NUMBER, "minReplicas": NUMBER, "maxReplicas": NUMBER, "numOfHosts": NUMBER,
        "rayStartParams": {...: TEXT}, "template": POD, "scaleStrategy": dict, "idleTimeoutSeconds": NUMBER,
    }],
}  # fmt: skip
"""The fields of ray.io/v1 RayCluster's spec that the operator's types publish (ray-operator/apis/ray/v1), written down
here; what is inside a pod is Kubernetes' own and not looked at."""
NEEDED = {"headGroupSpec": ("rayStartParams", "template"), "workerGroupSpecs": ("groupName", "template", "maxReplicas")}


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def faults(value: Any, form: Any, where: str = "spec") -> list[str]:
    """What of a value is not of its form."""
    match form:
        case dict():
            if not isinstance(value, dict):
                return [f"{where} is no object"]
            unknown = [f"{where}.{name} is not known" for name in value if name not in form and ... not in form]
            known = ((name, form.get(name, form.get(...))) for name in value if name in form or ... in form)
            return unknown + [one for name, kind in known for one in faults(value[name], kind, f"{where}.{name}")]
        case [each]:
            if not isinstance(value, list):
                return [f"{where} is no list"]
            return [one for number, item in enumerate(value) for one in faults(item, each, f"{where}.{number}")]
        case tuple():
            return [] if value in form else [f"{where} is none of {form}"]
    return [] if type(value) is form else [f"{where} is no {form.__name__}"]


def test_what_ray_up_reads_is_of_rays_own_schema() -> None:
    config = read("cluster.yaml")
    validate_config(prepare_config(config))
    types = config["available_node_types"]
    assert types["gpu"]["resources"][ROOM] == 1, "each has room for a worker"
    assert types[config["head_node_type"]]["resources"][ROOM] == 0
    assert any("start.py ray" in line for line in config["setup_commands"])
    commands = [line for name in ("head", "worker") for line in config[f"{name}_start_ray_commands"] if "start" in line]
    assert all("RAY_AUTH_MODE=token" in line for line in commands), "nobody comes in without the token"


@pytest.mark.parametrize("wrong", [{"head_nodetype": "first"}, {"max_workers": "four"}, {"setup_commands": [1]}])
def test_that_schema_refuses_what_is_wrong(wrong: dict[str, Any]) -> None:
    with pytest.raises(Exception, match=r"(?i)valid|type"):
        validate_config(prepare_config({**read("cluster.yaml"), **wrong}))


def test_what_kuberay_reads_has_the_fields_that_it_publishes() -> None:
    config = read("kuberay.yaml")
    assert (config["apiVersion"], config["kind"]) == ("ray.io/v1", "RayCluster")
    spec = config["spec"]
    assert faults(spec, RAY_CLUSTER) == []
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        name = "workerGroupSpecs" if "groupName" in group else "headGroupSpec"
        assert set(NEEDED[name]) <= set(group)
        assert all(one["name"] and one["image"] for one in group["template"]["spec"]["containers"])
    (workers,) = spec["workerGroupSpecs"]
    assert json.loads(json.loads(workers["rayStartParams"]["resources"])) == {ROOM: 1}
    assert spec["authOptions"]["mode"] == "token"
    installed = (ROOT / "requirements-ray.txt").read_text(encoding="utf-8")
    assert f"ray=={spec['rayVersion']}" in installed


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"workerGroupSpec": []}, "spec.workerGroupSpec is not known"),
        ({"enableInTreeAutoscaling": "yes"}, "spec.enableInTreeAutoscaling is no bool"),
        (
            {"headGroupSpec": {"rayStartParams": {"num-cpus": 0}}},
            "spec.headGroupSpec.rayStartParams.num-cpus is no str",
        ),
        ({"autoscalerOptions": {"upscalingMode": "Fast"}}, "spec.autoscalerOptions.upscalingMode is none of"),
    ],
)
def test_those_fields_refuse_what_is_wrong(wrong: dict[str, Any], said: str) -> None:
    (found,) = faults(wrong, RAY_CLUSTER)
    assert found.startswith(said)


def test_settings_that_they_name_exist() -> None:
    known = {f"STUDIO_{name}".upper() for name in Settings.model_fields}
    containers = [
        one
        for group in (read("kuberay.yaml")["spec"]["headGroupSpec"], *read("kuberay.yaml")["spec"]["workerGroupSpecs"])
        for one in group["template"]["spec"]["containers"]
    ]
    named = {one["name"] for container in containers for one in container["env"] if one["name"].startswith("STUDIO_")}
    assert named
    assert named <= known
