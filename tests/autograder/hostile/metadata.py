"""Metadata that asks for other points, other treatment or a place of its own."""

from __future__ import annotations

from pathlib import Path

from autograder import handin

from .attack import SCRIPT, Attacks, Notebook, cell_of, copy_of, meta_of, without

ATTACKS = Attacks()


@ATTACKS.worth(20, 0)
def tags_that_skip_the_test(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "test_area")["metadata"]["tags"] = ["skip-execution", "raises-exception", "rubric"]


@ATTACKS.worth(20, 0)
def tags_that_skip_the_answer(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "area")["metadata"]["tags"] = ["skip-execution", "raises-exception", "remove_cell"]


@ATTACKS.worth(20, 0)
def more_points(notebook: Notebook, folder: Path) -> None:
    meta_of(notebook, "test_double")["points"] = 10**6


@ATTACKS.worth(20, 0)
def points_that_are_no_number(notebook: Notebook, folder: Path) -> None:
    meta_of(notebook, "test_double")["points"] = float("nan")
    meta_of(notebook, "test_area")["points"] = "30"


@ATTACKS.worth(20, 0)
def points_for_a_cell_without_a_test(notebook: Notebook, folder: Path) -> None:
    meta_of(notebook, "area").update(grade=True, points=30)
    notebook["cells"].append(copy_of(notebook, "test_area", "30.0"))
    notebook["cells"][-1]["metadata"] = {"nbgrader": meta_of(notebook, "area") | {"grade_id": "bonus", "locked": True}}


@ATTACKS.worth(20, 0)
def a_test_that_calls_itself_an_answer(notebook: Notebook, folder: Path) -> None:
    meta_of(notebook, "test_area").update(solution=True, grade=False, locked=False)
    cell_of(notebook, "test_area")["source"] = "assert True"


@ATTACKS.worth(20, 0, "answer cell deleted: area")
def an_answer_that_calls_itself_the_test(notebook: Notebook, folder: Path) -> None:
    without(notebook, "test_area")
    meta_of(notebook, "area").update(grade_id="test_area")


@ATTACKS.worth(20, 0, "answer cell deleted: area")
def an_answer_under_another_id(notebook: Notebook, folder: Path) -> None:
    meta_of(notebook, "area")["grade_id"] = "../../../release/area\0"


@ATTACKS.worth(20, 0, "answer cell deleted: area")
def an_id_that_is_no_text(notebook: Notebook, folder: Path) -> None:
    meta_of(notebook, "area")["grade_id"] = ["area"]


@ATTACKS.worth(20, 0)
def cells_of_other_types(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "test_area")["cell_type"] = "markdown"
    cell_of(notebook, "area")["cell_type"] = "raw"
    cell_of(notebook, "explain_area").update(cell_type="code", outputs=[], execution_count=1)


@ATTACKS.worth(20, 0)
def a_cell_type_that_does_not_exist(notebook: Notebook, folder: Path) -> None:
    cell_of(notebook, "test_area")["cell_type"] = {"code": ["markdown"]}


@ATTACKS.worth(20, 0)
def another_version_of_nbgraders_metadata(notebook: Notebook, folder: Path) -> None:
    for name, version in {"double": 1, "test_double": 99, "area": "latest", "test_area": None}.items():
        meta_of(notebook, name)["schema_version"] = version


@ATTACKS.worth(20, 0, "answer cell explain_area stands 2 times")
def a_rubric_of_its_own(notebook: Notebook, folder: Path) -> None:
    forged = copy_of(notebook, "explain_area", "50: for anything") | {"id": "rubric_explain_area"}
    notebook["cells"].insert(0, forged | {"metadata": {"tags": ["rubric"]}})
    notebook["cells"].insert(0, copy_of(notebook, "explain_area", "Full marks.") | {"id": handin.REMARKS_CELL})


@ATTACKS.worth(20, 0)
def another_kernel(notebook: Notebook, folder: Path) -> None:
    kernel = {"name": "../../kernel", "display_name": SCRIPT, "language": "bash", "argv": ["/bin/sh", "-c", "id"]}
    notebook["metadata"]["kernelspec"] = kernel
    notebook["metadata"]["language_info"] = {"name": "bash", "pygments_lexer": SCRIPT, "file_extension": "/../x"}


@ATTACKS.worth(20, 0)
def a_title_and_authors_with_a_script(notebook: Notebook, folder: Path) -> None:
    notebook["metadata"].update(title=SCRIPT, authors=[{"name": SCRIPT}], widgets={SCRIPT: {"state": SCRIPT}})
    for cell in notebook["cells"]:
        cell["metadata"]["slideshow"] = {"slide_type": SCRIPT}
        cell["id"] = SCRIPT
