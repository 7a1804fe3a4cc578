"""Run a rebuilt hand-in in the sandbox, and settle what each test cell found.

`ExecuteHandIn` is the seam for another way to run one: whatever takes its place in nbgrader_config.py leaves
an error output on every test cell that did not pass, and an execution count on every one that ran.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Integer, Unicode

from autograder import sandbox

NOT_FINISHED = "NotFinished"
_RUNNER = Path(__file__).with_name("run_notebook.py")
_MOST_BYTES = 64 * 2**20  # of all outputs of a hand-in
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
        with tempfile.TemporaryDirectory(prefix="hand-in-") as name:
            folder = Path(name)
            folder.chmod(0o777)  # the sandbox's user is nobody
            (folder / "in.ipynb").write_text(nbformat.writes(nb), encoding="utf-8")
            assets = Path(self.labs, lab, "assets") if self.labs else folder / "none"
            inside = self.sandbox != "none"
            runner, home = ("/run_notebook.py", sandbox.HOME) if inside else (str(_RUNNER), name)
            argv = [sys.executable, "-P", runner, f"{home}/in.ipynb", f"{home}/out.json", str(self.timeout)]
            readable = [(_RUNNER, "/run_notebook.py"), (assets, f"{sandbox.HOME}/assets")]
            command = sandbox.command(argv, folder, readable, self.sandbox)
            environment = None if inside else os.environ | {"PYTHONSAFEPATH": "1"}
            try:
                done = subprocess.run(
                    command, cwd=folder, env=environment, capture_output=True, timeout=self.total_timeout
                )
                if done.returncode:
                    self.log.warning("The hand-in's process: %s", done.stderr.decode(errors="replace")[-2000:])
            except subprocess.TimeoutExpired:
                self.log.warning("The hand-in took more than %d s", self.total_timeout)
            return _read_outputs(folder / "out.json")


def _read_outputs(path: Path) -> dict[str, list]:
    """Outputs as the sandbox wrote them, of which nothing is taken that is not of a known form."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return {}
    with os.fdopen(descriptor, "rb") as stream:
        text = stream.read(_MOST_BYTES + 1)
    try:
        found = json.loads(text) if len(text) <= _MOST_BYTES else {}
    except (ValueError, RecursionError):
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
