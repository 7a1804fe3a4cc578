"""The shipped weights reach, on held-out data, what their cards say; weights that do not fit are refused."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from lablib.data.austen import VOCABULARY, austen
from lablib.models import weights
from lablib.models.cnn import CNN
from lablib.models.gpt import GPT
from lablib.train.metrics import bits_per_character
from lablib.train.recipes import RECIPES

SHIPPED = weights.trained()


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_weights_reach_what_their_card_says(name: str) -> None:
    recipe, card = RECIPES[name](), weights.card(name)
    measured = recipe.measure(weights.load(recipe.build(), name))
    assert measured == pytest.approx(card["metrics"], rel=0.02)
    for metric, (least, most) in recipe.required.items():
        assert least <= measured[metric] <= most
    assert recipe.required == {metric: tuple(bounds) for metric, bounds in card["required"].items()}
    assert (card["model"], card["data"], card["steps"]) == (recipe.model, recipe.data, recipe.steps)


def test_every_recipe_has_shipped_weights() -> None:
    assert set(SHIPPED) == set(RECIPES)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_card_tells_how_the_weights_came_about(name: str) -> None:
    card = weights.card(name)
    assert card["command"] == f"python -m lablib.train --out FOLDER {name}"
    assert card["versions"]["torch"] and card["machine"] and card["seed"] == 0
    log = card["log"]
    assert len(log) >= 20 and log[-1]["step"] == card["steps"]
    assert all(line["seconds"] > 0 for line in log) and log[-1]["loss"] < log[0]["loss"]


def test_shipped_files_are_small_and_come_in_pairs() -> None:
    files = list(weights.FOLDER.iterdir())
    assert {path.stem for path in files if path.suffix == ".json"} == set(SHIPPED)
    assert sum(path.stat().st_size for path in files) < 6e6


def counting_bits(order: int) -> float:
    """Bits a character of an n-gram model of the novels with Witten and Bell's interpolation, on what is held out."""
    text, size = austen(), len(VOCABULARY)
    train, test = text.train.numpy(), text.test.numpy()
    joined = np.concatenate([train[-order:], test])
    probability = np.full(len(test), 1 / size)
    for length in range(order):

        def contexts(tokens: np.ndarray, start: int, length: int = length) -> np.ndarray:
            number = np.zeros(len(tokens) - start, dtype=np.int64)
            for back in range(length, 0, -1):
                number = number * size + tokens[start - back : len(tokens) - back]
            return number

        seen = contexts(train, length)
        known, times = np.unique(seen, return_counts=True)
        grams, counts = np.unique(seen * size + train[length:], return_counts=True)
        kinds = np.bincount(np.searchsorted(known, grams // size), minlength=len(known))

        def look_up(keys: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
            place = np.searchsorted(keys, wanted).clip(max=len(keys) - 1)
            return np.where(keys[place] == wanted, values[place], 0)

        asked = contexts(joined, order)
        total, different = look_up(known, times, asked), look_up(known, kinds, asked)
        hits = look_up(grams, counts, asked * size + test)
        mixed = (hits + different * probability) / np.maximum(total + different, 1)
        probability = np.where(total > 0, mixed, probability)
    return float(-np.log2(probability).mean())


def test_the_language_model_beats_counting() -> None:
    model = weights.load(GPT(), "gpt")
    assert isinstance(model, GPT)
    six = counting_bits(6)
    assert 1.7 < six < 1.9
    assert bits_per_character(model, austen().test) < six - 0.02


def test_weights_that_do_not_fit_are_refused_with_the_first_difference() -> None:
    words = (
        r"weights 'cnn' do not fit this CNN: blocks\.1\.around\.0\.weight has shape \(32, 16, 1, 1\) in the file and"
    )
    with pytest.raises(ValueError, match=words):
        weights.load(CNN(widths=(16, 33, 48)), "cnn")


def test_unknown_weights_are_answered_with_those_that_there_are() -> None:
    with pytest.raises(ValueError, match=re.escape(f"no trained weights 'resnet': expected one of {SHIPPED[0]}")):
        weights.load(CNN(), "resnet")


def test_a_saved_model_comes_back_rounded_to_float16(tmp_path) -> None:
    torch.manual_seed(0)
    model = CNN()
    model(torch.rand(4, 1, 28, 28))
    weights.save(model, "mine", {"model": "CNN()"}, tmp_path)
    back = weights.load(CNN(), "mine", tmp_path)
    assert weights.trained(tmp_path) == ["mine"] and not back.training
    for key, value in model.state_dict().items():
        same = value.half().float() if value.is_floating_point() else value
        assert torch.equal(back.state_dict()[key], same)
