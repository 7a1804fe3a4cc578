"""Each model does what its equations say: shapes, gradients, and torch's own modules where there is one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from lablib.data.graphs import karate_club, stochastic_block_model
from lablib.models.cnn import CNN, ResidualBlock
from lablib.models.cnn3d import CNN3D
from lablib.models.diffusion import UNet
from lablib.models.gcn import GCN, normalised_adjacency
from lablib.models.gpt import GPT, generate
from lablib.models.transformer import Attention, Block
from lablib.models.vae import VAE
from lablib.models.vit import ViT


def club() -> tuple[torch.Tensor, torch.Tensor]:
    graph = karate_club()
    return graph.x, normalised_adjacency(graph.offsets, graph.columns)


CASES: dict[str, tuple[Callable[[], nn.Module], Callable[[], tuple], tuple[int, ...]]] = {
    "cnn": (CNN, lambda: (torch.rand(2, 1, 28, 28),), (2, 10)),
    "cnn on colours": (lambda: CNN(3, (8, 16, 24), 5), lambda: (torch.rand(2, 3, 31, 17),), (2, 5)),
    "cnn3d": (CNN3D, lambda: (torch.rand(2, 1, 6, 16, 16),), (2, 2)),
    "vit": (ViT, lambda: (torch.rand(2, 1, 28, 28),), (2, 10)),
    "gpt": (GPT, lambda: (torch.randint(72, (2, 128)),), (2, 128, 72)),
    "gcn": (lambda: GCN(34, 16, 2), club, (34, 2)),
    "vae": (VAE, lambda: (torch.rand(3, 1, 8, 8),), (3, 1, 8, 8)),
    "diffusion": (UNet, lambda: (torch.rand(2, 1, 8, 8), torch.tensor([1, 250])), (2, 1, 8, 8)),
}


def first(result):
    return result[0] if isinstance(result, tuple) else result


@pytest.mark.parametrize("name", CASES)
def test_shapes_gradients_and_repetition(name: str) -> None:
    build, inputs, shape = CASES[name]
    torch.manual_seed(0)
    args = inputs()
    runs = []
    for _ in range(2):
        torch.manual_seed(1)
        model = build()
        y = first(model(*args))
        (y * torch.linspace(0.5, 1.5, y.numel()).view_as(y)).sum().backward()
        runs.append((y, *(p.grad for p in model.parameters())))
    assert runs[0][0].shape == shape
    assert all(g is not None and bool(g.isfinite().all()) and bool(g.any()) for g in runs[0])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


RUN_WITH_SHAPES_CHECKED = """
import beartype, jaxtyping, torch, typing
typing.TYPE_CHECKING = True  # the annotations' names are imported for type checkers only
from jaxtyping import install_import_hook
with install_import_hook("lablib.models", "beartype.beartype"):
    from lablib.models import cnn, cnn3d, diffusion, gcn, gpt, sampling, transformer, vae, vit
typing.TYPE_CHECKING = False
assert torch.equal(vae.kl_to_standard_normal(torch.zeros(2, 3), torch.zeros(2, 3)), torch.zeros(2))
try:
    vae.kl_to_standard_normal(torch.zeros(2, 3), torch.zeros(2, 4))
except Exception as error:
    assert "Z" in str(error), error
else:
    raise AssertionError("the annotations are not checked")
