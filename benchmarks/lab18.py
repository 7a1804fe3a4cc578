"""Can every brief of lab18 be met, and how far are its floors from the solution and from lazier methods?

    python -m benchmarks.lab18 [FILE]
    python -m benchmarks.lab18 --assets

The second form trains the lab's four vision networks and finds the best cell at each price, about 1 minute on one core,
and writes the lab's assets. The first runs the lab's own tests, and then the solution on every brief that there is,
stage by stage, about 8 minutes on one core. The lab quotes the file that it writes, which is
benchmarks/results/<date>-cpu-lab18.json unless given.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lablib import device

import numpy as np  # isort: skip

from autograder.master import load  # isort: skip
from autograder.run import Runner  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from benchmarks.spread import summary  # isort: skip
from lablib import claims  # isort: skip
from lablib.automl import costs, space, table  # isort: skip

MASTER = Path(__file__).parents[1] / "solutions/lab18_capstone/lab18_capstone.py"
ASSETS = MASTER.parent / "assets"
CELLS = [(4, 0, 1, 0, 1, 4), (1, 4, 0, 4, 2, 4), (4, 3, 0, 2, 4, 0), (3, 0, 4, 1, 0, 4)]
"""The shipped networks; the third has an edge that is idle."""
PRICES = [price / 10 for price in range(40, 63)]


def assets() -> None:
    """Write assets/vision.npz and assets/best.json."""
    runner = Runner(load(MASTER))
    lab = vars(runner.module)
    with contextlib.chdir(MASTER.parent):
        for cell in runner.lab.of_role("setup"):
            exec(compile(cell.source, cell.id, "exec"), lab)
        arrays: dict[str, np.ndarray] = {}
        for number, cell in enumerate(CELLS):
            arrays[f"cell{number}"] = np.array(cell, np.uint8)
            for key, value in lab["trained"](cell, epochs=12).items():
                kept = value.half() if value.is_floating_point() else value
                arrays[f"state{number}.{key}"] = kept.numpy()
        np.savez_compressed("assets/vision.npz", **arrays)  # pyright: ignore[reportArgumentType]
        best = {"accuracy": best_at_each_price(), "moved_bytes": [fewest_bytes(lab, n) for n in range(len(CELLS))]}
        Path("assets/best.json").write_text(json.dumps(best, indent=1) + "\n")


def best_at_each_price() -> dict[str, float]:
    """The accuracy of the best cell that costs no more, by microseconds."""
    price = np.array([1e6 * costs.seconds(cell, costs.CPU) for cell in space.cells()])
    mean = table.read().mean
    return {str(most): float(mean[price <= most].max()) for most in PRICES}


def fewest_bytes(lab: dict[str, Any], number: int) -> int:
    """Bytes of a shipped network's kernels after merging, time and again, the pair that saves most."""
    cell, state = lab["shipped"](number)
    layers = {}
    for name in lab["folded_names"](cell):
        weight = state[lab["state_names"](name)[0]]
        layers[name] = {
            "q": weight.char(),
            "scale": weight.new_ones(len(weight)),
            "bias": weight.new_zeros(len(weight)),
        }
    graph, traffic = lab["graph_of"](cell, layers), lab["traffic"]
    units = [kernel["nodes"] for kernel in lab["kernels"](graph)]
    moved = traffic(graph)
    while True:
        tried = list(merged(graph, traffic, units))
        if not tried or min(tried)[0] >= moved:
            return moved
        moved, units = min(tried)


def merged(graph: Any, traffic: Any, units: list[list[str]]) -> Iterator[tuple[int, list[list[str]]]]:
    """Each legal merge of two kernels that touch: what all of them move then, and they."""
    nodes = {node["name"]: node for node in graph["nodes"]}
    touched = [{*unit, *(i for name in unit for i in nodes[name]["inputs"])} for unit in units]
    for n, one in enumerate(units):
        for m, other in enumerate(units[:n]):
            if touched[n] & touched[m]:
                rest = [unit for unit in units if unit not in (one, other)]
                groups = [*rest, other + one]
                with contextlib.suppress(ValueError):
                    yield traffic(graph, [unit for unit in groups if len(unit) > 1]), groups


