from __future__ import annotations

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


def test_a_missing_command_is_named():
    with pytest.raises(RuntimeError, match="flower-nothing is missing: `pip install flwr`"):
        superlink._tool("flower-nothing")
