"""What students get has nothing in it that they should not see, works on its own, and updates keep their work."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import nbformat
import pytest

from autograder import bridge, master

from .conftest import ROOT

SCRIPTS = Path(sys.executable).parent
IDENTITY = {f"GIT_{who}_{what}": "someone@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
ENV = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")} | IDENTITY
ENV |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
LONG = 3  # lines: a shorter passage can stand elsewhere by chance
GRADER = re.compile(r"^\s*(?:from|import) (?:autograder|nbgrader|solutions)\b", re.MULTILINE)
REGION = re.compile(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)\n[ \t]*### END", re.DOTALL)

pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, env: dict[str, str] = ENV) -> str:
    """Run a command that must succeed; return what it printed."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def release(repository: Path) -> None:
    """Commit in the students' repository what students get of this one."""
    run("make", "student", f"REPO={repository}", cwd=ROOT)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The students' repository, one release old."""
    repository = tmp_path_factory.mktemp("published")
    run("git", "init", "-q", "-b", "main", cwd=repository)
    release(repository)
    return repository


def passage(text: str) -> str:
    """Lines without indentation and blank ones, so that a passage is found wherever it was pasted."""
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


def texts(repository: Path) -> dict[str, str]:
    """Every text of the repository; of a notebook, the sources of its cells."""
    found = {}
    for name in run("git", "ls-files", cwd=repository).splitlines():
        path = repository / name
        if path.suffix == ".ipynb":
            found[name] = "\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells)
        elif path.suffix not in (".npz", ".png", ".gz"):
            found[name] = path.read_text(encoding="utf-8")
    return found


def secrets() -> list[str]:
    """Solutions and hidden tests of all labs, rubrics and wrong answers, as passages of some length."""
    found = []
    for lab in master.load_all(ROOT):
        for cell in lab.cells:
            found += [cell.source] if cell.role == "rubric" else REGION.findall(cell.source)
    passages = [passage(one) for one in found]
    return [one for one in passages if one.count("\n") >= LONG - 1]


def test_nothing_in_it_shows_an_answer_or_a_hidden_test(published: Path) -> None:
    shown = {name: passage(text) for name, text in texts(published).items()}
    everything = "\n\0\n".join(shown.values())
    found = [one for one in secrets() if one in everything]
    assert len(secrets()) > 300
    assert found == []
    assert [name for name, text in shown.items() if "### BEGIN" in text or "### END" in text] == []


def test_the_search_finds_what_was_slipped_in(published: Path) -> None:
    slipped = textwrap.indent(secrets()[0], "    ")
    assert secrets()[0] in passage(f"x = 1\n{slipped}\n")
    assert GRADER.search("    from autograder.judge import judge")


def test_no_grader_is_in_it(published: Path) -> None:
    names = list(texts(published))
    assert not [name for name in names if re.match(r"autograder|solutions|tests|benchmarks.*py$|nbgrader_config", name)]
    assert [
        name for name, text in texts(published).items() if name.endswith((".py", ".ipynb")) and GRADER.search(text)
    ] == []


def test_it_installs_and_opens(published: Path) -> None:
    """The commands that `make lab` would run, as far as they go without a download."""
    planned = run("make", "-n", "lab", "BROWSER=no", cwd=published)
    assert "-m lablib.jupyter --port 8888 --no-browser" in planned
    listed = run("make", "--no-print-directory", cwd=published)
    assert re.findall(r"^(\S+)", listed, re.MULTILINE) == ["help", "lab", "clean"]
    assert all((published / name).is_file() for name in ("requirements.lock", "pyproject.toml", "README.md", "LICENSE"))
    pip = (sys.executable, "-m", "pip", "install", "--dry-run", "--no-deps", "--no-build-isolation", "--no-index")
    assert "Would install lablib" in run(*pip, "--editable", ".", cwd=published)
    code = "from pathlib import Path; from lablib import home, jupyter; print(home.write(Path('labs')), end=' ')"
    code += "; print(*jupyter.command(Path('.'), 8888, False))"
    told = run(sys.executable, "-c", code, cwd=published, env=ENV | {"PYTHONPATH": str(published)})
    assert told.startswith("labs/home.md") and "--LabApp.default_url=/lab/tree/labs/home.md" in told
    assert run("git", "status", "--porcelain", cwd=published) == ""


def test_links_of_its_pages_lead_somewhere(published: Path) -> None:
    pages = [path.relative_to(published).as_posix() for path in published.rglob("*.md")]
    assert {"README.md", "docs/coverage.md", "docs/plans.md"} <= set(pages)
    for name in pages:
        targets = re.findall(r"\]\((?!https?:)([^)#]+)", (published / name).read_text())
        missing = [target for target in targets if not (published / name).parent.joinpath(target).exists()]
        assert missing == [], f"{name} links to what students do not have"


def write_notebook(path: Path, notebook: nbformat.NotebookNode) -> None:
    path.write_text(bridge.to_text(notebook), encoding="utf-8")


def test_an_update_by_nbgitpuller_keeps_a_students_work(published: Path, tmp_path: Path) -> None:
    student, lab = tmp_path / "student", "labs/lab01_frameworks/lab01_frameworks.ipynb"
    pull = (SCRIPTS / "gitpuller", published.as_uri(), "main", student)
    run(*pull, cwd=tmp_path)

    mine = nbformat.read(student / lab, as_version=4)
    cells = {cell.id: cell for cell in mine.cells}
    answer = "class Strided:\n    pass  # my answer"
    cells["strided"].source = answer
    for number, cell in enumerate(mine.cells, start=1):
        if cell.cell_type == "code":  # as a notebook that was run
            cell.execution_count = number
            cell.outputs = [nbformat.v4.new_output("stream", text=f"output {number}\n")]
    mine.cells.insert(3, nbformat.v4.new_code_cell("my_own_cell = 1", id="own-cell"))
    write_notebook(student / lab, mine)
    own = {"ledger.json": '{"lab01_frameworks": {"a": 1}}', "progress.json": "{}", "home.md": "# mine"}
    for name, text in own.items():
        (student / "labs" / name).write_text(text)

    theirs = nbformat.read(published / lab, as_version=4)
    first, last = theirs.cells[0], theirs.cells[-1]
    first.source, last.source = first.source + "\n\nA corrected sentence.", last.source + "\n\nAnother source."
    write_notebook(published / lab, theirs)
    (published / "labs" / "lab19_new").mkdir()
    write_notebook(published / "labs" / "lab19_new" / "lab19_new.ipynb", theirs)
    (published / "lablib" / "__init__.py").write_text("# a corrected library\n")
    run("git", "add", "--all", cwd=published)
    run("git", "commit", "-q", "-m", "Corrections", cwd=published)

    run(*pull, cwd=tmp_path)
    merged = nbformat.read(student / lab, as_version=4)
    nbformat.validate(merged)
    after = {cell.id: cell for cell in merged.cells}
    assert after["strided"].source == answer
    assert after["own-cell"].source == "my_own_cell = 1"
    assert after["strided"].outputs[0].text.startswith("output ")
    assert "A corrected sentence." in merged.cells[0].source and "Another source." in merged.cells[-1].source
    assert {name: (student / "labs" / name).read_text() for name in own} == own
    assert (student / "labs" / "lab19_new" / "lab19_new.ipynb").is_file()
    assert (student / "lablib" / "__init__.py").read_text() == "# a corrected library\n"
    assert json.loads((student / lab).read_text())["nbformat"] == 4
