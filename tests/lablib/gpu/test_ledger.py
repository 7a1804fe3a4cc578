"""The ledger agrees with torch's counter where that is right, and with formulas everywhere."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lablib.data.graphs import karate_club
from lablib.gpu.cost import Cost
from lablib.gpu.ledger import Row, ledger, table
from lablib.models.cnn import CNN
from lablib.models.cnn3d import CNN3D
from lablib.models.diffusion import UNet
from lablib.models.gcn import GCN, normalised_adjacency
from lablib.models.gpt import GPT
from lablib.models.vae import VAE
from lablib.models.vit import ViT

DENSE: dict[str, tuple[Callable[[], nn.Module], Callable[[int], tuple]]] = {
    "cnn": (CNN, lambda B: (torch.rand(B, 1, 28, 28),)),
    "cnn3d": (CNN3D, lambda B: (torch.rand(B, 1, 6, 16, 16),)),
    "vit": (ViT, lambda B: (torch.rand(B, 1, 28, 28),)),
    "gpt": (GPT, lambda B: (torch.randint(72, (B, 20)),)),
    "vae": (VAE, lambda B: (torch.rand(B, 1, 8, 8),)),
    "diffusion": (UNet, lambda B: (torch.rand(B, 1, 8, 8), torch.arange(1, B + 1))),
}


def torch_counts(model: nn.Module, args: tuple, backward: bool) -> FlopCounterMode:
    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        result = model(*args)
        if backward:
            outputs = result if isinstance(result, tuple) else (result,)
            torch.autograd.backward(outputs, [torch.ones_like(output) for output in outputs])
    return counter


def graph() -> tuple[torch.Tensor, torch.Tensor]:
    club = karate_club()
    return club.x, normalised_adjacency(club.offsets, club.columns)


@pytest.mark.parametrize("backward", [False, True], ids=["forward", "backward"])
@pytest.mark.parametrize("name", DENSE)
def test_flops_of_dense_models_are_torchs_to_the_unit(name: str, backward: bool) -> None:
    build, inputs = DENSE[name]
    model, args = build(), inputs(3)
    found, counts = ledger(model, *args, backward=backward), torch_counts(model, args, backward)
    assert found.total.flops == counts.get_total_flops() > 0
    assert found.total == ledger(model, *args, backward=backward).total


class Einsum(nn.Module):
    def forward(self, x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bij,kj->bik", x, w)


@pytest.mark.parametrize(
    ("model", "shapes"),
    [
        (nn.Conv1d(4, 6, 3, dilation=2, groups=2), [(2, 4, 20)]),
        (nn.ConvTranspose2d(4, 6, 3, stride=2), [(2, 4, 5, 5)]),
        (nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), [(2, 5, 8)]),
        (Einsum(), [(2, 3, 4), (5, 4)]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_flops_of_other_modules_are_torchs(model: nn.Module, shapes: list[tuple[int, ...]]) -> None:
    args = tuple(torch.rand(shape) for shape in shapes)
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert ledger(model, *args).total.flops == torch_counts(model, args, False).get_total_flops() > 0


class Fused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(8, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.qkv(x).view(2, 16, 3, 2, 4).permute(2, 0, 3, 1, 4)
        return nn.functional.scaled_dot_product_attention(q, k, v)


def test_fused_attention_on_the_cpu_is_counted_though_torch_leaves_it_out() -> None:
    model, x = Fused(), torch.rand(2, 16, 8)
    rows = {row.operation: row for row in ledger(model, x, backward=True).rows}
    forward = 2 * 2 * (2 * 16 * 16 * 4) * 2
    assert rows["_scaled_dot_product_flash_attention_for_cpu"].flops == forward
    # Backwards five products take the place of two: the scores are computed again.
    assert rows["_scaled_dot_product_flash_attention_for_cpu_backward"].flops == forward * 5 // 2
    assert torch_counts(model, (x,), False).get_total_flops() == 2 * 2 * 16 * 8 * 24


@pytest.mark.parametrize("name", DENSE)
def test_flops_of_every_module_are_torchs(name: str) -> None:
    build, inputs = DENSE[name]
    model, args = build(), inputs(2)
    rows = ledger(model, *args).rows
    expected = torch_counts(model, args, backward=False).get_flop_counts()
    called = (path for path, module in model.named_modules() if not isinstance(module, nn.ModuleList))
    for path in called:
        inside = [row for row in rows if path == "" or f"{row.module}.".startswith(f"{path}.")]
        torchs_name = ".".join(filter(None, (type(model).__name__, path)))
        assert sum(row.flops for row in inside) == sum(expected.get(torchs_name, {}).values()), path


@pytest.mark.parametrize("name", DENSE)
def test_the_meta_device_gives_the_same_ledger_without_computing(name: str) -> None:
    build, inputs = DENSE[name]
    model, args = build(), inputs(4)
    real = ledger(model, *args, backward=True)
    meta = ledger(build().to("meta"), *(argument.to("meta") for argument in args), backward=True)
    assert meta.total.flops == real.total.flops
    assert meta.saved.keys() == real.saved.keys() and sum(meta.saved.values()) == sum(real.saved.values())
    products = [[row for row in found.rows if row.flops] for found in (real, meta)]
    assert products[0] == products[1]


def test_sparse_products_are_two_flops_for_each_entry_and_column() -> None:
    x, adjacency = graph()
    model = GCN(34, 16, 2)
    entries = 2 * 78 + 34
    dense_forward = 2 * 34 * 34 * 16 + 2 * 34 * 16 * 2
    sparse_forward = 2 * entries * (16 + 2)
    assert ledger(model, x, adjacency).total.flops == dense_forward + sparse_forward
    # Backwards each Â is multiplied once, each W twice, but the features need no gradient.
    both = dense_forward + sparse_forward + sparse_forward + 2 * 34 * 34 * 16 + 2 * 2 * 34 * 16 * 2
    assert ledger(model, x, adjacency, backward=True).total.flops == both
    # torch's counter leaves the product out forwards, and backwards takes Âᵀ for a dense matrix.
    assert torch_counts(model, (x, adjacency), False).get_total_flops() == dense_forward
    assert torch_counts(model, (x, adjacency), True).get_total_flops() > both


def test_a_product_of_torch_sparse_may_have_two_dense_factors() -> None:
    class Product(torch.nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return torch.sparse.mm(a, b)

    assert ledger(Product(), torch.rand(5, 6), torch.rand(6, 4)).total.flops == 2 * 5 * 6 * 4


@pytest.mark.parametrize("layout", ["csr", "coo"])
def test_the_bytes_of_a_sparse_product_are_its_entries_and_both_matrices(layout: str) -> None:
    class Product(nn.Module):
        def forward(self, matrix: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
            return torch.sparse.mm(matrix, x)

    x, adjacency = graph()
    entries = 2 * 78 + 34
    indices = 8 * (35 + entries) if layout == "csr" else 8 * 2 * entries
    adjacency = adjacency if layout == "csr" else adjacency.to_sparse_coo().coalesce()
    found = ledger(Product(), adjacency, x)
    (product,) = (row for row in found.rows if row.flops)
    assert product.flops == 2 * entries * 34
    # torch adds the product to a matrix of zeros that it makes first, and reads it.
    assert product.read_bytes - 4 * 34 * 34 == indices + 4 * entries + 4 * 34 * 34
    assert product.written_bytes == 4 * 34 * 34


def test_the_bytes_of_a_layer_are_its_operands_and_its_result() -> None:
    layer = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.ReLU()).half()
    conv, relu = ledger(layer, torch.zeros(2, 3, 8, 8).half()).rows
    assert conv == Row("0", "convolution", False, 2 * 2 * 5 * 64 * 27, 2 * (5 * 27 + 5), 2 * 384, 2 * 640)
    assert relu == Row("1", "relu", False, 0, 0, 2 * 640, 2 * 640)
    assert conv.cost == Cost(34560, 2328) and conv.intensity == 34560 / 2328


class Tricks(nn.Module):
    """Views, in-place changes, a gather from a parameter and one from an activation, an expanded operand."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(100, 4)

    def forward(self, tokens: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        y = self.table(tokens).view(2, 12).t()
        y = y + torch.ones(1, 1).expand(12, 2)
        y.mul_(2.0)
        return x[tokens] * x[tokens].sum()


def test_views_are_free_and_gathers_read_what_they_return() -> None:
    tokens, x = torch.zeros(2, 3, dtype=torch.int64), torch.ones(1000)
    rows = {row.operation: row for row in ledger(Tricks(), tokens, x).rows}
    assert not {"view", "t", "expand"} & set(rows)
    moved = {name: (row.parameter_bytes, row.read_bytes, row.written_bytes) for name, row in rows.items()}
    assert moved["embedding"] == (4 * 24, 8 * 6, 4 * 24)
    assert moved["index"] == (0, 4 * 6 + 8 * 6, 4 * 6)
    assert moved["add"] == (0, 4 * 24 + 4, 4 * 24)
    assert moved["mul_"] == (0, 4 * 24, 4 * 24)
    assert moved["ones"] == (0, 0, 4)


def test_each_backward_product_is_put_to_the_module_that_it_belongs_to() -> None:
    model = ViT(depth=2)
    rows = ledger(model, torch.rand(2, 1, 28, 28), backward=True).by_module()
    flops = {(row.module, row.backward): row.flops for row in rows}
    linears = [path for path, module in model.named_modules() if isinstance(module, nn.Linear)]
    assert len(linears) == 2 * 4 + 1
    for path in linears:
        assert flops[path, True] == 2 * flops[path, False] > 0
    for path in ("blocks.0.attention", "blocks.1.attention"):
        assert flops[path, True] == 2 * flops[path, False] > 0
    assert flops["patches", True] == flops["patches", False]  # the images need no gradient


def test_sums_over_modules_lose_nothing() -> None:
    found = ledger(CNN(), torch.rand(2, 1, 28, 28), backward=True)
    for depth in (0, 1, 2, None):
        sums = found.by_module(depth)
        assert sum(row.flops for row in sums) == found.total.flops
        assert sum(row.bytes for row in sums) == found.total.bytes
    assert [row.module for row in found.by_module(1) if not row.backward] == ["stem", "norm", "", "blocks", "head"]


def test_what_is_saved_for_the_backward_pass_is_counted_once() -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2))
    found = ledger(model, torch.rand(3, 6), backward=True)
    # The first layer keeps its input; the ReLU its output, which is the second layer's input.
    assert found.saved == {"0": 4 * 3 * 6, "1": 4 * 3 * 4}
    assert ledger(model, torch.rand(3, 6)).saved == {}


