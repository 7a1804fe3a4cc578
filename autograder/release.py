"""nbgrader's steps from source to release, with stubs that name their exercise."""

from __future__ import annotations

from nbgrader import preprocessors as nbgrader_steps
from nbgrader.utils import is_solution

ANSWER_STUB = "*Double-click here and replace this sentence with your answer.*"


class ClearSolutions(nbgrader_steps.ClearSolutions):
    """Replace solution regions by stubs; a stub's error says which exercise is still open."""

    def preprocess_cell(self, cell, resources, cell_index):
        self.text_stub = ANSWER_STUB
        if is_solution(cell) and cell.cell_type == "code":
            exercise = cell.metadata.nbgrader.grade_id
            self.code_stub = {
                "python": f'raise NotImplementedError("{exercise}: replace this line with your solution")'
            }
        return super().preprocess_cell(cell, resources, cell_index)


# nbgrader's order: checksums of what is locked are computed before and after the hidden tests go.
# nbgrader_config.py lists the same steps by name, with SaveCells, which needs the gradebook, between.
RELEASE_STEPS = [
    nbgrader_steps.LockCells,
    ClearSolutions,
    nbgrader_steps.ClearOutput,
    nbgrader_steps.CheckCellMetadata,
    nbgrader_steps.ComputeChecksums,
    nbgrader_steps.ClearHiddenTests,
    nbgrader_steps.ComputeChecksums,
    nbgrader_steps.CheckCellMetadata,
]
