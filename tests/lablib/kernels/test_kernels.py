"""Every reference kernel agrees with its oracle, moves what its cost model says, and refuses what it cannot do.

The same tests run in the interpreter and, on a GPU, compiled. The cases stand in `cases`, a module a kernel.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils import deterministic
from torch.utils._pytree import tree_leaves, tree_map

from lablib import device
from lablib.check.random import Rng
from lablib.gpu.accuracy import require_accurate
from lablib.gpu.trace import trace

from .case import Case, Refused

FOLDER = Path(__file__).parent / "cases"
MODULES = [importlib.import_module(f".cases.{path.stem}", __package__) for path in sorted(FOLDER.glob("*.py"))]
CASES: list[Case] = [case for module in MODULES for case in module.CASES]
REFUSED: list[Refused] = [refused for module in MODULES for refused in getattr(module, "REFUSED", [])]


def _dtypes(case: Case) -> list[torch.dtype]:
    on_gpu = [torch.bfloat16] if not device.INTERPRETED and torch.float16 in case.dtypes else []
    return [*case.dtypes, *on_gpu]


RUNS: list[Any] = [
    pytest.param(case, dtype, id=f"{case.name}, {str(dtype).removeprefix('torch.')}")
    for case in CASES
    for dtype in _dtypes(case)
]


def _of(condition: str) -> list[Any]:
    return [run for run in RUNS if getattr(run.values[0], condition)]


def _draw(case: Case, dtype: torch.dtype, seed: int = 0) -> tuple:
    return case.arguments(Rng(seed), dtype)


def _exact(value: Any) -> Any:
    is_float = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.double() if is_float else value.clone() if isinstance(value, torch.Tensor) else value


@pytest.fixture
def poisoned() -> Iterator[None]:
    """Memory that nothing has written is NaN or the largest integer."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert deterministic.fill_uninitialized_memory  # pyright: ignore
    yield
    torch.use_deterministic_algorithms(False)


# torch says so of its own operations, which are what a kernel is compared with.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS, but there was no current CUDA context"),
    pytest.mark.filterwarnings("ignore:.*defaults to a non-deterministic algorithm"),
]


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(("case", "dtype"), RUNS)
def test_it_agrees_with_its_oracle_and_leaves_its_inputs_alone(case: Case, dtype: torch.dtype, seed: int) -> None:
    args = _draw(case, dtype, seed)
    exact = case.reference(*tree_map(_exact, args), **case.keywords)
    usual = (case.usual or case.reference)(*tree_map(_copied, args), **case.keywords)
    before = tree_map(_copied, args)
    actual = case.run(args)
    require_accurate(actual, exact, usual, case.name, case.ulps)
    for index, (now, then) in enumerate(zip(args, before, strict=True)):
        if index not in case.changed:
            for one, other in zip(tree_leaves(now), tree_leaves(then), strict=True):
                assert not isinstance(one, torch.Tensor) or torch.equal(one, other), f"argument {index} was changed"


@pytest.mark.usefixtures("poisoned")
@pytest.mark.parametrize(("case", "dtype"), _of("gradients"))
def test_its_gradients_agree(case: Case, dtype: torch.dtype) -> None:
    args = _draw(case, dtype)

    def gradients(function: Any, given: tuple) -> list[torch.Tensor]:
        given = tuple(
            one.detach().requires_grad_() if index in case.gradients else one for index, one in enumerate(given)
        )
        outputs = [one for one in tree_leaves(function(given)) if one.requires_grad]
        upstream = [Rng(7).normal(*one.shape, dtype=dtype).to(one.dtype) for one in outputs]
        return list(torch.autograd.grad(outputs, [given[index] for index in case.gradients], upstream))

    exact = gradients(lambda given: case.reference(*given, **case.keywords), tree_map(_exact, args))
    usual = gradients(lambda given: (case.usual or case.reference)(*given, **case.keywords), tree_map(_copied, args))
    require_accurate(gradients(case.run, args), exact, usual, f"the gradient of {case.name}", case.ulps)


@pytest.mark.parametrize(("case", "dtype"), _of("deterministic"))
def test_two_calls_give_the_same_bits(case: Case, dtype: torch.dtype) -> None:
    one, other = (tree_leaves(case.run(_draw(case, dtype))) for _ in range(2))
    assert all(map(torch.equal, one, other))


@pytest.mark.skipif(not device.INTERPRETED, reason="counted in the interpreter")
@pytest.mark.parametrize(("case", "dtype"), _of("cost"))
def test_it_moves_what_its_cost_model_says(case: Case, dtype: torch.dtype) -> None:
    args = _draw(case, dtype)
    seen = trace(case.run, args)
    assert case.cost is not None
    assert seen.loaded_bytes + seen.stored_bytes == case.cost(*args, **case.keywords, **case.options).bytes
    if case.sectors:
        assert 32 * (seen.sectors("load") + seen.sectors("store")) == seen.loaded_bytes + seen.stored_bytes


@pytest.mark.parametrize("refused", REFUSED, ids=lambda refused: f"{refused.kernel.__name__}: {refused.message}")
def test_what_it_cannot_do_it_refuses_with_a_sentence(refused: Refused) -> None:
    with pytest.raises(ValueError, match=refused.message):
        refused.kernel(*refused.arguments(), **refused.keywords)


def _copied(value: Any) -> Any:
    return value.clone() if isinstance(value, torch.Tensor) else value
