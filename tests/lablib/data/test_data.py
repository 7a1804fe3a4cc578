"""The data are those that their origin has, whole, and split so that nothing held out is seen in training."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from lablib.data import austen as austen_module
from lablib.data import digits as digits_module
from lablib.data import make
from lablib.data import mnist as mnist_module
from lablib.data.austen import austen, decode, encode
from lablib.data.digits import digits
from lablib.data.files import FOLDER
from lablib.data.graphs import karate_club, stochastic_block_model
from lablib.data.mnist import mnist
from lablib.data.moving_digits import LEFT, RIGHT, moving_digits

SOURCES = [module.SOURCE for module in (austen_module, digits_module, mnist_module)]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.file)
def test_every_file_is_whole_and_its_licence_is_told(source) -> None:
    assert len(source.read()) > 10_000
    readme = (FOLDER / "README.md").read_text()
    words = {"CC-BY-4.0": "CC BY 4.0", "CC-BY-SA-3.0": "CC BY-SA 3.0", "public domain": "public domain"}
    (line,) = (
        line for line in readme.splitlines() if line.startswith(f"| `{source.file.split('.')[0].split('_')[0]}`")
    )
    assert words[source.licence] in line and source.origin.split(",")[0] in line


def test_every_file_has_a_source_and_the_package_stays_small() -> None:
    files = {path.name for path in FOLDER.iterdir() if path.suffix in {".npz", ".txt", ".gz"}}
    assert files == {source.file for source in SOURCES}
    assert sum((FOLDER / name).stat().st_size for name in files) < 2.5e6


def test_a_changed_or_missing_file_is_refused_in_one_sentence() -> None:
    with pytest.raises(OSError, match=r"digits\.npz was changed: expected SHA-256 000"):
        dataclasses.replace(digits_module.SOURCE, sha256="0" * 64).read()
    with pytest.raises(OSError, match=r"lablib/data/nothing\.npz is missing"):
        dataclasses.replace(digits_module.SOURCE, file="nothing.npz").read()


@pytest.mark.parametrize(("load", "remade", "levels"), [(digits, make.digits, 16), (mnist, make.mnist, 255)])
def test_images_are_those_of_the_package_that_they_came_in(load, remade, levels) -> None:
    data, source = load(), remade()
    x = torch.cat([data.train_x, data.test_x])
    assert x.dtype == torch.float32 and float(x.min()) == 0 and float(x.max()) == 1
    np.testing.assert_array_equal((x[:, 0] * levels).round().byte().numpy(), source["images"])
    np.testing.assert_array_equal(torch.cat([data.train_y, data.test_y]).numpy(), source["labels"])


@pytest.mark.parametrize("load", [digits, mnist])
def test_no_image_is_in_both_parts_and_every_digit_is(load) -> None:
    data = load()
    seen = {image.tobytes() for image in data.train_x.numpy()}
    assert not any(image.tobytes() in seen for image in data.test_x.numpy())
    assert data.train_y.unique().tolist() == data.test_y.unique().tolist() == list(range(10))


def test_the_novels_are_whole_and_free_of_what_is_not_theirs() -> None:
    text = austen()
    assert (len(text.train), len(text.test)) == (1_248_061, 100_000)
    novels = decode(torch.cat([text.train, text.test]))
    assert novels.startswith("It is a truth universally acknowledged")
    assert novels.endswith("producing coolness between their husbands.\n")
    for foreign in ("Gutenberg", "CHAPTER", "Chapter ", "[At this point", "_", "  ", "\n\n"):
        assert foreign not in novels
    assert set(novels) == set(austen_module.VOCABULARY) and torch.equal(encode(novels[:500]), text.train[:500])


def test_a_character_that_the_novels_lack_is_named() -> None:
    with pytest.raises(ValueError, match="have no 'é'; they are written with"):
        encode("café")


def test_every_clip_has_its_reversal_under_the_other_label() -> None:
    clips = moving_digits(train=40, test=20)
    for x, y in ((clips.train_x, clips.train_y), (clips.test_x, clips.test_y)):
        right = {clip.numpy().tobytes() for clip in x[y == RIGHT]}
        left = {clip.flip(1).contiguous().numpy().tobytes() for clip in x[y == LEFT]}
        assert right == left and len(right) > 5


def test_the_digit_of_a_clip_moves_the_way_that_its_label_says() -> None:
    clips = moving_digits(train=64, test=2, frames=4)
    columns = torch.arange(16.0)
    mass = clips.train_x[:, 0].sum(dim=2)
    centre = (mass * columns).sum(dim=-1) / mass.sum(dim=-1)
    moves = centre.diff(dim=1)
    assert bool((moves[clips.train_y == RIGHT] > 0.5).all()) and bool((moves[clips.train_y == LEFT] < -0.5).all())


def test_clips_depend_on_the_seed_alone_and_bad_sizes_are_refused() -> None:
    assert torch.equal(moving_digits(8, 8, seed=3).test_x, moving_digits(8, 8, seed=3).test_x)
    assert not torch.equal(moving_digits(8, 8, seed=3).test_x, moving_digits(8, 8, seed=4).test_x)
    for bad in ({"frames": 10}, {"frames": 1}, {"train": 3}):
        with pytest.raises(ValueError, match="2 to 9 frames and parts of an even size"):
            moving_digits(**bad)


def test_the_karate_club_is_zacharys() -> None:
    club = karate_club()
    neighbours = [set(part.tolist()) for part in club.columns.tensor_split(club.offsets[1:-1])]
    assert all(a in neighbours[b] for a in range(34) for b in neighbours[a])
    degrees = [len(each) for each in neighbours]
    assert sum(degrees) == 2 * 78 and (degrees[0], degrees[33]) == (16, 17)
    # In figure 1, which counts from 1, member 12 met the instructor alone, and member 10 met 3 and the officer.
    assert neighbours[11] == {0} and neighbours[9] == {2, 33}
    assert (club.y.dtype, club.y[0], club.y[33], int(club.y.sum())) == (torch.int64, 0, 1, 17)
    assert club.train.nonzero().flatten().tolist() == [0, 33]


def test_the_block_model_has_the_density_that_it_states() -> None:
    graph = stochastic_block_model(nodes=2000, inside=0.02, across=0.002, seed=1)
    rows = torch.arange(2000).repeat_interleave(graph.offsets.diff())
    same = graph.y[rows] == graph.y[graph.columns]
    # Pairs of nodes, each edge seen twice; five standard deviations.
    for found, pairs, probability in (
        (int(same.sum()) / 2, 4 * 500 * 499 / 2, 0.02),
        (int((~same).sum()) / 2, 6 * 500 * 500, 0.002),
    ):
        assert abs(found - pairs * probability) < 5 * (pairs * probability * (1 - probability)) ** 0.5
    dense = torch.zeros(2000, 2000)
    dense[rows, graph.columns] = 1
    assert torch.equal(dense, dense.T) and not dense.diagonal().any() and int(graph.train.sum()) == 200
    again = stochastic_block_model(nodes=2000, inside=0.02, across=0.002, seed=1)
    assert all(torch.equal(a, b) for a, b in zip(graph, again, strict=True))
