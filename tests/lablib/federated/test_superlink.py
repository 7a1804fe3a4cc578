from __future__ import annotations

import time
from pathlib import Path

import pytest

from lablib.federated import superlink
from lablib.federated.digits_app import digits_apps
from lablib.federated.grid import run_in_process

SETTINGS = {"rounds": 2, "alpha": 1.0}


@pytest.mark.slow
def test_a_superlink_with_four_supernodes_reports_the_same_numbers():
    here, _ = run_in_process(*digits_apps(), 4, SETTINGS)
    assert superlink.run_on_superlink(4, SETTINGS) == here


def test_a_process_that_ends_early_is_named_with_its_log(tmp_path):
    with superlink._running([["sh", "-c", "echo out of luck; exit 3"]], tmp_path) as processes:
        processes[0].wait()
        with pytest.raises(RuntimeError, match=r"ended early[\s\S]*out of luck"):
            superlink._wait_for(tmp_path / "report.json", processes, tmp_path)


def test_processes_end_with_the_block(tmp_path):
    with superlink._running([["sleep", "600"]], tmp_path) as processes:
        assert processes[0].poll() is None
    assert processes[0].poll() is not None


def running(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def test_children_end_with_the_block(tmp_path):
    with superlink._running([["sh", "-c", "sleep 600 & echo $! > pid.new; mv pid.new pid; wait"]], tmp_path):
        while not (tmp_path / "pid").exists():
            time.sleep(0.01)
        pid = int((tmp_path / "pid").read_text())
        assert running(pid)
    deadline = time.monotonic() + 30
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not running(pid)


def test_a_submission_that_hangs_gets_a_sentence(tmp_path, monkeypatch):
    flwr = tmp_path / "flwr"
    flwr.write_text("#!/bin/sh\nexec sleep 600\n")
    flwr.chmod(0o755)
    monkeypatch.setattr(superlink, "_tool", lambda name: str(flwr))
    monkeypatch.setattr(superlink, "_SUBMIT", 0.1)
    with pytest.raises(RuntimeError, match=r"`flwr run` took more than 0\.1 s"):
        superlink._submit(tmp_path, [])


def test_a_missing_command_is_named():
    with pytest.raises(RuntimeError, match="flower-nothing is missing: `pip install flwr`"):
        superlink._tool("flower-nothing")
