"""Do now what the first synthesis, placement and simulation on a machine would wait for.

``python -m lablib.hls.warm``; `make` runs it after an installation.
"""

from __future__ import annotations

import sys

from lablib.hls.engines import NEXTPNR, YOSYS
from lablib.hls.errors import HardwareError
from lablib.hls.simulator import runtime
from lablib.hls.wasm import translate

__all__ = ["main"]


def main() -> int:
    """Translate Yosys and nextpnr, compile Verilator's runtime; return 1 when something is missing."""
    steps = [
        ("Yosys", lambda: translate(YOSYS)),
        ("nextpnr", lambda: translate(NEXTPNR)),
        ("Verilator's runtime", lambda: [runtime(False, "verilated_vpi"), runtime(True)]),
    ]
    failed = False
    for name, step in steps:
        print(f"Preparing {name}: at most a minute or two, once.", flush=True)
        try:
            step()
        except HardwareError as error:
            failed = True
            print(f"{name} is not prepared: {error}", file=sys.stderr)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
