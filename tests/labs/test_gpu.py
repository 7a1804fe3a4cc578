"""On a GPU every cell of every lab runs, and its solution passes its tests, with compiled kernels (`-m gpu`)."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from autograder.master import Lab
from autograder.run import run_in_subprocess
from autograder.variants import solution_complaint


@pytest.mark.gpu
@pytest.mark.skipif(not shutil.which("nvidia-smi"), reason="this machine has no NVIDIA GPU")
def test_the_solved_lab_runs_on_the_gpu(lab: Lab, tmp_path: Path) -> None:
    assert torch.cuda.is_available(), "nvidia-smi is here, but torch finds no GPU"
    folder = tmp_path / "labs" / lab.name  # a copy, since cells write files
    shutil.copytree(lab.path.parent, folder)
    report = run_in_subprocess(replace(lab, path=folder / lab.path.name), variants=False, prose=True)
    complaint = solution_complaint(lab, report)
    assert not complaint, complaint
