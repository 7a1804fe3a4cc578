"""No container has more than it needs, and a worker's is enough for a sandbox."""

from __future__ import annotations

import copy
import sys

import pytest

from autograder.inside.limits import GIB, Limits
from autograder.sandbox import KINDS

from . import pod
from .manifest import PODS, Object, container, spec

SANDBOXES = [kind for kind in KINDS if kind != "none"]


@pytest.mark.parametrize("name", PODS)
def test_no_pod_has_a_privilege_or_a_key_to_the_cluster(name: str) -> None:
    whole, security = spec(name), container(name)["securityContext"]
    assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & whole.keys()
    assert whole["automountServiceAccountToken"] is False
    assert whole["securityContext"]["runAsNonRoot"] and whole["securityContext"]["runAsUser"] > 0
    assert not security.get("privileged", False)
    assert security["allowPrivilegeEscalation"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}


def test_only_workers_loosen_what_a_container_is_held_to() -> None:
    loose = {"seccompProfile", "appArmorProfile", "procMount"}
    for name in ("scheduler", "grade"):
        assert spec(name)["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not loose & container(name)["securityContext"].keys()
    assert loose <= container("worker")["securityContext"].keys()
    assert spec("worker")["hostUsers"] is False  # and so in a user namespace only


def _refusal(kind: str, worker: Object) -> str:
    """Why a sandbox of this kind does not work in such a pod."""
    code = f"import sys; from autograder.sandbox import refusal; sys.exit(refusal({kind!r}) or None)"
    done = pod.run([sys.executable, "-c", code], worker)
    assert (done.returncode == 0) == (done.stderr == ""), done.stderr
    return done.stderr


@pytest.mark.parametrize("kind", SANDBOXES)
def test_a_worker_has_a_sandbox(kind: str) -> None:
    assert _refusal(kind, spec("worker")) == ""


@pytest.mark.parametrize("kind", SANDBOXES)
def test_a_worker_needs_the_calls_that_containers_are_refused(kind: str) -> None:
    worker = copy.deepcopy(spec("worker"))
    worker["containers"][0]["securityContext"]["seccompProfile"]["type"] = "RuntimeDefault"
    assert "Operation not permitted" in _refusal(kind, worker)


@pytest.mark.parametrize("kind", SANDBOXES)
def test_a_worker_needs_all_of_proc(kind: str) -> None:
    worker = copy.deepcopy(spec("worker"))
    del worker["containers"][0]["securityContext"]["procMount"]
    assert "/proc: Operation not permitted" in _refusal(kind, worker)


def test_a_worker_has_memory_for_the_largest_hand_in() -> None:
    most = container("worker")["resources"]["limits"]["memory"]
    judge_and_sandbox = 2 * GIB
    assert int(most.removesuffix("Gi")) * GIB >= Limits().memory + Limits().scratch_bytes + judge_and_sandbox
