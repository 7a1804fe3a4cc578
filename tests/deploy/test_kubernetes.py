"""Every object is valid, and what it names is there: what can be known of kubernetes.yaml without a cluster."""

from __future__ import annotations

import copy

import kubernetes_validate
import pytest
from distributed.cli import dask_scheduler, dask_worker

from autograder.__main__ import parser

from .manifest import OBJECTS, PODS, container, named, selects, spec

OLDEST = "1.33"  # the first that has user namespaces and `procMount` unless told otherwise
SERVICE_HOST = "$(SCHEDULER_SERVICE_HOST)"  # which Kubernetes replaces


@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_every_object_is_as_kubernetes_has_it(version: str) -> None:
    for one in OBJECTS:
        kubernetes_validate.validate(one, version, strict=True)


def test_a_misspelt_field_would_be_found() -> None:
    worker = copy.deepcopy(named("Deployment")["worker"])
    worker["spec"]["template"]["spec"]["hostUser"] = False
    with pytest.raises(kubernetes_validate.ValidationError, match="hostUser"):
        kubernetes_validate.validate(worker, OLDEST, strict=True)


def test_everything_is_in_one_namespace() -> None:
    (namespace,) = named("Namespace")
    assert {one["metadata"]["namespace"] for one in OBJECTS if one["kind"] != "Namespace"} == {namespace}


def test_deployments_and_services_select_the_pods_that_they_mean() -> None:
    for name, deployment in named("Deployment").items():
        assert [other for other in PODS if selects(deployment["spec"]["selector"], other)] == [name]
    for name, service in named("Service").items():
        assert [other for other in PODS if selects({"matchLabels": service["spec"]["selector"]}, other)] == [name]
        ports = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]  # the network policies name one number for both


@pytest.mark.parametrize("name", PODS)
def test_volumes_are_there_and_mounted(name: str) -> None:
    volumes = {volume["name"]: volume for volume in spec(name)["volumes"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container(name)["volumeMounts"]}
    assert mounts.keys() == volumes.keys()
    claims = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes.values() if "emptyDir" not in volume}
    assert claims <= named("PersistentVolumeClaim").keys()


def test_the_course_is_where_grading_looks_and_nowhere_else() -> None:
    (mount,) = (one for one in container("grade")["volumeMounts"] if one["name"] == "course")
    assert mount["mountPath"] == f"{container('grade')['workingDir']}/course"
    assert not any(volume["name"] == "course" for name in ("scheduler", "worker") for volume in spec(name)["volumes"])


def test_no_secret_has_to_be_there() -> None:
    sources = [
        variable["valueFrom"]["secretKeyRef"]
        for name in PODS
        for variable in container(name)["env"]
        if "valueFrom" in variable
    ]
    assert sources == [{"name": "gradebook", "key": "url", "optional": True}]


def test_all_run_the_same_code() -> None:
    assert len({(container(name)["image"], container(name)["workingDir"]) for name in PODS}) == 1
    for name in PODS:
        paths = [variable["value"] for variable in container(name)["env"] if variable["name"] == "PYTHONPATH"]
        assert paths == [container(name)["workingDir"]]


def test_the_commands_take_these_arguments_and_lead_to_the_scheduler() -> None:
    assert container("scheduler")["command"] == ["python", "-m", "dask", "scheduler"]
    scheduler = dask_scheduler.main.make_context("scheduler", list(container("scheduler")["args"]))
    assert container("worker")["command"] == ["python", "-m", "dask", "worker"]
    worker = dask_worker.main.make_context("worker", list(container("worker")["args"]))
    assert container("grade")["command"][:3] == ["python", "-m", "autograder"]
    grade = parser().parse_args([*container("grade")["command"][3:], *container("grade")["args"]])

    (service,) = named("Service")
    port = scheduler.params["port"]
    assert port == str(named("Service")[service]["spec"]["ports"][0]["port"])
    assert f"{service.upper()}_SERVICE_HOST" in SERVICE_HOST
    assert worker.params["scheduler"] == f"tcp://{SERVICE_HOST}:{port}"
    assert grade.dask == f"tcp://{service}:{port}"
    assert worker.params["worker_port"] == str(container("worker")["ports"][0]["containerPort"])
    assert worker.params["nthreads"] == 1


def test_the_service_is_there_before_the_workers_that_take_its_address_from_their_environment() -> None:
    kinds = [one["kind"] for one in OBJECTS]
    assert kinds.index("Service") < kinds.index("Deployment")
    assert spec("worker").get("enableServiceLinks", True)
