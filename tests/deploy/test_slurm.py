"""The job script runs here as it stands, with a Dask scheduler and workers of its own; only SLURM is a stand-in."""

from __future__ import annotations

import csv
import json
import shutil
import socket
import ssl
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder import bridge, demo, master
from tests.autograder.conftest import WRONG, write_lab

from .cluster import PATIENCE, ROOT, SCRIPT, Job

RIGHT = {"double": "def double(x):\n    return 2 * x", "area": "def area(radius):\n    return math.pi * radius**2"}
CLASS = {"right": RIGHT, "wrong": RIGHT | {"double": WRONG["double__squares"]}, "blank": {}}

Submit = Callable[..., Job]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A repository with the tiny lab and a class's hand-ins."""
    root = tmp_path / "repository"
    write_lab(root)
    shutil.copy(ROOT / "nbgrader_config.py", root)
    lab = master.find(root, "lab90")
    (root / "hand-ins").mkdir()
    for student, answers in CLASS.items():
        text = bridge.to_text(demo.answered(lab, answers))
        (root / "hand-ins" / f"{student}.ipynb").write_text(text, encoding="utf-8")
    return root


@pytest.fixture
def submit(root: Path, tmp_path: Path) -> Iterator[Submit]:
    """Submit a job; what is left of it when the test is over is killed."""
    jobs = []

    def submit(*arguments: str, **options) -> Job:
        folder = tmp_path / f"cluster{len(jobs)}"
        folder.mkdir()
        jobs.append(Job(root, folder, *arguments, **options))
        return jobs[-1]

    yield submit
    for job in jobs:
        job.kill()


def _eventually(true: Callable[[], object]) -> bool:
    deadline = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.slow
def test_a_class_is_graded_on_two_nodes(submit: Submit, root: Path) -> None:
    job = submit("lab90", "--from", "hand-ins")
    assert job.wait() == 0, job.output
    rows = csv.DictReader((root / "course" / "lab90_tiny.csv").read_text().splitlines())
    assert {row["student"]: row["total"] for row in rows} == {"right": "50", "wrong": "30", "blank": "0"}
    assert len((root / "judged").read_text().splitlines()) == len(CLASS)
    assert [command.split()[0] for command in job.started] == ["node1", "node2"]
    assert all("-m dask worker --nthreads 1 " in command for command in job.started)
    assert (job.left, job.state) == ([], [])


def test_the_job_ends_as_grading_does(submit: Submit) -> None:
    job = submit("lab99", tasks=1)
    assert job.wait() == 2
    assert "lab99" in job.output
    assert (job.left, job.state) == ([], [])


def test_without_workers_the_job_does_not_wait_for_its_time_to_run_out(submit: Submit) -> None:
    job = submit("lab90", srun="#!/usr/bin/env bash\nexit 1\n")
    assert job.wait() == 1
    assert "scheduler or workers ended too early" in job.output
    assert (job.left, job.state) == ([], [])


def test_a_job_that_is_told_to_end_leaves_nothing(submit: Submit) -> None:
    job = submit("lab90", srun="#!/usr/bin/env bash\nexec sleep 600\n")
    assert _eventually(lambda: any("sleep" in command for command in job.left))
    job.process.terminate()
    assert job.wait() == 143
    assert (job.left, job.state) == ([], [])


def test_nobody_else_on_the_cluster_can_use_the_scheduler(submit: Submit) -> None:
    job = submit("lab90", srun="#!/usr/bin/env bash\nexec sleep 600\n")
    assert _eventually(lambda: any(path.stat().st_size for one in job.state for path in one.glob("scheduler.json")))
    (state,) = job.state
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    address = json.loads((state / "scheduler.json").read_text())["address"]
    host, _, port = address.removeprefix("tls://").rpartition(":")
    stranger = ssl.create_default_context(cafile=str(state / "cert.pem"))
    stranger.check_hostname = False
    with (
        socket.create_connection((host, int(port)), timeout=PATIENCE) as plain,
        pytest.raises(ssl.SSLError, match="certificate required"),
        stranger.wrap_socket(plain) as connection,
    ):
        connection.recv(1)


def test_a_submission_that_cannot_work_is_one_sentence(submit: Submit, root: Path) -> None:
    (root / "solutions").rename(root / "elsewhere")
    job = submit("lab90")
    assert job.wait() == 2
    assert job.output.startswith(f"slurm.sh: {root} is not the root of the repository")
    assert not (root / "course").exists()
    done = subprocess.run(["bash", str(SCRIPT), "lab90"], env={}, capture_output=True, text=True)
    assert done.returncode == 1
    assert "submit this file with sbatch" in done.stderr


def test_slurm_reads_every_directive() -> None:
    lines = SCRIPT.read_text().splitlines()
    first_command = next(number for number, line in enumerate(lines) if line and not line.startswith("#"))
    directives = [number for number, line in enumerate(lines) if line.startswith("#SBATCH")]
    assert directives
    assert max(directives) < first_command  # it stops looking there