cnn.CNN()(torch.rand(2, 1, 28, 28))
cnn3d.CNN3D()(torch.rand(2, 1, 6, 16, 16))
vit.ViT()(torch.rand(2, 1, 28, 28))
gpt.generate(gpt.GPT(), torch.zeros(2, 5, dtype=torch.int64), 3)
ring = gcn.normalised_adjacency(torch.tensor([0, 2, 4, 6]), torch.tensor([1, 2, 0, 2, 0, 1]))
gcn.GCN(4, 3, 2)(torch.rand(3, 4), ring)
vae.elbo(vae.VAE(), torch.rand(2, 1, 8, 8))
sampling.sample(diffusion.UNet(), torch.randn(2, 1, 8, 8), steps=2, eta=1.0)
diffusion.add_noise(torch.rand(2, 1, 8, 8), diffusion.signal_levels()[[3, 9]], torch.rand(2, 1, 8, 8))
"""


def test_the_annotated_shapes_hold_when_they_are_checked() -> None:
    command = [sys.executable, "-W", "ignore", "-c", RUN_WITH_SHAPES_CHECKED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("causal", [False, True])
def test_a_block_is_torchs_encoder_layer(causal: bool) -> None:
    torch.manual_seed(0)
    ours = Block(32, 4, causal)
    theirs = nn.TransformerEncoderLayer(32, 4, 128, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)
    names = {
        "norm1": "norm1", "norm2": "norm2", "attention.out": "self_attn.out_proj", "mlp.0": "linear1",
        "mlp.2": "linear2",
    }  # fmt: skip
    state = {f"{b}.{part}": ours.get_parameter(f"{a}.{part}") for a, b in names.items() for part in ("weight", "bias")}
    state |= {f"self_attn.in_proj_{part}": ours.get_parameter(f"attention.qkv.{part}") for part in ("weight", "bias")}
    theirs.load_state_dict(state)
    x = torch.randn(3, 11, 32)
    mask = nn.Transformer.generate_square_subsequent_mask(11) if causal else None
    torch.testing.assert_close(ours(x), theirs(x, src_mask=mask, is_causal=causal), atol=1e-5, rtol=1e-5)


def test_a_hook_on_the_softmax_sees_the_map_of_every_head() -> None:
    attention, maps = Attention(8, 2, causal=True), []
    attention.softmax.register_forward_hook(lambda module, inputs, output: maps.append(output))
    attention(torch.randn(1, 5, 8))
    (seen,) = maps
    assert seen.shape == (1, 2, 5, 5) and not seen.triu(1).any()
    torch.testing.assert_close(seen.sum(dim=-1), torch.ones(1, 2, 5))


def test_heads_must_divide_the_width_and_patches_fill_the_image() -> None:
    with pytest.raises(ValueError, match="10 features cannot be shared out to 3 heads"):
        Attention(10, 3, causal=False)
    with pytest.raises(ValueError, match="Patches of 5 × 5 do not fill an image of 28 × 28"):
        ViT(patch=5)


def test_a_residual_block_without_its_filters_passes_positive_numbers_through() -> None:
    block, x = ResidualBlock(4, 4), torch.rand(2, 4, 5, 5)
    nn.init.zeros_(block.norm2.weight)
    torch.testing.assert_close(block(x), x)


def test_folding_time_away_turns_the_3d_network_into_the_2d_one() -> None:
    """On clips of one frame only the middle slice of each filter meets anything but padding."""
    model: Any = CNN3D().eval()
    x = torch.rand(2, 1, 1, 16, 16)
    y = x[:, :, 0]
    for stage in model.stages:
        if isinstance(stage, nn.MaxPool3d):
            y = nn.functional.max_pool2d(y, 2)
        else:
            y = nn.functional.conv2d(y, stage.conv.weight[:, :, 1], padding=1)
            norm = stage.norm
            y = nn.functional.batch_norm(y, norm.running_mean, norm.running_var, norm.weight, norm.bias).relu()
    torch.testing.assert_close(model(x), model.head(y.mean(dim=(2, 3))), atol=1e-5, rtol=1e-5)


def test_patches_are_cut_row_by_row_and_multiplied_by_one_matrix() -> None:
    model: Any = ViT()
    x = torch.rand(2, 1, 28, 28)
    cut = nn.functional.unfold(x, 4, stride=4).transpose(1, 2)
    matrix = model.patches.weight.flatten(1)
    torch.testing.assert_close(model.tokens(x), cut @ matrix.T + model.patches.bias + model.places)


@pytest.mark.parametrize("cuts", [(1, 19), (7, 1, 12), (1,) * 20])
def test_decoding_with_a_cache_equals_the_full_pass(cuts: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    model, tokens = GPT(), torch.randint(72, (2, 20))
    cache: list[Any] = model.cache()
    pieces = [model(part, cache) for part in tokens.split(cuts, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(tokens), atol=1e-5, rtol=1e-5)
    assert [one.length for one in cache] == [20] * 4
    assert sum(one.k.nbytes + one.v.nbytes for one in cache) == 2 * 20 * 2 * 4 * 128 * 4


def test_no_token_sees_a_later_one() -> None:
    model, tokens = GPT(), torch.randint(72, (1, 20))
    changed = tokens.clone()
    changed[0, 12] = (changed[0, 12] + 1) % 72
    one, other = model(tokens), model(changed)
    torch.testing.assert_close(one[:, :12], other[:, :12])
    assert not torch.allclose(one[:, 12:], other[:, 12:])


def test_generation_is_greedy_at_temperature_zero_and_repeats_with_a_seed() -> None:
    model, prompt = GPT(), torch.randint(72, (2, 4))
    expected = prompt
    for _ in range(6):
        expected = torch.cat([expected, model(expected)[:, -1:].argmax(dim=-1)], dim=1)
    assert torch.equal(generate(model, prompt, 6, temperature=0), expected)
    drawn = [generate(model, prompt, 30, generator=torch.Generator().manual_seed(seed)) for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


def test_a_prompt_beyond_the_context_is_refused() -> None:
    with pytest.raises(ValueError, match="has 128 places, but token 129 was asked for"):
        GPT()(torch.zeros(1, 129, dtype=torch.int64))
    with pytest.raises(ValueError, match="token 129"):
        generate(GPT(), torch.zeros(1, 128, dtype=torch.int64), 3)


def test_the_normalised_adjacency_is_its_formula() -> None:
    graph = stochastic_block_model(nodes=60, inside=0.3, across=0.05)
    rows = torch.arange(60).repeat_interleave(graph.offsets.diff())
    loops = torch.eye(60)
    loops[rows, graph.columns] = 1
    scale = torch.diag(loops.sum(dim=1) ** -0.5)
    found = normalised_adjacency(graph.offsets, graph.columns)
    torch.testing.assert_close(found.to_dense(), scale @ loops @ scale)
    assert found._nnz() == len(graph.columns) + 60


@pytest.mark.filterwarnings("ignore:.torch.jit.script.:DeprecationWarning")  # torch-geometric calls it
def test_a_gcn_is_two_of_torch_geometrics_layers() -> None:
    from torch_geometric.nn import GCNConv

    graph, (x, adjacency) = karate_club(), club()
    model = GCN(34, 16, 2)
    rows = torch.arange(34).repeat_interleave(graph.offsets.diff())
    edges = torch.stack([rows, graph.columns])
    first_layer, second_layer = GCNConv(34, 16, bias=False), GCNConv(16, 2, bias=False)
    first_layer.lin.load_state_dict(model.first.linear.state_dict())
    second_layer.lin.load_state_dict(model.second.linear.state_dict())
    expected = second_layer(first_layer(x, edges).relu(), edges)
    torch.testing.assert_close(model(x, adjacency), expected, atol=1e-5, rtol=1e-5)
