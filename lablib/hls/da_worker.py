"""Runs da4ml in a process of its own, so that a long search for shared sums can be stopped.

Started as a script with a request in JSON on its standard input; what it makes are files in its folder.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

# lookup_table.v stops Yosys, and a dense layer has no table.
_LIBRARY = ("shift_adder", "mux", "negative", "multiplier", "binop")


def trace(request: dict[str, Any]) -> Any:
    """The layer as additions and shifts."""
    import numpy as np
    from da4ml.trace import FixedVariableArrayInput, HWConfig, comb_trace

    weights, bias = np.array(request["weights"]), np.array(request["bias"])
    signed, bits = request["inputs"]
    x = FixedVariableArrayInput((weights.shape[1],), HWConfig(1, -1, -1)).quantize(k=int(signed), i=bits - signed, f=0)
    sums: Any = x @ weights.T + bias
    signed, bits = request["clip"]
    # Saturation to an unsigned type is relu too; da4ml's own relu wraps at the top.
    y = (sums * 2.0 ** -request["shift"]).quantize(
        k=int(signed), i=bits - signed, f=0, overflow_mode="SAT", round_mode="TRN"
    )
    return comb_trace(x, y)


def main(request: dict[str, Any]) -> None:
    """Write `logic.json` for the golden model, `core.v`, and `facts.json`."""
    from da4ml.codegen import VerilogModel
    from da4ml.types import minimal_kif

    logic = trace(request)
    logic.save("logic.json")
    model: Any = VerilogModel(logic, f"{request['name']}_core", "project", latency_cutoff=request["adders"])
    model.write()
    sources = [path.read_text() for path in sorted(Path("project/src").glob(f"{request['name']}_core*.v"))
               if not path.stem.endswith("_wrapper")]  # fmt: skip
    for name in _LIBRARY:
        if any(f" {name} #" in text for text in sources):
            sources.append(Path(f"project/src/static/{name}.v").read_text())
    Path("core.v").write_text("\n".join(sources))
    # Negative: whether the output has a sign. Low zeros are not stored: fractional bits below zero count them.
    outputs = [(bool(k), int(k + i + f), int(-f)) for k, i, f in map(minimal_kif, logic.out_qint)]
    facts = {
        "cost": float(logic.cost), "registers": int(model._pipe.reg_bits), "outputs": outputs,
        "stages": len(model._pipe.solutions), "depth": float(max(logic.latency)),
    }  # fmt: skip
    Path("facts.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(json.load(sys.stdin))
