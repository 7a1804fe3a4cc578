"""A check that passes in a notebook is remembered; everything else leaves no trace."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

import lablib
from lablib.check import progress

Run = Callable[[str, str], str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a lab."""
    made = tmp_path / "labs" / "lab01_first"
    made.mkdir(parents=True)
    check = {"id": "test_a", "exercise": "1 · A", "points": 10, "hours": 1, "plan": "core", "by_hand": False}
    course = {"labs": {"lab01_first": {"title": "First", "needs": [], "checks": [check]}}, "syllabus": {}}
    (made.parent / "course.json").write_text(json.dumps(course))
    return made


@pytest.fixture
def run(folder: Path) -> Iterator[Run]:
    """Run source in a kernel of the lab as JupyterLab does, with the cell's id, or without one."""
    path = os.pathsep.join([str(Path(lablib.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    manager, client = start_new_kernel(cwd=str(folder), env=os.environ | {"PYTHONPATH": path})

    def execute(source: str, cell: str) -> str:
        request = {
            "code": source,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "stop_on_error": True,
        }
        message = client.session.msg("execute_request", request, metadata={"cellId": cell} if cell else {})
        client.shell_channel.send(message)
        while True:  # replies to what the client asked as it started come first
            reply = client.get_shell_msg(timeout=120)
            if reply["parent_header"]["msg_id"] == message["header"]["msg_id"]:
                return reply["content"]["status"]

    yield execute
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def test_a_notebooks_checks_are_remembered(folder: Path, run: Run) -> None:
    kept = folder.parent / "progress.json"
    assert run("from lablib import check", "setup") == "ok"
    assert run("answer = 3", "answer") == "ok"
    assert run("assert answer == 3", "") == "ok"
    assert not kept.exists()
    assert run("assert answer == 3", "test_a") == "ok"
    assert json.loads(kept.read_text())["lab01_first"]["test_a"]["passed"] is True
    assert "10&nbsp;of&nbsp;10" in (folder.parent / "home.md").read_text()
    assert run("assert answer == 4", "test_a") == "error"
    assert json.loads(kept.read_text())["lab01_first"]["test_a"]["passed"] is False
    assert "| 0&nbsp;of&nbsp;10" in (folder.parent / "home.md").read_text()
    kept.write_text("{")
    assert run("assert answer == 3", "test_a") == "ok"
    assert kept.read_text() == "{"


def test_outside_a_notebook_nothing_is_watched(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    before = sorted(folder.parent.iterdir())
    progress.watch()
    assert sorted(folder.parent.iterdir()) == before


def test_a_note_keeps_what_others_wrote(folder: Path) -> None:
    (folder.parent / "lab02_second").mkdir()
    progress.note(folder, "test_a", True)
    progress.note(folder.parent / "lab02_second", "test_d", False)
    progress.note(folder, "test_b", True)
    kept = json.loads((folder.parent / "progress.json").read_text())
    assert {lab: sorted(runs) for lab, runs in kept.items()} == {
        "lab01_first": ["test_a", "test_b"],
        "lab02_second": ["test_d"],
    }
