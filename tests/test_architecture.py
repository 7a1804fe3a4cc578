"""The house keeps its shape: imports point one way and stay light, and the top level holds what is named."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.architecture import violations

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = {
    *(".ci", ".devcontainer", "autograder", "benchmarks", "docs", "labs", "lablib", "solutions", "tests"),
    *(".dockerignore", ".editorconfig", ".gitattributes", ".gitignore", "CHANGELOG.md", "CITATION.cff"),
    *(
        "CONTRIBUTING.md",
        "Dockerfile",
        "LICENSE",
        "LICENSE-CC-BY-4.0",
        "Makefile",
        "README.md",
        "environment.yml",
        "jupytext.toml",
    ),
    *("nbgrader_config.py", "pyproject.toml", "requirements.lock"),
}
# Written so that it does not find itself.
MACHINE_PATH = re.compile(r"(?<![\w.])/(?:farm|root|work)" + r"/|\.\./shared")

PLANTED = [
    ("lablib.kernels.softmax", "import autograder.grade", "never imports autograder"),
    ("lablib.check.values", "def f():\n    from nbgrader import api", "never imports nbgrader"),
    ("lablib.gpu.trace", "from IPython.display import display", "for lablib.viz and lablib.check"),
    ("lablib.gpu.trace", "def f():\n    import ipywidgets", "for lablib.viz and lablib.check"),
    ("lablib.viz.style", "import IPython", "inside a function"),
    ("lablib.check.values", "class A:\n    import ipywidgets as w", "inside a function"),
    ("lablib.viz.roofline", "from lablib.gpu.specs import GPU", "no other part of lablib"),
    ("lablib.viz.roofline", "from lablib import device", "no other part of lablib"),
    ("lablib.viz.roofline", "from ..gpu import specs", "imports lablib.gpu"),
    ("lablib.kernels.softmax", "from lablib import viz", "imports lablib.viz"),
    ("lablib.hls.schedule", "import lablib.compress.prune", "imports lablib.compress"),
    ("lablib.hls.schedule", "def f():\n    importlib.import_module('lablib.graph')", "imports lablib.graph"),
    ("lablib.gpu.trace", "from lablib.kernels import softmax", "imports lablib.kernels"),
    ("lablib.device", "from lablib.gpu import specs", "no other part of lablib"),
    ("lablib", "from lablib import device", "imports nothing else"),
    ("autograder.grade", "from lablib.gpu import trace", "lablib.check only"),
    ("autograder.grade", "import solutions.lab00_start", "never imports solutions"),
    ("autograder.judge.channel", "from lablib.viz import style", "lablib.check and lablib.gpu only"),
    ("autograder.inside.serve", "from autograder import master", "never imports autograder.master"),
    ("autograder.inside.serve", "import nbgrader", "never imports nbgrader"),
    ("solutions.lab06_x.lab06_x", "from autograder import run", "never imports autograder"),
    ("solutions.lab06_x.lab06_x", "def f():\n    import lab05_graph_compilers", "another lab"),
    ("solutions.lab06_x.lab06_x", "from solutions.lab05_y import lab05_y", "never imports solutions"),
]
ALLOWED = [
    ("lablib.viz.memory", "def f():\n    import ipywidgets, plotly.graph_objects"),
    ("lablib.viz.memory", "import anywidget\nfrom lablib.viz.style import INK\nfrom . import units"),
    ("lablib.viz.roofline", "if TYPE_CHECKING:\n    from lablib.gpu.specs import GPU"),
    ("lablib.kernels.softmax", "import torch\nfrom lablib import device\nfrom lablib.gpu.cost import Cost"),
    ("lablib.hls.schedule", "from lablib.data import digits\nfrom lablib.models import cnn"),
    ("lablib.doctor", "from lablib import __version__, _python_complaint"),
    ("autograder.grade", "import nbgrader\nfrom lablib.check import close"),
    ("autograder.inside.serve", "from autograder.inside import wire\nfrom lablib.gpu import errors"),
    ("autograder.reports.page", "from lablib.viz import style"),
    ("solutions.lab06_x.lab06_x", "import lablib, torch\nfrom lablib import check, viz"),
]


def modules() -> dict[str, Path]:
    """Dotted name and path of each module that the rules are about."""
    paths = [path for top in ("lablib", "autograder", "solutions") for path in (ROOT / top).rglob("*.py")]
    names = [path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".") for path in paths]
    return {name.removesuffix(".__init__"): path for name, path in sorted(zip(names, paths, strict=True))}


def ignored(path: Path) -> bool:
    """Whether .gitignore names `path` or one of its folders; its patterns are names, never paths."""
    lines = (ROOT / ".gitignore").read_text().splitlines()
    patterns = [line.strip("/") for line in lines if line and not line.startswith("#")]
    parts = path.relative_to(ROOT).parts
    return any(fnmatch(part, pattern) for part in parts for pattern in [".git", *patterns])


def repository_files() -> Iterator[Path]:
    """Every file of the repository that git would keep."""
    for top in sorted(ROOT.iterdir()):
        if not ignored(top):
            inside = top.rglob("*") if top.is_dir() else [top]
            yield from (path for path in inside if path.is_file() and not ignored(path))


@pytest.mark.parametrize(("module", "source", "words"), PLANTED)
def test_the_rules_find_a_planted_violation(module: str, source: str, words: str) -> None:
    found = violations(module, source, is_package=module == "lablib")
    assert len(found) == 1, found
    assert words in found[0]


@pytest.mark.parametrize(("module", "source"), ALLOWED)
def test_the_rules_allow_what_is_right(module: str, source: str) -> None:
    assert violations(module, source) == []


@pytest.mark.parametrize(("module", "path"), modules().items(), ids=modules())
def test_imports_point_one_way(module: str, path: Path) -> None:
    assert violations(module, path.read_text(), path.name == "__init__.py") == []


BARE = """
import importlib.metadata as metadata, importlib.abc, re, sys

