"""torch and Triton's interpreter compute in the sandbox as they do outside."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .conftest import BACKENDS
from .harness import Harness

KERNEL = """
import torch, triton
import triton.language as tl

@triton.jit
def _double(source, target, n, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(target + at, 2 * tl.load(source + at, mask=at < n), mask=at < n)

def double(x):
    y = torch.empty_like(x)
    _double[(triton.cdiv(x.numel(), 64),)](x, y, x.numel(), BLOCK=64)
    return y
"""

PROGRAM = f"""
os.environ['TRITON_INTERPRET'] = '1'
open('kernel.py', 'w').write({KERNEL!r})
sys.path.insert(0, '')
import kernel, torch
x = torch.arange(100.0)
print(torch.equal(kernel.double(x), 2 * x), torch.matmul(torch.ones(300, 300), torch.ones(300, 300)).sum().item())
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.Adam(model.parameters())
model(torch.ones(2, 4)).sum().backward()
optimizer.step()
torch.save(model.state_dict(), 'model.pt')
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.ones(8, 4)), batch_size=4, num_workers=2)
print(sum(model(batch).numel() for batch, in data))
"""


@pytest.mark.parametrize("kind", BACKENDS)
def test_torch_and_an_interpreted_kernel_run(kind: str, tmp_path: Path) -> None:
    harness = Harness(kind, [sys.executable], tmp_path)
    assert harness.run(PROGRAM) == ("True 27000000.0\n8\n", 0)
    harness.close()
