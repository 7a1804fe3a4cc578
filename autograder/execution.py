"""Run a rebuilt hand-in in the sandbox, and settle what each test cell found.

`ExecuteHandIn` is the seam for another way to run one: whatever takes its place in nbgrader_config.py leaves
an error output on every test cell that did not pass, and an execution count on every one that ran.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any

import nbformat
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Integer, Unicode

from autograder import handin, sandbox

NOT_FINISHED = "NotFinished"
_RUNNER = Path(__file__).with_name("run_notebook.py")
NOT_RUN = {
    "ename": NOT_FINISHED,
    "evalue": "the process ended before or during this test",
    "traceback": [f"{NOT_FINISHED}: the process ended before or during this test"],
}


class ExecuteHandIn(NbGraderPreprocessor):
    """Run the notebook's cells in order; a kernel that dies costs only that cell and those after it."""

    sandbox = Unicode(sandbox.KINDS[0], help="bubblewrap, or none").tag(config=True)
    timeout = Integer(120, help="seconds for one cell").tag(config=True)
    total_timeout = Integer(900, help="seconds for the notebook").tag(config=True)
    labs = Unicode("", help="folder whose <lab>/assets a hand-in may read").tag(config=True)

    def preprocess(self, nb, resources):
        finished = self._run(nb, resources.get("nbgrader", {}).get("assignment", ""))
        count = 0
        for cell in nb.cells:
            if cell.cell_type != "code":
                continue
            cell.outputs, cell.execution_count = [], None
            if cell.id in finished:
                count += 1
                cell.outputs, cell.execution_count = finished[cell.id], count
            elif utils.is_grade(cell):
                cell.outputs = [new_output("error", **NOT_RUN)]
        return nb, resources

    def _run(self, nb: Any, lab: str) -> dict[str, list]:
        """Outputs of the cells that ran to their end, by id."""
        with tempfile.TemporaryDirectory(prefix="hand-in-") as name, tempfile.TemporaryFile() as log:
            folder = Path(name)
            folder.chmod(0o777)  # the sandbox's user is nobody
            shutil.copy(_RUNNER, folder)
            (folder / "in.ipynb").write_text(nbformat.writes(nb), encoding="utf-8")
            assets = Path(self.labs, lab, "assets")
            if self.labs and assets.is_dir():
                shutil.copytree(assets, folder / "assets")
            argv = [sys.executable, "-P", _RUNNER.name, "in.ipynb", "out.json", str(self.timeout)]
            command = sandbox.command(argv, folder, self.sandbox)
            # Nothing that a hand-in prints is kept in this process's memory; the runner limits the size of the log.
            streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": log}
            try:
                code = subprocess.run(command, cwd=folder, timeout=self.total_timeout, **streams).returncode
                if code:
                    self.log.warning("The hand-in's process ended with code %d: %s", code, _end_of(log))
            except subprocess.TimeoutExpired:
                self.log.warning("The hand-in took more than %d s", self.total_timeout)
            return _read_outputs(folder / "out.json")


def _end_of(log: IO[bytes], most: int = 2000) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - most))
    return log.read(most).decode(errors="replace")


def _read_outputs(path: Path) -> dict[str, list]:
    """Outputs as the sandbox wrote them, of which nothing is taken that is not of a known form."""
    try:
        found = json.loads(handin.read_bytes(path))
    except (handin.HandInError, ValueError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    listed = ((cell, outputs) for cell, outputs in found.items() if isinstance(outputs, list))
    return {cell: [known for known in map(_known, outputs) if known] for cell, outputs in listed}


def _known(output: Any) -> Any:
    """The output with its known fields, or None."""
    if not isinstance(output, dict):
        return None
    kind = output.get("output_type")
    if kind == "stream" and output.get("name") in ("stdout", "stderr") and isinstance(output.get("text"), str):
        return new_output("stream", name=output["name"], text=output["text"])
    if kind == "error":
        lines = output.get("traceback")
        lines = [line for line in lines if isinstance(line, str)] if isinstance(lines, list) else []
        return new_output("error", ename=str(output.get("ename")), evalue=str(output.get("evalue")), traceback=lines)
    if kind in ("display_data", "execute_result") and isinstance(output.get("data"), dict):
        data = {mime: value for mime, value in output["data"].items() if isinstance(value, (str, dict))}
        return new_output(kind, data=data)
    return None


class KeepVerdicts(NbGraderPreprocessor):
    """Leave on a test cell what was printed and at most one error; bound every output.

    Without it nbgrader would read a warning on stderr as a failure, the value of a last expression as a
    score, and a test that never ran as passed.
    """

    max_characters = Integer(20_000, help="characters kept of one output").tag(config=True)

    def preprocess_cell(self, cell, resources, cell_index):
        if cell.cell_type != "code":
            return cell, resources
        if utils.is_grade(cell):
            cell.outputs = self._verdict(cell)
        cell.outputs = [self._bounded(output) for output in cell.outputs]
        return cell, resources

    def _verdict(self, cell) -> list:
        printed = [o for o in cell.outputs if o.output_type == "stream" and o.name == "stdout"]
        errors = [o for o in cell.outputs if o.output_type == "error"]
        if not errors and cell.execution_count is None:
            errors = [new_output("error", **NOT_RUN)]
        return printed[:1] + errors[-1:]  # the last: a timeout follows the interrupt that it caused

    def _bounded(self, output):
        if output.output_type == "stream":
            output.text = self._cut(output.text)
        elif output.output_type == "error":
            output.evalue = self._cut(output.evalue)
            output.traceback = [self._cut(line) for line in output.traceback]
        elif len(json.dumps(output.data)) > self.max_characters:
            output.data = {"text/plain": f"(an output of more than {self.max_characters} characters was left out)"}
        return output

    def _cut(self, text: str) -> str:
        if len(text) <= self.max_characters:
            return text
        return text[: self.max_characters] + f"\n... (cut after {self.max_characters} characters)"
