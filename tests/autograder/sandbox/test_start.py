"""Starting a sandbox, and the sentence that says why there is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from autograder import sandbox
from autograder.sandbox import bubblewrap, kinds, unshare

from .conftest import BACKENDS
from .harness import ROOT, Harness, small_environment

MODULES = {"bubblewrap": bubblewrap, "unshare": unshare}


@pytest.fixture(autouse=True)
def _ask_again() -> None:
    sandbox.refusal.cache_clear()


@pytest.mark.parametrize("kind", sandbox.KINDS)
def test_every_kind_works_here(kind: str) -> None:
    assert sandbox.refusal(kind) == ""
    sandbox.require(kind)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(sandbox.SandboxError, match="unknown sandbox 'jail': expected one of bubblewrap, unshare, none"):
        sandbox.require("jail")


def test_a_missing_program_is_named_with_the_package_that_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds.shutil, "which", lambda program: None)
    with pytest.raises(
        sandbox.SandboxError, match=r"graded in bubblewrap, .*not installed: install the package bubblewrap"
    ):
        sandbox.start("timeit", kind="bubblewrap", fds=[], folder=Path())
    advice = r"the package util-linux; `--sandbox bubblewrap` \(make: `SANDBOX=bubblewrap`\) is another way"
    with pytest.raises(sandbox.SandboxError, match=advice):
        sandbox.require("unshare")
    sandbox.require("none")


@pytest.mark.parametrize("kind", BACKENDS)
def test_a_machine_that_forbids_namespaces_is_quoted(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "refuses"
    program.write_text("#!/bin/sh\necho 'first line' >&2; echo 'no namespaces for you' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(MODULES[kind], "PROGRAM", str(program))
    with pytest.raises(sandbox.SandboxError, match=rf"{kind}, but it does not work here \(no namespaces for you\); "):
        sandbox.start("timeit", kind=kind, fds=[], folder=tmp_path)


@pytest.mark.parametrize("kind", BACKENDS)
def test_python_may_lie_below_a_folder_that_others_cannot_enter(kind: str, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    python = small_environment(closed / "environment", Path(sys.base_prefix, "bin", f"python3.{sys.version_info[1]}"))
    assert _refusal(python, kind) == ""
    if os.geteuid() == 0:
        (closed / "environment").chmod(0o700)
        assert f"may not read {closed / 'environment'}: allow it with chmod -R go+rX" in _refusal(python, kind)


def _refusal(python: Path, kind: str) -> str:
    program = f"from autograder import sandbox; print(sandbox.refusal({kind!r}))"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [str(python), "-P", "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.parametrize("kind", sandbox.KINDS)
def test_what_it_says_before_an_early_end_can_be_read(kind: str, tmp_path: Path) -> None:
    with sandbox.start("no_such_module", kind=kind, fds=[], folder=tmp_path) as parent:
        assert b"No module named no_such_module" in parent.communicate()[1]
    assert parent.returncode == 1


@pytest.mark.parametrize("kind", sandbox.KINDS)
def test_it_gets_its_arguments_and_descriptors_and_little_else(kind: str, tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    said = "json.dumps([sorted(os.environ), sys.flags.safe_path, os.getcwd()])"
    program = f"import json, os, sys; os.write({theirs}, {said}.encode())"
    with sandbox.start("timeit", "-n1", "-r1", program, kind=kind, fds=[theirs], folder=tmp_path) as parent:
        os.close(theirs)
        parent.communicate()
    with open(ours) as pipe:
        names, safe_path, folder = json.load(pipe)
    assert {"HOME", "PATH", "PYTHONPATH", "OMP_NUM_THREADS", "TRITON_CACHE_DIR"} < set(names)
    assert not [name for name in names if name.startswith("PYTEST")]
    assert safe_path and folder == (str(tmp_path) if kind == "none" else "/lab")


@pytest.mark.parametrize("kind", BACKENDS)
def test_killing_it_ends_whatever_runs_in_it(kind: str, tmp_path: Path) -> None:
    ours, theirs = os.pipe()
    program = f"import os, time; os.fork() or os.setsid(); os.write({theirs}, b'.'); time.sleep(60)"
    with sandbox.start("timeit", "-n1", "-r1", program, kind=kind, fds=[theirs], folder=tmp_path) as parent:
        os.close(theirs)
        with open(ours, "rb") as pipe:
            assert pipe.read(2) == b".."
            parent.kill()
            assert pipe.read() == b""


@pytest.mark.parametrize("kind", sandbox.KINDS)
def test_it_dies_with_who_started_it(kind: str, tmp_path: Path) -> None:
    harness = Harness(kind, [sys.executable], tmp_path)
    session = harness.start("os.write(descriptor, b'alive'); time.sleep(60)")
    assert session.read() == "alive"
    harness.starter.send_signal(signal.SIGKILL)
    assert session.read() == ""
    assert harness.has_ended()
    session.socket.close()
    harness.close()
