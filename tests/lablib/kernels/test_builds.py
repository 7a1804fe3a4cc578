"""Compiled for GPUs that are not there: nothing spills, shared memory suffices, the matrix instruction is the one."""

from __future__ import annotations

from typing import Any

import pytest

from lablib.gpu.compile import compile_stages
from lablib.kernels import tuned

from .case import Build
from .test_kernels import MODULES

SHARED_BYTES = {"sm_80": 163 * 1024, "sm_90": 227 * 1024, "sm_100": 227 * 1024}  # at most, a program

BUILDS: list[Any] = [
    pytest.param(build, target, id=f"{build.name}, {target}")
    for module in MODULES
    for build in getattr(module, "BUILDS", [])
    for target in build.targets
]


@pytest.mark.parametrize(("build", "target"), BUILDS)
def test_it_fits_the_target(build: Build, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuned, "_gpu", lambda: target)  # with the configuration that was tuned, not the interpreter's
    (compiled,) = compile_stages(build.launch, targets=[target], kernel=build.kernel)
    assert compiled.spill_bytes == 0
    assert compiled.shared_bytes <= SHARED_BYTES[target]
    if target in build.instructions:
        assert compiled.instructions[build.instructions[target]] > 0
