"""A hand-in in the sandbox reaches its own folder and nothing else, and what it writes down is not trusted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder import sandbox
from autograder.execution import ExecuteHandIn, _read_outputs

from .conftest import ROOT


def inside(tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run a script in the sandbox, with ``tmp_path`` as its folder."""
    tmp_path.chmod(0o777)
    argv = [sys.executable, "-c", script]
    return subprocess.run(sandbox.command(argv, tmp_path), capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "script",
    [
        "import socket; socket.create_connection(('1.1.1.1', 80), 2)",
        "open('/etc/passwd').read()",
        "open('/usr/planted', 'w')",
        "open('/planted', 'w')",
        f"open({str(ROOT / 'nbgrader_config.py')!r})",
        f"import os; os.listdir({str(ROOT / 'solutions')!r})",
        "import autograder",
        "import os; os.setuid(0)",
        "import os; os.mknod('device', 0o60600, os.makedev(8, 0))",
        "import os, pathlib; [p for p in pathlib.Path('/proc').glob('[0-9]*')][20]",
    ],
)
def test_what_is_not_the_hand_ins_own_is_out_of_reach(tmp_path: Path, script: str) -> None:
    done = inside(tmp_path, script)
    assert done.returncode != 0
    assert "Error" in done.stderr, done.stderr


def test_its_own_folder_and_lablib_are_there(tmp_path: Path) -> None:
    (tmp_path / "given").write_text("a")
    done = inside(tmp_path, "import lablib, os; open('made', 'w').write(open('given').read()); print(os.getuid())")
    assert (done.stdout, done.returncode) == ("65534\n", 0), done.stderr
    assert (tmp_path / "made").read_text() == "a"


def test_no_secret_of_the_grader_is_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADER_TOKEN", "secret_value")
    done = inside(tmp_path, "import os; print(sorted(os.environ))")
    assert "GRADER_TOKEN" not in done.stdout and "HOME" in done.stdout


def test_a_process_left_behind_dies_with_the_sandbox(tmp_path: Path) -> None:
    (tmp_path / "beat.py").write_text(
        "import time\nfor _ in range(600):\n    time.sleep(0.1)\n    open('alive', 'a').write('x')\n"
    )
    script = (
        "import subprocess as s, sys, time; s.Popen([sys.executable, 'beat.py'], start_new_session=True); time.sleep(1)"
    )
    assert inside(tmp_path, script).returncode == 0
    size = (tmp_path / "alive").stat().st_size
    time.sleep(0.5)
    assert size > 0 and (tmp_path / "alive").stat().st_size == size


def test_without_a_sandbox_grading_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sandbox, "refusal", lambda: "it is not installed: install the package bubblewrap")
    with pytest.raises(sandbox.SandboxError, match=r"bubblewrap, but it is not installed.*--sandbox none"):
        sandbox.command(["true"], tmp_path)
    assert sandbox.command(["true"], tmp_path, kind="none") == ["true"]
    with pytest.raises(sandbox.SandboxError, match="unknown sandbox 'firejail'"):
        sandbox.command(["true"], tmp_path, kind="firejail")


@pytest.mark.slow
def test_a_notebook_keeps_what_ran_before_its_kernel_died() -> None:
    sources = [
        "print('first')",
        "1 / 0",
        "import time; time.sleep(60)",
        "print('x' * 10)",
        "import os; os._exit(1)",
        "2",
    ]
    cells = [new_code_cell(source, id=f"c{number}") for number, source in enumerate(sources)]
    notebook, _ = ExecuteHandIn(timeout=3).preprocess(new_notebook(cells=cells), {})
    assert [cell.execution_count for cell in notebook.cells] == [1, 2, 3, 4, None, None]
    assert notebook.cells[0].outputs[0].text == "first\n"
    assert notebook.cells[1].outputs[0].ename == "ZeroDivisionError"
    assert notebook.cells[2].outputs[-1].ename == "CellTimeoutError"
    assert notebook.cells[3].outputs[0].text == "x" * 10 + "\n"


@pytest.mark.slow
def test_memory_is_limited() -> None:
    cells = [new_code_cell("x = bytearray(40 * 2**30)", id="big"), new_code_cell("1", id="after")]
    notebook, _ = ExecuteHandIn(timeout=30).preprocess(new_notebook(cells=cells), {})
    assert notebook.cells[0].outputs[-1].ename == "MemoryError"
    assert notebook.cells[1].execution_count == 2


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("not json", {}),
        ("[" * 100_000, {}),
        ("[]", {}),
        ('{"a": 1}', {}),
        ('{"a": [1, {}, {"output_type": "stream", "name": "socket", "text": "x"}]}', {"a": []}),
        (
            '{"a": [{"output_type": "execute_result", "data": {"text/plain": "2", "n": 3}}]}',
            {"a": [{"text/plain": "2"}]},
        ),
        ('{"a": [{"output_type": "error", "ename": 5, "traceback": 7}]}', {"a": ["5"]}),
    ],
)
def test_outputs_are_taken_in_known_forms_only(tmp_path: Path, text: str, kept: dict) -> None:
    (tmp_path / "out.json").write_text(text)
    found = _read_outputs(tmp_path / "out.json")
    shown = {cell: [one.get("data") or one.get("ename") for one in outputs] for cell, outputs in found.items()}
    assert shown == kept


def test_outputs_are_a_regular_file_of_bounded_size(tmp_path: Path) -> None:
    (tmp_path / "real.json").write_text(json.dumps({"a": []}))
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "large.json").write_bytes(b" " * (20 * 2**20 + 1))
    for name in ("link.json", "pipe.json", "folder.json", "large.json", "missing.json"):
        assert _read_outputs(tmp_path / name) == {}


@pytest.mark.slow
def test_assets_are_there_and_floods_of_output_cost_only_themselves(tmp_path: Path) -> None:
    assets = tmp_path / "lab90_tiny" / "assets"
    assets.mkdir(parents=True)
    (assets / "given.txt").write_text("seen")
    sources = [
        "print(open('assets/given.txt').read())",
        "print('x' * 50_000_000)",
        "import os; [os.write(descriptor, b'y' * 10**6) for descriptor in (1, 2) for _ in range(50)]",
        "print('after')",
    ]
    cells = [new_code_cell(source, id=f"c{number}") for number, source in enumerate(sources)]
    step = ExecuteHandIn(timeout=30, labs=str(tmp_path))
    notebook, _ = step.preprocess(new_notebook(cells=cells), {"nbgrader": {"assignment": "lab90_tiny"}})
    assert notebook.cells[0].outputs[0].text == "seen\n"
    assert len(notebook.cells[1].outputs[0].text) <= 200_000
    assert notebook.cells[3].outputs[-1].text.endswith("after\n")
