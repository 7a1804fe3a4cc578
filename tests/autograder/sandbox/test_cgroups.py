"""Where the machine lets us make cgroups, each hand-in has its own, and none stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.inside.cgroup import Cgroup
from autograder.inside.limits import Limits
from autograder.sandbox import cgroups

from .harness import ROOT

DEAD = 2**22 + 1  # no process has a number above 2**22


@pytest.fixture
def real() -> Iterator[Cgroup]:
    parents = tuple(cgroups.open_cgroups())
    if not parents:
        pytest.skip("this machine lets us make no cgroup")
    cgroup = Cgroup(parents, "trial")
    cgroup.create(Limits(memory=64 * 2**20, processes=5))
    yield cgroup
    cgroup.remove()
    for parent in parents:
        assert os.listdir(parent) and "trial" not in os.listdir(parent)
        os.rmdir(os.readlink(f"/proc/self/fd/{parent}"))
        os.close(parent)


def in_cgroup(cgroup: Cgroup, program: str) -> subprocess.CompletedProcess[str]:
    join = f"from autograder.inside.cgroup import Cgroup; Cgroup({cgroup.parents}, 'trial').join()\n"
    command = [sys.executable, "-P", "-c", join + program]
    return subprocess.run(
        command, pass_fds=cgroup.parents, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )


def test_the_kernel_ends_what_takes_too_much_memory(real: Cgroup) -> None:
    assert in_cgroup(real, "print(len(b'x' * 2**20))").stdout == "1048576\n"
    assert not real.out_of_memory()
    assert in_cgroup(real, "b'x' * 2**28").returncode == -9
    assert real.out_of_memory()


def test_the_kernel_counts_processes(real: Cgroup) -> None:
    program = (
        "import threading, time\nfor _ in range(9): threading.Thread(target=time.sleep, args=(9,), daemon=True).start()"
    )
    assert "can't start new thread" in in_cgroup(real, program).stderr


def test_what_killed_sessions_left_is_swept_up(real: Cgroup) -> None:
    left = Cgroup(real.parents, f"1-{DEAD}")
    left.create(Limits())
    Cgroup(real.parents, f"2-{os.getpid()}").create(Limits())
    assert [name for name in os.listdir(real.parents[0]) if "-" in name] == [f"2-{os.getpid()}"]
    Cgroup(real.parents, f"2-{os.getpid()}").remove()


def test_version_1_takes_the_process_s_own_cgroup_of_each_controller(tmp_path: Path) -> None:
    memberships = "9:name=systemd:/x\n8:pids:/\n5:cpu,cpuacct:/a\n4:memory:/a/b\n2:devices:/\n0::/\n"
    found = list(cgroups._candidates(tmp_path, memberships))
    assert found == [[tmp_path / "pids"], [tmp_path / "cpu/a"], [tmp_path / "memory/a/b"]]


def test_version_2_takes_the_nearest_cgroup_that_can_have_limited_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "app.slice/terminal.scope"
    own.mkdir(parents=True)
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids")
    (own / "cgroup.subtree_control").mkdir()  # cannot be written, as the kernel refuses where there are processes
    (own.parent / "cgroup.subtree_control").touch()
    memberships = tmp_path / "memberships"
    memberships.write_text("0::/app.slice/terminal.scope\n")
    monkeypatch.setattr(cgroups, "_HIERARCHIES", tmp_path)
    monkeypatch.setattr(cgroups, "_MEMBERSHIPS", memberships)
    monkeypatch.setattr(cgroups, "_try", lambda folder: None)  # an ordinary folder takes no processes
    (opened,) = cgroups.open_cgroups()
    made = Path(os.readlink(f"/proc/self/fd/{opened}"))
    os.close(opened)
    assert made.parent == own.parent and made.name.startswith(f"autograder-{os.getpid()}-")
    assert (own.parent / "cgroup.subtree_control").read_text() == "+memory +pids +cpu"
    assert [path.name for path in own.iterdir()] == ["cgroup.subtree_control"]


def test_without_cgroups_there_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroups, "_HIERARCHIES", tmp_path)
    assert cgroups.open_cgroups() == []


def test_those_of_dead_processes_are_swept_up(tmp_path: Path) -> None:
    for name in (f"autograder-{DEAD}-0/1-2", f"autograder-{os.getpid()}-0/1-2", "others"):
        (tmp_path / name).mkdir(parents=True)
    cgroups._sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"autograder-{os.getpid()}-0", "others"]