def said(text: str) -> dict[str, float]:
    return {claim["figure"]: claim["value"] for claim in claims.validate(text)["claims"]}


def language(lab: dict[str, Any]) -> dict[str, Any]:
    """Bits per character lost and allowed at each budget, on the agreed text and elsewhere; and by rounding alone."""
    drawn = (lab["brief"](f"word {n}") for n in range(400))
    asked = {brief["language"]["bytes"]: brief for brief in drawn}  # all seven that there are
    test, bits = lab["novels"]().test, lab["bits_per_character"]
    places = [test[start : start + 4096] for start in range(5000, 90_000, 17_000)]
    floats = [bits(lab["float_gpt"](), place) for place in places]
    rows = []
    for brief in asked.values():
        layers, text = lab["language"](brief)
        small, floor = lab["rebuilt"](layers), brief["language"]["lost_bits"]
        weight = {path: lab["float_gpt"]().get_submodule(path).weight for path in layers}
        nearest = {path: lab["rounded_layer"](weight[path], layer["bits"]) for path, layer in layers.items()}
        elsewhere = [bits(small, place) - before for place, before in zip(places, floats, strict=True)]
        by_rounding = bits(lab["rebuilt"](nearest), lab["agreed_text"]()) - lab["bits_of_floats"]()
        rows.append({
            "brief": brief["language"], "bytes": said(text)["weight_bytes"],
            "lost over allowed": said(text)["lost"] / floor,
            "elsewhere over allowed": [lost / floor for lost in elsewhere],
            "control: to nearest, over allowed": by_rounding / floor,
        })  # fmt: skip
    worst = max(row["lost over allowed"] for row in rows)
    far = max(max(row["elsewhere over allowed"]) for row in rows)
    return {"briefs": len(rows), "worst": worst, "worst elsewhere, at most 1.4": far, "rows": rows}


def serving(lab: dict[str, Any]) -> dict[str, Any]:
    """First tokens and gaps over what is allowed, of the solution and of other rules, on every brief."""

    def everything(prompts: list[int], running: int, costs: dict[str, int], gap_us: int) -> int:
        return 0 if running else min(len(prompts), costs["slots"])

    def forgetful(prompts: list[int], running: int, costs: dict[str, int], gap_us: int) -> int:
        return min(lab["admit"](prompts, 0, costs, gap_us), costs["slots"] - running)

    rules = {
        "solution": lab["admit"], "control: everybody": lab["everybody"], "control: batch by batch": everything,
        "control: forgets who runs": forgetful,
    }  # fmt: skip
    briefs = [
        {"word": "", "serving": {"per_second": rate, "gap_us": gap, "trace": trace}}
        for rate in range(220, 281, 10) for gap in range(5500, 7001, 250) for trace in range(64)
    ]  # fmt: skip
    most = [0.9 * ranked(lab, lab["serve"](lab["one_at_a_time"], brief)) for brief in briefs]
    found: dict[str, Any] = {"briefs": len(briefs)}
    for name, rule in rules.items():
        logs = [lab["serve"](rule, brief) for brief in briefs]
        first = [ranked(lab, log) / allowed for log, allowed in zip(logs, most, strict=True)]
        gap = [
            lab["ranked"](lab["gaps"](log), 0.99) / b["serving"]["gap_us"] for log, b in zip(logs, briefs, strict=True)
        ]
        meets = sum(a <= 1 and b <= 1 for a, b in zip(first, gap, strict=True))
        found[name] = {"meets both": meets, "first token, worst": max(first), "gap, worst": max(gap)}
    return found


