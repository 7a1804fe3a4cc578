"""Trained weights: float16 archives in `trained/`, each beside a card that says how it came about and how good it is.

`lablib.train` writes both; a lab that needs a trained model at once loads it from here.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

__all__ = ["FOLDER", "card", "load", "save", "trained"]

FOLDER = Path(__file__).parent / "trained"


def trained(folder: Path = FOLDER) -> list[str]:
    """Names of the weights that are there."""
    return sorted(path.stem for path in folder.glob("*.npz"))


def load(model: nn.Module, name: str, folder: Path = FOLDER) -> nn.Module:
    """Put trained weights into ``model`` and return it, in evaluation mode.

    Parameters
    ----------
    model
        Of the shape that was trained; its card names the arguments.
    name
        One of `trained`.

    Raises
    ------
    ValueError
        If there are no such weights, or they do not fit the model.

    Examples
    --------
    >>> from lablib.models.cnn import CNN
    >>> model = load(CNN(), "cnn")
    >>> card("cnn")["metrics"]["test_accuracy"] > 0.97
    True
    """
    with np.load(_existing(name, ".npz", folder)) as archive:
        state = {key: torch.from_numpy(archive[key]) for key in archive.files}
    own = model.state_dict()
    wrong = [key for key in sorted(own | state) if _said(own.get(key)) != _said(state.get(key))]
    if wrong:
        key = wrong[0]
        raise ValueError(
            f"The weights {name!r} do not fit this {type(model).__name__}: {key} {_said(state.get(key))} in the file "
            f"and {_said(own.get(key))} in the model ({len(wrong)} such). They were trained for "
            f"{card(name, folder)['model']}."
        )
    # float16 in the file is widened to what the model computes in.
    model.load_state_dict({key: value.to(own[key].dtype) for key, value in state.items()})
    return model.eval()


def card(name: str, folder: Path = FOLDER) -> dict[str, Any]:
    """How weights came about.

    Parameters
    ----------
    name
        One of `trained`.

    Returns
    -------
    dict
        What `save` was given. Of the shipped ones: ``model`` and ``data`` by name, ``command``, ``seed``, ``steps``,
        ``machine``, ``versions`` by package, ``metrics`` on held-out data, ``required`` (least and most of a metric),
        and ``log``, a list of dicts with ``step``, ``loss`` and ``seconds``.

    Raises
    ------
    ValueError
        If there are no such weights.
    """
    return json.loads(_existing(name, ".json", folder).read_text())


def save(model: nn.Module, name: str, about: dict[str, Any], folder: Path) -> None:
    """Write weights, floating point as float16, and their card.

    Parameters
    ----------
    model
        Parameters and buffers are written, under the keys of its ``state_dict``.
    name
        Of the two files, ``name.npz`` and ``name.json``; what is there is replaced.
    about
        The card: values that JSON can hold, with at least ``model``, which `load` names where weights do not fit.
    folder
        Made if it is not there.

    Raises
    ------
    TypeError
        If the card holds what JSON cannot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {key: value.detach().cpu() for key, value in model.state_dict().items()}
    halves = {key: (v.half() if v.is_floating_point() else v).numpy() for key, v in arrays.items()}
    np.savez_compressed(folder / f"{name}.npz", **halves)  # pyright: ignore[reportArgumentType]
    (folder / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")


def _existing(name: str, suffix: str, folder: Path) -> Path:
    path = folder / f"{name}{suffix}"
    if not path.exists():
        raise ValueError(f"There are no trained weights {name!r}: expected one of {', '.join(trained(folder))}.")
    return path


def _said(tensor: torch.Tensor | None) -> str:
    return "is not" if tensor is None else f"has shape {tuple(tensor.shape)}"
