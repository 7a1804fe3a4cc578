"""A tiny lab without torch, and a repository that holds it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograder import master
from autograder.master import Lab

ROOT = Path(__file__).parents[2]

TINY = """# %% [markdown]
# # Lab 90 · Tiny

# %% setup tags=["setup"]
import math

# %% [markdown]
# ---

# %% double tags=["solution"]
def double(x):
    ### BEGIN SOLUTION
    return x + x
    ### END SOLUTION

# %% test_double tags=["test", "core"] points=20 hours=0.5
assert double(2) == 4, f"expected 4, got {double(2)}"
### BEGIN HIDDEN TESTS
secret_value = 17
assert double(secret_value) == 34, f"expected twice the number, got {double(17)}"
### END HIDDEN TESTS

# %% look_double
1 / 0

# %% [markdown]
# ---

# %% area tags=["solution"]
def area(radius):
    ### BEGIN SOLUTION
    return math.pi * radius**2
    ### END SOLUTION

# %% test_area tags=["test", "stretch"] points=30 hours=0.5
assert math.isclose(area(1.0), math.pi)
### BEGIN HIDDEN TESTS
assert math.isclose(area(2.0), 4 * math.pi)
### END HIDDEN TESTS

# %% explain_area [markdown] tags=["manual", "core"] points=50 hours=0.5
# **Explain** the area.
#
# ### BEGIN SOLUTION
# Rings, unrolled.
# ### END SOLUTION

# %% rubric_explain_area [markdown] tags=["rubric"]
# - 50: names the unrolled rings
"""
WRONG = {
    "double__adds_two": "def double(x):\n    return x + 2\n",
    "double__squares": "def double(x):\n    return x * x\n",
    "area__diameter": "def area(radius):\n    return math.pi * (2 * radius) ** 2\n",
    "area__linear": "def area(radius):\n    return math.pi * radius\n",
}


def write_lab(root: Path, name: str = "lab90_tiny", text: str = TINY, wrong: dict[str, str] = WRONG) -> Path:
    """Write a master and its wrong answers; return the master's path."""
    folder = root / "solutions" / name
    (folder / "wrong").mkdir(parents=True)
    for stem, source in wrong.items():
        (folder / "wrong" / f"{stem}.py").write_text(source, encoding="utf-8")
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the tiny lab, nbgrader's settings and nothing else."""
    write_lab(tmp_path)
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    return tmp_path


@pytest.fixture
def tiny(repository: Path) -> Lab:
    """The tiny lab: 20 and 30 points by tests, 50 by a person."""
    return master.find(repository, "lab90")
