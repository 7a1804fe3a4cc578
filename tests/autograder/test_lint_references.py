"""Sources without a title or a year are found; documents that are kept up to date need no year."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder import master
from autograder.lint import lint
from autograder.lint.rules.references import faults

from .conftest import TINY

WHOLE = "* Graham: *Bounds for certain anomalies*, Bell System Technical Journal 45, 1966. A bound."
LACKS = {
    "* Graham, Bell System Technical Journal 45, 1966.": ["title"],
    "* Graham: *Bounds for certain anomalies*, Bell System Technical Journal 45.": ["year"],
    "* Ho: *Denoising*, arXiv:2006.11239.": ["year"],  # 2006 is the month of June 2020
    "* Ho: *Denoising*, arXiv:2006.11239, 2020; Song, arXiv:2010.02502.": ["title"],
}
FINE = [
    WHOLE,
    "- NVIDIA, *H200 Tensor Core GPU datasheet*.",
    "* H. T. Kung: *Why systolic architectures?*, IEEE Computer 15(1), 1982.",
    "* Data: MNIST (LeCun et al., 1998); `lablib/data/README.md` has licences.",
]


@pytest.mark.parametrize("item", LACKS)
def test_what_a_reference_lacks_is_named(item: str) -> None:
    assert [lack for lack, _ in faults(item)] == LACKS[item]


@pytest.mark.parametrize("item", FINE)
def test_a_reference_that_is_whole_lacks_nothing(item: str) -> None:
    assert list(faults(item)) == []


def test_the_linter_says_which_line_of_the_master(tmp_path: Path) -> None:
    text = TINY + "\n# %% [markdown]\n# **Sources**\n" + f"# {WHOLE}\n# * Ho: *Denoising*, arXiv:2006.11239.\n"
    path = tmp_path / "lab91_sources.py"
    path.write_text(text, encoding="utf-8")
    found = [finding for finding in lint(master.load(path)) if "the source" in finding.text]
    assert [finding.line for finding in found] == [text.count("\n")]
