"""labs/ follows the masters, and `new` starts one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograder import labs, master
from autograder.__main__ import main
from autograder.scaffold import ScaffoldError, new_lab

from .conftest import ROOT, write_lab


@pytest.fixture
def root(repository: Path) -> Path:
    assets = repository / "solutions" / "lab90_tiny" / "assets" / "deep"
    assets.mkdir(parents=True)
    (assets / "figure.svg").write_text("<svg/>")
    labs.write(repository)
    return repository


def test_write_copies_notebook_and_assets(root: Path) -> None:
    assert (root / "labs/lab90_tiny/lab90_tiny.ipynb").is_file()
    assert (root / "labs/lab90_tiny/assets/deep/figure.svg").read_text() == "<svg/>"
    assert labs.differences(root) == []
    assert labs.write(root) == []


def test_an_edit_in_labs_is_named_and_undone(root: Path) -> None:
    notebook = root / "labs/lab90_tiny/lab90_tiny.ipynb"
    before = notebook.read_bytes()
    notebook.write_bytes(before + b" ")
    assert labs.differences(root) == ["labs/lab90_tiny/lab90_tiny.ipynb is not what its master gives"]
    assert labs.write(root) == [notebook.relative_to(root)]
    assert notebook.read_bytes() == before


def test_stale_files_go_and_a_persons_files_stay(root: Path) -> None:
    (root / "solutions/lab90_tiny/assets/deep/figure.svg").unlink()
    write_lab(root, "lab91_other")
    labs.write(root)
    assert not (root / "labs/lab90_tiny/assets").exists()
    own = root / "labs/lab91_other/results.csv"
    own.write_text("mine")
    (root / "solutions/lab91_other/lab91_other.py").rename(root / "gone.py")
    for file in (root / "solutions/lab91_other/wrong").iterdir():
        file.unlink()
    (root / "solutions/lab91_other/wrong").rmdir()
    (root / "solutions/lab91_other").rmdir()
    assert labs.differences(root) == ["labs/lab91_other/lab91_other.ipynb belongs to no master"]
    labs.write(root)
    assert [file.name for file in (root / "labs/lab91_other").iterdir()] == ["results.csv"]


def test_the_command_checks_and_writes(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    assert main(["labs"]) == 0
    assert main(["labs", "--check"]) == 0
    (root / "labs/lab90_tiny/lab90_tiny.ipynb").unlink()
    assert main(["labs", "--check"]) == 1
    assert "labs/lab90_tiny/lab90_tiny.ipynb is missing; run `make labs`" in capsys.readouterr().err
    assert main(["labs"]) == 0
    assert main(["labs", "--check"]) == 0
    assert (root / "course/source/lab90_tiny/lab90_tiny.ipynb").is_file()


def test_commands_want_the_root_of_the_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["labs"]) == 2
    assert "run this at the root of the repository" in capsys.readouterr().err


@pytest.fixture
def with_template(repository: Path) -> Path:
    template = "solutions/_template"
    shutil.copytree(ROOT / template, repository / template, ignore=shutil.ignore_patterns("__pycache__"))
    return repository


def test_new_lab_is_a_valid_master(with_template: Path) -> None:
    folder = new_lab(with_template, "42", "running_mean")
    lab = master.find(with_template, "lab42")
    assert folder.name == lab.name == "lab42_running_mean"
    assert lab.points == 100
    assert len(lab.wrong_answers) == 2
    assert "Lab 42" in lab.path.read_text()
    assert "NN" not in lab.path.read_text()


@pytest.mark.parametrize(
    ("number", "slug", "message"),
    [
        ("4", "x", "NN must be two digits"),
        ("٤٢", "x", "NN must be two digits"),
        ("42", "../x", "SLUG must be lower-case words"),
        ("42", "", "SLUG must be lower-case words"),
        ("42", "Tiny", "SLUG must be lower-case words"),
        ("90", "more", "lab 90 exists already: solutions/lab90_tiny"),
    ],
)
def test_new_refuses_bad_names(with_template: Path, number: str, slug: str, message: str) -> None:
    before = sorted(with_template.rglob("*"))
    with pytest.raises(ScaffoldError, match=message):
        new_lab(with_template, number, slug)
    assert sorted(with_template.rglob("*")) == before
