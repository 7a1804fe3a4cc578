"""docs/deploy/kubernetes.yaml as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

ROOT = Path(__file__).parents[2]
OBJECTS: list[Object] = list(yaml.safe_load_all((ROOT / "docs" / "deploy" / "kubernetes.yaml").read_text()))


def named(kind: str) -> dict[str, Object]:
    """Objects of this kind by name."""
    return {one["metadata"]["name"]: one for one in OBJECTS if one["kind"] == kind}


PODS: dict[str, Object] = {
    name: one["spec"]["template"] for kind in ("Deployment", "Job") for name, one in named(kind).items()
}


def spec(name: str) -> Object:
    """What the pod called `name` is made of."""
    return PODS[name]["spec"]


def container(name: str) -> Object:
    """The only container of the pod called `name`."""
    (container,) = spec(name)["containers"]
    return container


def selects(selector: Object, name: str) -> bool:
    """Whether a label selector means the pod called `name`."""
    labels = PODS[name]["metadata"]["labels"]
    rules = selector.get("matchExpressions", ())
    assert all(rule["operator"] == "In" for rule in rules)
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(rule["key"]) in rule["values"] for rule in rules
    )
