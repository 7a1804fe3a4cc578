"""On a GPU, every lab's solution passes its tests with compiled kernels (deselected without `-m gpu`)."""

from __future__ import annotations

import shutil

import pytest
import torch

from autograder.master import Lab
from autograder.run import run_in_subprocess
from autograder.variants import solution_complaint


@pytest.mark.gpu
@pytest.mark.skipif(not shutil.which("nvidia-smi"), reason="this machine has no NVIDIA GPU")
def test_solution_passes_on_the_gpu(lab: Lab) -> None:
    assert torch.cuda.is_available(), "nvidia-smi is here, but torch finds no GPU"
    report = run_in_subprocess(lab, variants=False)
    complaint = solution_complaint(lab, report)
    assert not complaint, complaint
