"""Run a rebuilt hand-in and settle what each test cell found.

`ExecuteHandIn` is the seam for another way to run one: whatever takes its place in nbgrader_config.py leaves
an error output on every test cell that did not pass, and an execution count on every one that ran.
"""

from __future__ import annotations

import json

from nbclient.exceptions import DeadKernelError
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import Execute, NbGraderPreprocessor
from traitlets import Dict, Integer

NOT_FINISHED = "NotFinished"


def _error(name: str, message: str) -> dict:
    return {"ename": name, "evalue": message, "traceback": [f"{name}: {message}"]}


NOT_RUN = _error(NOT_FINISHED, "the process ended before or during this test")


class ExecuteHandIn(Execute):
    """nbgrader's Execute, except that a kernel that dies costs only that cell and those after it."""

    error_on_timeout = Dict(_error("CellTimeoutError", "the cell did not finish within its time limit"))

    def preprocess(self, nb, resources):
        self.finished: set[str] = set()
        try:
            # Safe path: the kernel starts in the hand-in's folder, whose math.py is not the math module.
            with utils.setenv(PYTHONSAFEPATH="1"):
                nb, resources = super().preprocess(nb, resources)
        except DeadKernelError:
            self.log.warning("The kernel died; the cells after that are not run")
        for cell in nb.cells:
            if cell.cell_type == "code" and utils.is_grade(cell) and cell.id not in self.finished:
                cell.outputs.append(new_output("error", **NOT_RUN))
        return nb, resources

    def on_cell_executed(self, **kwargs):
        super().on_cell_executed(**kwargs)
        self.finished.add(kwargs["cell"].id)


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
