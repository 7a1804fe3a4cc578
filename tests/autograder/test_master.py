from __future__ import annotations

from pathlib import Path

import pytest

from autograder import master
from autograder.master import Lab
from autograder.master_cells import MasterError

from .conftest import TINY, write_lab


def test_reads_cells_with_roles_points_and_lines(tiny: Lab) -> None:
    assert tiny.name == "lab90_tiny"
    assert [cell.id for cell in tiny.setup_cells] == ["setup"]
    assert [cell.id for cell in tiny.solution_cells] == ["double", "area"]
    assert [cell.id for cell in tiny.test_cells] == ["test_double", "test_area"]
    assert [cell.id for cell in tiny.graded_cells] == ["test_double", "test_area", "explain_area"]
    assert tiny.points == 100
    test = tiny.cell("test_area")
    assert (test.points, test.hours, test.tags, test.kind) == (30, 0.5, ("stretch",), "code")
    assert TINY.splitlines()[test.line - 1].startswith("# %% test_area")
    assert tiny.rubric("explain_area").source == "- 50: names the unrolled rings"
    assert {(wrong.cell, wrong.mistake) for wrong in tiny.wrong_answers} >= {("double", "squares")}


def test_a_marker_in_a_string_starts_no_cell(tmp_path: Path) -> None:
    text = TINY.replace("import math\n", 'import math\nTEXT = """\n# %% not a cell\n"""\n')
    lab = master.load(write_lab(tmp_path, text=text))
    assert "not a cell" in lab.cell("setup").source
    assert lab.cell("double").line == TINY.splitlines().index('# %% double tags=["solution"]') + 4


def test_what_setup_cells_withhold_is_the_labs(tmp_path: Path) -> None:
    names = '["lablib.models.gpt", "lablib/data/digits.npz"]'
    text = TINY.replace('tags=["setup"]', f'tags=["setup"] withhold={names}')
    assert master.load(write_lab(tmp_path, text=text)).withheld == ("lablib.models.gpt", "lablib/data/digits.npz")


BREACHES = {
    "unknown role": ('tags=["setup"]', 'tags=["set-up"]', "unknown role or tag 'set-up'"),
    "withheld by a solution": (
        '# %% double tags=["solution"]',
        '# %% double tags=["solution"] withhold=["lablib.models.gpt"]',
        "withhold= belongs on a setup cell, not on a solution cell",
    ),
    "withheld, and no list": (
        '# %% setup tags=["setup"]',
        '# %% setup tags=["setup"] withhold="lablib.models.gpt"',
        "withhold= must be a list",
    ),
    "withheld, and no name": (
        '# %% setup tags=["setup"]',
        '# %% setup tags=["setup"] withhold=[3]',
        "withhold= is a list of names",
    ),
    "two roles": ('tags=["setup"]', 'tags=["setup", "test"]', "a cell has one role, not setup and test"),
    "no setup": ('# %% setup tags=["setup"]', "# %% look_math", "a master needs a setup cell"),
    "no points": ("points=20 ", "", "'test_double' needs points="),
    "points of 0": ("points=20", "points=0", "'test_double' needs points=, a number above 0"),
    "no hours": (" hours=0.5\nassert double", "\nassert double", "'test_double' needs hours="),
    "no plan": ('["test", "core"]', '["test"]', '"core" and "stretch"'),
    "points on prose": ("# %% look_double", "# %% look_double points=3", "points= belongs on a test"),
    "unknown option": ("# %% look_double", "# %% look_double pionts=3", "unknown cell option 'pionts'"),
    "duplicate title": ("# %% look_double", "# %% area", "the title 'area' is used 2 times"),
    "bad title": ("# %% look_double", "# %% Look double", "cannot be an id"),
    "untitled role": ("# %% setup tags", "# %% tags", "a setup cell needs a title"),
    "test without solution": (
        '# %% area tags=["solution"]',
        "# %% area",
        "region cannot stand in a prose cell",
    ),
    "solution without test": (
        '# %% test_area tags=["test", "stretch"] points=30 hours=0.5',
        "# %% look_area",
        "a HIDDEN TESTS region cannot stand in a prose cell",
    ),
    "no rubric": (
        '# %% rubric_explain_area [markdown] tags=["rubric"]',
        "# %% [markdown]",
        "needs a rubric cell",
    ),
    "kind": ("# %% explain_area [markdown]", "# %% explain_area", "must be markdown, not code"),
    "no region": (
        "    ### BEGIN SOLUTION\n    return x + x\n    ### END SOLUTION",
        "    return x",
        "no '### BEGIN",
    ),
    "unpaired": ("    ### END SOLUTION\n\n# %% test_double", "\n# %% test_double", "must come in pairs"),
    "hidden in solution": (
        "    return x + x\n",
        "    ### BEGIN HIDDEN TESTS\n    ### END HIDDEN TESTS\n    pass\n",
        "a HIDDEN TESTS region cannot stand in a solution cell",
    ),
    "empty": ("import math\n", "\n", "the cell is empty"),
    "magic": ("import math\n", "# %matplotlib inline\n", "must be plain Python, no magics"),
    "syntax": ("return x + x", "return x +", "not valid Python"),
    "text before": (
        "# %% [markdown]\n# # Lab 90",
        "import os\n\n# %% [markdown]\n# # Lab 90",
        "before the first",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), BREACHES.values(), ids=BREACHES)
def test_a_breach_is_one_sentence_with_file_and_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in TINY
    path = write_lab(tmp_path, text=TINY.replace(old, new, 1))
    with pytest.raises(MasterError) as caught:
        master.load(path)
    sentence = str(caught.value)
    assert message in sentence
    assert sentence.startswith(f"{path}:"), sentence
    assert int(sentence.removeprefix(f"{path}:").split(":")[0]) >= 1
    assert "\n" not in sentence


def test_partners_are_missed_by_name(tmp_path: Path) -> None:
    orphan = '\n# %% test_volume tags=["test", "core"] points=1 hours=1\nassert True\n'
    with pytest.raises(MasterError, match="test cell 'test_volume' needs a solution cell titled 'volume'"):
        master.load(write_lab(tmp_path, text=TINY + orphan))


def test_a_wrong_answer_must_name_its_cell(tmp_path: Path) -> None:
    path = write_lab(tmp_path, wrong={"volume__none": "pass"})
    with pytest.raises(MasterError, match="'volume' is no such cell"):
        master.load(path)


def test_find_names_the_labs_there_are(repository: Path) -> None:
    with pytest.raises(MasterError, match="no lab is called 'lab91'; the labs are: lab90_tiny"):
        master.find(repository, "lab91")
    with pytest.raises(MasterError, match="there is no master here"):
        master.load(repository / "none.py")
