"""Assertions that students meet. A message says what was expected, what came, and where to look.

- Values: `close`, `rounded`, `equal`, `raises`
- Systems: `traffic` (bytes that a kernel moves), `cost` (operations and memory of torch code), `machine_code`
  (registers, spills, instructions)
- Inputs: `rng`, `seed` (for code that draws random numbers), `inout` (an argument that is to be modified)
- Predictions: `lock`
"""

from lablib.check.contract import inout
from lablib.check.cost import cost
from lablib.check.machine_code import machine_code
from lablib.check.observe import Observation, observe
from lablib.check.prediction import lock
from lablib.check.progress import watch as _watch
from lablib.check.random import rng, seed
from lablib.check.traffic import traffic
from lablib.check.values import close, equal, raises, rounded

__all__ = [
    "Observation", "close", "cost", "equal", "inout", "lock", "machine_code", "observe", "raises", "rng", "rounded",
    "seed", "traffic",
]  # fmt: skip

_watch()  # the home page shows which checks of a notebook passed
