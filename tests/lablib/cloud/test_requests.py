from __future__ import annotations

import pytest
import torch

from lablib.cloud import gpt_server, requests
from lablib.models.gpt import GPT, generate


def eager(running, waiting, free, page, slots):
    """Room for all of them: admit whoever has a slot."""
    return [], [number for number, _ in waiting[: slots - len(running)]]


def restless(running, waiting, free, page, slots):
    """Evict the last one now and then, and take it back when it waits alone."""
    if len(running) > 1 and running[-1][1] % 5 == 4:
        return [running[-1][0]], []
    return [], [number for number, _ in waiting[: min(slots - len(running), 1)]]


@pytest.mark.parametrize("schedule", [eager, restless, requests.static_batches])
def test_everybody_is_served_and_nobody_shares_a_page(schedule) -> None:
    asked = [(1 + n % 7, 1 + (5 * n) % 11) for n in range(30)]
    seen: list[int] = []

    def compute(running) -> None:
        tables = [place for one in running for place in one.table]
        assert len(tables) == len(set(tables))
        assert all(len(one.table) == -(-one.cached // 4) for one in running)
        seen.extend(one.number for one in running)

    served = requests.serve(schedule, asked, slots=5, pages=60, page=4, compute=compute)
    assert served.tokens == len(seen) == sum(n for _, n in asked)
    assert sorted(served.joined) == list(range(30)) and len(served.slots) == len(served.pages) == served.steps
    assert (served.evictions > 0) == (schedule is restless)
    for slots, owners in zip(served.slots, served.pages, strict=True):
        assert {n for n in slots if n >= 0} == {n for n in owners if n >= 0}


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (([], []), "nobody runs"), (([1], []), "evicts request 1"), (([], [0, 0]), "admits request 0"),
        (([], [9]), "admits request 9"), (([], [0, 1, 2]), "3 sequences are to run in 2 slots"),
        (([], [0, 1]), "none is free"),
    ],
)  # fmt: skip
def test_a_schedule_that_asks_for_what_there_is_not_is_told(answer, words) -> None:
    with pytest.raises(ValueError, match=words):
        requests.serve(lambda *_: answer, [(6, 2)] * 3, slots=2, pages=3, page=4)


def test_a_request_that_can_never_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="needs 9 places, but 2 pages of 4 hold 8"):
        requests.serve(eager, [(5, 5)], slots=1, pages=2, page=4)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([], "at least one request"), ([(3, 1), (3, 0)], "Request 1 has 3 prompt tokens and 0 output tokens"),
        ([(0, 2)], "expected at least 1 of each"),
    ],
)  # fmt: skip
def test_requests_of_nothing_are_refused(asked, words) -> None:
    with pytest.raises(ValueError, match=words):
        requests.serve(eager, asked, slots=2, pages=9, page=4)


def attention(q, k, v, keys, values, tables, lengths):
    out = torch.empty_like(q)
    for b, length in enumerate(lengths.tolist()):
        table, page = tables[b], keys.shape[1]
        keys[table[length // page], length % page], values[table[length // page], length % page] = k[b], v[b]
        mine, theirs = (pool[table].flatten(0, 1)[: length + 1] for pool in (keys, values))
        weights = (torch.einsum("hd,thd->ht", q[b], mine) * q.shape[2] ** -0.5).softmax(-1)
        out[b] = torch.einsum("ht,thd->hd", weights, theirs)
    return out


@pytest.mark.parametrize("schedule", [eager, restless])
def test_a_gpt_behind_a_scheduler_writes_what_it_writes_alone(schedule) -> None:
    torch.manual_seed(0)
    gpt = GPT(vocabulary=11, context=40, width=32, depth=2, heads=2).eval()
    for parameter in gpt.parameters():  # larger, so that the likeliest token stands out
        parameter.data *= 3
    prompts = [torch.randint(0, 11, (n,)) for n in (3, 9, 1, 6)]
    counts = [12, 5, 20, 9]
    got, served = gpt_server.complete(gpt, prompts, counts, schedule, attention, slots=3, pages=40, page=4)
    want = [
        generate(gpt, p[None], n, temperature=0)[0, len(p) :].tolist() for p, n in zip(prompts, counts, strict=True)
    ]
    assert got == want and served.tokens == sum(counts)
