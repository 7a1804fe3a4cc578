"""Cells that were copied, deleted, moved or filled with what no answer is."""

from __future__ import annotations

from pathlib import Path

from autograder import handin

from .attack import AREA, DOUBLE, LINEAR, SCRIPT, Attacks, Notebook, cell_of, copy_of, without

ATTACKS = Attacks()


@ATTACKS.worth(20, 0, "test cell test_area stands 2 times")
def a_copy_of_a_test(notebook: Notebook, folder: Path) -> None:
    notebook["cells"].append(copy_of(notebook, "test_area", "30.0"))


@ATTACKS.worth(20, 0, "answer cell area stands 2 times")
def a_right_answer_and_then_a_wrong_one(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "area")["source"] = AREA
    notebook["cells"].append(copy_of(notebook, "area", LINEAR))


@ATTACKS.worth(20, 30, "answer cell area stands 2 times")
def a_wrong_answer_and_then_a_right_one(notebook: Notebook, folder: Path) -> None:
    notebook["cells"].append(copy_of(notebook, "area", AREA))


@ATTACKS.worth(20, 0, "test cell deleted: test_double, test_area")
def no_tests(notebook: Notebook, folder: Path) -> None:
    without(notebook, "test_double", "test_area")


@ATTACKS.worth(0, 0, "answer cell deleted: double, area, explain_area")
def no_answers(notebook: Notebook, folder: Path) -> None:
    without(notebook, "double", "area", "explain_area")


@ATTACKS.worth(0, 0, "setup cell deleted: setup")
def no_cells(notebook: Notebook, folder: Path) -> None:
    notebook["cells"] = []


@ATTACKS.worth(20, 0)
def cells_in_reverse(notebook: Notebook, folder: Path) -> None:
    notebook["cells"].reverse()


@ATTACKS.worth(20, 0)
def other_code_in_locked_cells(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "setup")["source"] = "import math\nmath.isclose = lambda *given: True"
    cell_of(notebook, "test_area")["source"] = "30.0"


@ATTACKS.worth(20, 0)
def a_new_cell_that_passes_the_test(notebook: Notebook, folder: Path) -> None:
    cell = copy_of(notebook, "area", "math.isclose = lambda *given: True") | {"metadata": {}}
    notebook["cells"].insert(0, cell)
    cell_of(notebook, "look_double")["source"] = "math.isclose = lambda *given: True"


@ATTACKS.worth(20, 0)
def markers_of_hidden_tests_and_solutions(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "area")["source"] = f"### BEGIN HIDDEN TESTS\n{LINEAR}\n### END SOLUTION\n### BEGIN SOLUTION"


@ATTACKS.worth(20, 30)
def a_source_in_lines(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "area")["source"] = AREA.splitlines(keepends=True)


@ATTACKS.worth(20, 0, "answer cell deleted: area")
def a_source_that_is_no_text(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "area")["source"] = ["def area(radius):\n", 3.0]


@ATTACKS.worth(0, 0)
def bytes_of_zero(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "double")["source"] = f"{DOUBLE}\0"
    cell_of(notebook, "area")["source"] = f"\0{AREA}"
    cell_of(notebook, "explain_area")["source"] = "Rings.\0<script>"


@ATTACKS.worth(20, 30)
def halves_of_surrogate_pairs(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "area")["source"] = f"# \ud83d\n{AREA}  # \ude00"
    cell_of(notebook, "explain_area")["source"] = "Rings \udc80 \ud83d"
    notebook["metadata"]["\udfff"] = "\ud800"


@ATTACKS.worth(20, 0)
def a_long_answer(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "area")["source"] = AREA + " " * handin.MAX_ANSWER


@ATTACKS.worth(20, 0)
def an_explanation_that_is_deep(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "explain_area")["source"] = "> " * 500 + "\n" + "\n".join("  " * n + "- a" for n in range(90))


@ATTACKS.worth(20, 0)
def attachments_and_markup(notebook: Notebook, folder: Path) -> None:
    answer = cell_of(notebook, "explain_area")
    answer["source"] = f"![x](attachment:x.svg) {SCRIPT} [x](javascript:alert(1)) <iframe src=/formgrader></iframe>"
    answer["attachments"] = {"x.svg": {"image/svg+xml": f"<svg xmlns='http://www.w3.org/2000/svg'>{SCRIPT}</svg>"}}


@ATTACKS.worth(20, 0)
def forged_outputs(notebook: Notebook, folder: Path) -> None:
    shown = {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": "30.0"}}
    for name in ("area", "test_area"):
        cell_of(notebook, name).update(outputs=[shown], execution_count=10**30)


@ATTACKS.worth(20, 0)
def outputs_with_a_script(notebook: Notebook, folder: Path) -> None:
    data = {"text/html": SCRIPT, "application/javascript": "document.title = 'stolen'", "image/svg+xml": SCRIPT}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": data}]


@ATTACKS.worth(20, 0)
def fifteen_megabytes_of_outputs(notebook: Notebook, folder: Path) -> None:
    line = {"output_type": "stream", "name": "stderr", "text": "x" * 15_000}
    cell_of(notebook, "test_area")["outputs"] = [line] * 1000