def needed(distribution, seen):
    name = re.match(r"[\\w.-]+", distribution)[0].lower().replace("_", "-")
    if name not in seen:
        seen.add(name)
        try:
            requirements = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            return
        for requirement in requirements:
            if "extra ==" not in requirement:
                needed(requirement, seen)

class Bare(importlib.abc.MetaPathFinder):
    def __init__(self, distributions):
        self.absent = {
            module for module, owners in metadata.packages_distributions().items()
            if not distributions & {owner.lower().replace("_", "-") for owner in owners}
        }
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

allowed = {"lablib"}
for distribution in sys.argv[2:]:
    needed(distribution, allowed)
sys.meta_path.insert(0, Bare(allowed))
importlib.import_module(sys.argv[1])
"""


def import_on_a_bare_machine(module: str, *distributions: str) -> subprocess.CompletedProcess[str]:
    """Import `module` where only `distributions`, and what they require, are installed."""
    command = [sys.executable, "-c", BARE, module, *distributions]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def lablib_parts() -> list[str]:
    inside = sorted((ROOT / "lablib").iterdir())
    modules = [path.stem for path in inside if path.suffix == ".py" and path.stem != "__init__"]
    return modules + [path.name for path in inside if (path / "__init__.py").exists()]


@pytest.mark.parametrize("part", lablib_parts())
def test_importing_needs_torch_triton_and_numpy_only(part: str) -> None:
    done = import_on_a_bare_machine(f"lablib.{part}", "numpy", "torch", "triton")
    assert done.returncode == 0, done.stderr


def test_importing_lablib_needs_the_standard_library_only() -> None:
    done = import_on_a_bare_machine("lablib")
    assert done.returncode == 0, done.stderr


def test_every_part_of_lablib_stands_in_the_table_of_how_it_is_built() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text().partition("**Which way imports point.**")[0]
    rows = re.findall(r"^\| (`.+?) \|", page, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)", row)}
    assert [part for part in lablib_parts() if part not in named] == []


def test_the_bare_machine_lacks_plotly_and_has_torch() -> None:
    assert "No module named 'plotly'" in import_on_a_bare_machine("plotly", "torch").stderr
    assert import_on_a_bare_machine("torch", "torch", "numpy").returncode == 0


def test_the_top_level_holds_what_is_announced() -> None:
    present = {path.name for path in ROOT.iterdir() if not ignored(path)}
    assert present <= TOP_LEVEL, f"unexpected at the top level: {sorted(present - TOP_LEVEL)}"


def test_no_file_names_a_path_of_someones_machine() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in repository_files()
        for number, line in enumerate(path.read_text(errors="ignore").splitlines(), start=1)
        if MACHINE_PATH.search(line)
    ]
    assert found == []


def test_the_search_for_paths_finds_one() -> None:
    assert MACHINE_PATH.search("cd " + "/work" + "/main")
    assert not MACHINE_PATH.search("homework/lab06 and net/root/x")


def test_the_wheel_has_lablib_with_its_data_and_nothing_else(tmp_path: Path) -> None:
    """Built from a copy, since setuptools writes beside the sources."""
    project = tmp_path / "project"
    shutil.copytree(ROOT / "lablib", project / "lablib", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-CC-BY-4.0"):
        shutil.copy(ROOT / name, project)
    (project / "autograder").mkdir()
    (project / "autograder" / "__init__.py").touch()
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--wheel-dir", tmp_path, project], check=True, timeout=120)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = (path for path in (ROOT / "lablib").rglob("*") if path.is_file() and not ignored(path))
    assert packed == {path.relative_to(ROOT).as_posix() for path in sources}