def test_the_roofline_takes_the_longer_of_computing_and_moving_for_each_operation() -> None:
    model = nn.Sequential(nn.Linear(64, 64, bias=False), nn.ReLU())
    found = ledger(model, torch.rand(64, 64))
    product, relu = 2 * 64**3, 2 * 4 * 64**2
    assert found.seconds(flops_per_s=1.0, bytes_per_s=1.0) == product + relu
    assert found.seconds(flops_per_s=1e9, bytes_per_s=1.0) == 3 * 4 * 64**2 + relu


def test_gradients_parameters_and_hooks_are_as_before() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Tanh())
    before = {key: value.clone() for key, value in model.state_dict().items()}
    ledger(model, torch.rand(4, 3), backward=True)
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    assert not model[0]._forward_hooks and not model[0]._forward_pre_hooks


def test_a_model_without_a_backward_pass_is_refused() -> None:
    with pytest.raises(ValueError, match="ReLU returns nothing that depends on a parameter"):
        ledger(nn.ReLU(), torch.rand(2), backward=True)


def test_the_table_names_modules_passes_and_totals() -> None:
    lines = str(ledger(GPT(), torch.zeros(1, 5, dtype=torch.int64), backward=True)).split("\n")
    assert lines[0].split("  ")[0] == "module" and len({len(line) for line in lines}) == 1
    assert [line.split()[0] for line in lines[-2:]] == ["total", "total"]
    assert any(line.startswith("(model)") for line in lines)
    assert "1,000" in table([Row("", "mm", False, 1000, 1, 1, 1)])
