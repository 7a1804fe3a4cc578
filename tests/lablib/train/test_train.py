"""The loop trains, the metrics are their formulas, and the command writes what reaches its bound."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import linalg
from torch import nn

from lablib.data.moving_digits import RIGHT, moving_digits
from lablib.models import weights
from lablib.train import __main__ as command
from lablib.train.loop import fit, rate_at
from lablib.train.metrics import accuracy, bits_per_character, frechet_distance
from lablib.train.recipes import RECIPES


def test_the_rate_rises_to_its_peak_and_falls_to_nearly_nothing() -> None:
    rates = [rate_at(step, 100, 10) for step in range(100)]
    assert rates[9] == rates[10] == 1.0 and rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True) and 0 < rates[-1] < 1e-3


def test_training_may_be_as_short_as_its_warm_up() -> None:
    log = fit(nn.Linear(1, 1), lambda m: m.weight.square().sum(), steps=5, rate=0.01, warmup=5)
    assert log[-1]["step"] == 5 and log[-1]["loss"] < log[0]["loss"]


def train_a_line(**options) -> tuple[nn.Linear, list[dict]]:
    torch.manual_seed(0)
    model, x = nn.Linear(2, 1), torch.randn(64, 2)
    y = x @ torch.tensor([[1.0], [-2.0]]) + 0.5
    log = fit(model, lambda m: (m(x) - y).square().mean(), steps=150, rate=0.05, **options)
    return model, log


def test_training_finds_the_line_and_repeats_to_the_bit() -> None:
    model, log = train_a_line(weight_decay=0.0)
    torch.testing.assert_close(model.weight, torch.tensor([[1.0, -2.0]]), atol=0.02, rtol=0)
    assert [line["step"] for line in log][-1] == 150 and log[-1]["loss"] < 1e-3 < log[0]["loss"]
    assert torch.equal(model.weight, train_a_line(weight_decay=0.0)[0].weight)


def test_decay_is_for_matrices_alone() -> None:
    model = nn.Linear(3, 3)
    before = [p.detach().clone() for p in model.parameters()]
    fit(model, lambda m: 0 * (m.weight.sum() + m.bias.sum()), steps=20, rate=0.1, weight_decay=0.5, warmup=1)
    assert bool(model.weight.norm() < 0.9 * before[0].norm())
    assert torch.equal(model.bias, before[1])


def test_every_line_is_reported_and_a_loss_that_is_no_number_stops() -> None:
    lines: list[dict] = []
    _, log = train_a_line(report=lines.append, lines=5)
    assert lines == log and len(log) == 5
    model = nn.Linear(1, 1)
    with pytest.raises(FloatingPointError, match=r"The loss is nan at step 1: lower the rate of 0\.1"):
        fit(model, lambda m: m.weight.sum() * float("nan"), steps=20, rate=0.1)


class Uniform(nn.Module):
    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.zeros(*tokens.shape, 8)


class Knows(nn.Module):
    """Predicts token + 1 modulo 8 with probability near 1."""

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return 50 * nn.functional.one_hot((tokens + 1) % 8, 8).float()


def test_bits_of_a_character() -> None:
    tokens = torch.arange(1000) % 8
    assert math.isclose(bits_per_character(Uniform(), tokens), 3.0, rel_tol=1e-6)
    assert bits_per_character(Knows(), tokens) < 1e-6
    with pytest.raises(ValueError, match="more than 128 tokens"):
        bits_per_character(Uniform(), tokens[:128])
    for context in (0, 1, 7):
        with pytest.raises(ValueError, match=f"an even context of at least 2 tokens; got {context}"):
            bits_per_character(Uniform(), tokens, context)


def test_tokens_at_both_ends_are_not_predicted_and_the_others_once() -> None:
    asked: list[int] = []

    class Keeps(Uniform):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            asked.extend((tokens[:, 64:] + 1).flatten().tolist())
            return torch.zeros(*tokens.shape, 1001)

    bits_per_character(Keeps(), torch.arange(1000))
    assert asked == list(range(65, 961))


def test_a_language_model_is_measured_on_tokens_with_half_a_context_before_them() -> None:
    seen: list[int] = []

    class Counts(Uniform):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            seen.append(tokens.shape[0])
            return super().forward(tokens)

    tokens = torch.randint(8, (128 + 64 * 9 + 1,))
    bits_per_character(Counts(), tokens, batch=4)
    assert seen == [4, 4, 2]


def test_accuracy_leaves_the_model_in_its_mode() -> None:
    model = nn.Dropout(0.9).train()
    assert accuracy(model, torch.eye(50), torch.arange(50), batch=7) == 1.0
    assert model.training


def test_the_frechet_distance_is_its_formula() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.normal(size=(200, 5)), rng.normal(size=(150, 5)) @ rng.normal(size=(5, 5)) + 1
    a, b = np.cov(one.T), np.cov(other.T)
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(a + b - 2 * np.real(linalg.sqrtm(a @ b)))
    found = frechet_distance(torch.from_numpy(one), torch.from_numpy(other))
    assert math.isclose(found, expected, rel_tol=1e-6)
    assert abs(frechet_distance(torch.from_numpy(one), torch.from_numpy(one))) < 1e-9


def test_the_command_writes_weights_that_can_be_loaded(tmp_path, capsys) -> None:
    assert command.main(["--out", str(tmp_path), "gcn"]) == 0
    recipe, card = RECIPES["gcn"](), weights.card("gcn", tmp_path)
    assert recipe.measure(weights.load(recipe.build(), "gcn", tmp_path)) == card["metrics"]
    assert card["metrics"]["test_accuracy"] >= 0.9 and "gcn {'test_accuracy'" in capsys.readouterr().out


def test_the_command_writes_nothing_that_falls_short(tmp_path, monkeypatch, capsys) -> None:
    import dataclasses

    untrained = dataclasses.replace(RECIPES["gcn"](), steps=1, rate=1e-9)
    monkeypatch.setitem(command.RECIPES, "gcn", lambda: untrained)
    assert command.main(["--out", str(tmp_path), "gcn"]) == 1
    assert "its recipe requires 0.9 to 1.0" in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_the_command_names_the_recipes_that_there_are(tmp_path, capsys) -> None:
    with pytest.raises(SystemExit):
        command.main(["--out", str(tmp_path), "resnet"])
    assert "no recipe 'resnet': expected some of cnn, cnn_digits" in capsys.readouterr().err


def test_the_shipped_video_network_needs_the_order_of_frames() -> None:
    """The control of the data: with the frames averaged, both labels get the same input, and half is all there is."""
    from lablib.models.cnn3d import CNN3D

    model, clips = weights.load(CNN3D(), "cnn3d"), moving_digits(train=2, test=400, seed=5)
    average = clips.test_x.mean(dim=2, keepdim=True).expand_as(clips.test_x)
    generator = torch.Generator().manual_seed(0)
    shuffled = torch.stack([clip[:, torch.randperm(6, generator=generator)] for clip in clips.test_x])
    assert accuracy(model, clips.test_x, clips.test_y) > 0.95
    assert accuracy(model, average, clips.test_y) == 0.5
    # 400 clips, each right or wrong by chance: five standard deviations.
    assert abs(accuracy(model, shuffled, clips.test_y) - 0.5) < 0.125
    assert int((clips.test_y == RIGHT).sum()) == 200