def ranked(lab: dict[str, Any], log: Any) -> int:
    return lab["ranked"](lab["first_tokens"](log), 0.99)


def search(lab: dict[str, Any]) -> dict[str, Any]:
    """Regret of the solution at every price; the same for chance with as many trainings."""
    best, read = json.loads((ASSETS / "best.json").read_text())["accuracy"], table.read()
    cells = list(space.cells())
    price = np.array([1e6 * costs.seconds(cell, costs.CPU) for cell in cells])
    regrets, lucky = [], []
    for n, most in enumerate(PRICES):
        query, _ = lab["asking"](150)
        brief = {**lab["brief"](f"word {n}"), "search": {"price_us": most, "queries": 150}}
        delivery, _ = lab["search"](brief, query)
        regrets.append(best[str(most)] - read.accuracy(delivery["cell"]))
        chosen = np.random.default_rng(n).choice(np.flatnonzero(price <= most), (100, 150))
        found = chosen[np.arange(100), read.validation[chosen, 0, -1].argmax(1)]
        lucky += (best[str(most)] - read.mean[found]).tolist()
    return {
        "prices": len(PRICES), "regret": summary(regrets), "worst": max(regrets), "random": float(np.mean(lucky)),
        "random within 0.025": float(np.mean(np.array(lucky) <= 0.025)),
    }  # fmt: skip


def compiling(lab: dict[str, Any]) -> dict[str, Any]:
    """Accuracy lost by each shipped network at each number of bits, and its bytes over the fewest."""
    fewest, rows = json.loads((ASSETS / "best.json").read_text())["moved_bytes"], []
    x, y = lab["noisy_digits"]()
    for number in range(len(CELLS)):
        cell, state = lab["shipped"](number)
        model = lab["Network"](cell)
        model.load_state_dict(state)
        floats = lab["accuracy"](model, x[:, None], y)
        for bits in (3, 4, 5, 6, 7):
            figures = said(lab["compiled"]({**lab["brief"]("word"), "compile": {"bits": bits}}, cell, state)[1])
            moved = figures["moved_bytes"] / fewest[number]
            rows.append({"cell": cell, "bits": bits, "lost": floats - figures["accuracy"], "bytes over fewest": moved})
    allowed = [row["lost"] for row in rows if row["bits"] >= 5]
    return {"worst at 5 to 7 bits, at most 0.015": max(allowed), "rows": rows}


def engines(lab: dict[str, Any]) -> list[dict[str, Any]]:
    """Cycles and what is allowed, at each number of multipliers, of the two layers that the tests build."""
    rows = []
    for multipliers in (2, 4, 8):
        for outputs, channels, side in ((16, 8, 4), (8, 3, 3)):
            weights = np.random.default_rng(0).integers(-128, 128, (outputs, channels, 3, 3))
            brief = {**lab["brief"]("word"), "engine": {"multipliers": multipliers}}
            figures = said(lab["engine"](brief, weights, np.zeros(outputs, np.int64), 8, side)[1])
            most = side * side * (outputs // multipliers) * (9 * channels + 14) + 4 * side * side + 50
            rows.append({"layer": [outputs, channels, side], "allowed": multipliers, **figures, "most cycles": most})
    return rows


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    if not device.INTERPRETED:
        raise SystemExit("benchmarks.lab18 measures what a CPU computes: set TRITON_INTERPRET=1.")
    lab, tests = solved(load(MASTER))
    result: dict[str, Any] = {**result_files.cpu(), "tests": tests}
    with contextlib.chdir(MASTER.parent):
        for name, measure in (
            ("serving", serving), ("search", search), ("compile", compiling), ("engine", engines),
            ("language", language),
        ):  # fmt: skip
            print(name, flush=True)
            result[name] = measure(lab)
    print(result_files.write(result, "cpu", "lab18", path))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--assets"]:
        assets()
    else:
        main(*map(Path, sys.argv[1:2]))
