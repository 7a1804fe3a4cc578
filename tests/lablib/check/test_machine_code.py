"""The machine-code check names the resource that a configuration exceeds."""

from __future__ import annotations

import pytest
import torch

from lablib import check
from lablib.kernels.matmul import matmul


def operands() -> tuple[torch.Tensor, torch.Tensor]:
    a = torch.empty(1024, 1024, dtype=torch.float16, device="meta")
    return a, a.T


def test_a_configuration_that_fits_passes() -> None:
    compiled = check.machine_code(matmul, *operands(), 128, 128, 64, 8, 3, target="sm_90", instructions=["HGMMA"])
    assert compiled.instructions["HGMMA"] > 0


@pytest.mark.parametrize(
    ("tile", "target", "instruction", "message"),
    [
        ((128, 256, 64, 4, 3), "sm_90", "HGMMA", r"spills \d+ bytes a thread"),
        (
            (128, 256, 64, 8, 8),
            "sm_90",
            "HGMMA",
            "needs 393,216 bytes of shared memory; a program may have 232,448",
        ),
        ((64, 64, 32, 4, 3), "sm_80", "HGMMA", r"no HGMMA in its SASS; its matrix instructions are \{'HMMA'"),
    ],
)
def test_a_configuration_that_does_not_is_explained(tile, target, instruction, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check.machine_code(matmul, *operands(), *tile, target=target, instructions=[instruction])
