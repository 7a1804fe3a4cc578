"""Many networks side by side compute what each computes alone: forward, backward, steps and running statistics."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from lablib.automl import space
from lablib.automl.batched import Networks, convolve
from lablib.automl.network import SIDE, Network, initial_state

CELLS = [(4, 2, 0, 3, 1, 4), (2, 4, 4, 1, 3, 3), (0, 1, 0, 1, 2, 3), (4, 4, 4, 4, 4, 4), (0, 0, 0, 0, 0, 0)]
SEEDS = (3, 8)
CPU = torch.device("cpu")


def alone(cell: tuple[int, ...], seed: int) -> Network:
    """The reference, with the weights that the batched training starts from."""
    model = Network(cell)
    found = model.load_state_dict(initial_state(cell, seed), strict=False)
    assert not found.unexpected_keys
    assert {name.rpartition(".")[2] for name in found.missing_keys} <= {
        "running_mean",
        "running_var",
        "num_batches_tracked",
    }
    return model


def weights(networks: Networks, model: int) -> dict[str, torch.Tensor]:
    """One model's parameters out of the batched ones, by the reference's names."""
    own = {name: tensor[model] for name, tensor in networks.parameters.items() if isinstance(name, str)}
    for (source, operation), pairs in networks.uses.items():
        position = 0
        for target, rows in pairs:
            for row in rows.tolist():
                for stage in ("cell1", "cell2"):
                    if row == model and (stage, source, operation) in networks.parameters:
                        tensor = networks.parameters[stage, source, operation][position]
                        own[f"{stage}.edges.{source}{target}.1.weight"] = tensor
                position += 1
    return own


@pytest.mark.parametrize("kernel", [1, 3])
def test_a_convolution_of_each_model_agrees_with_torch(kernel: int) -> None:
    generator = torch.Generator().manual_seed(kernel)
    x = torch.randn(3, 2, 4, 5, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(3, 6, 2, kernel, kernel, generator=generator, dtype=torch.float64, requires_grad=True)
    expected = torch.stack([
        functional.conv2d(each.transpose(0, 1), own, padding=kernel // 2).transpose(0, 1)
        for each, own in zip(x, weight, strict=True)
    ])  # fmt: skip
    found = convolve(x, weight)
    torch.testing.assert_close(found, expected)
    direction = torch.randn(found.shape, generator=generator, dtype=torch.float64)
    gradients = [torch.autograd.grad((result * direction).sum(), (x, weight)) for result in (found, expected)]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


def test_five_steps_side_by_side_are_five_steps_of_each_alone() -> None:
    networks = Networks(CELLS, SEEDS, CPU)
    names = list(networks.parameters.values())
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(5, len(SEEDS), 12, SIDE, SIDE, generator=generator)
    batches = list(zip(images, torch.randint(10, (5, len(SEEDS), 12), generator=generator), strict=True))
    optimizer = torch.optim.SGD(names, 0.05, 0.9, weight_decay=5e-4, nesterov=True)
    for x, y in batches:
        logits = networks.logits(x, training=True)
        targets = y.repeat_interleave(len(CELLS), 0)
        loss = functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum") / y.shape[1]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        held_out = networks.logits(batches[0][0], training=False)
    for place, seed in enumerate(SEEDS):
        for index, cell in enumerate(CELLS):
            model = alone(cell, seed)
            own = torch.optim.SGD(model.parameters(), 0.05, 0.9, weight_decay=5e-4, nesterov=True)
            for x, y in batches:
                loss = nn.functional.cross_entropy(model(x[place][:, None]), y[place])
                own.zero_grad()
                loss.backward()
                own.step()
            row = place * len(CELLS) + index
            found = weights(networks, row)
            expected = dict(model.named_parameters())
            assert found.keys() == expected.keys()
            for name, tensor in expected.items():
                torch.testing.assert_close(found[name], tensor, atol=2e-4, rtol=2e-3, msg=f"{cell} {name}")
            with torch.no_grad():
                torch.testing.assert_close(
                    held_out[row], model.eval()(batches[0][0][place][:, None]), atol=2e-3, rtol=1e-3
                )


def test_a_cell_without_a_path_answers_with_its_bias() -> None:
    networks = Networks([(0,) * len(space.EDGES)], (0,), CPU)
    assert networks.logits(torch.randn(1, 3, SIDE, SIDE), training=True).abs().max() == 0


def test_what_a_cell_starts_from_depends_on_nothing_but_cell_and_seed() -> None:
    one, many = Networks(CELLS[1:2], (8,), CPU), Networks(CELLS, SEEDS, CPU)
    expected = weights(many, len(CELLS) + 1)
    for name, tensor in weights(one, 0).items():
        assert torch.equal(tensor, expected[name])
    assert not torch.equal(initial_state(CELLS[0], 0)["stem.weight"], initial_state(CELLS[0], 1)["stem.weight"])
