"""Assertions that students meet. A message says what was expected, what came, and where to look.

Values:       `close`, `rounded`, `equal`, `raises`
Systems:      `traffic` (bytes that a kernel moves), `machine_code` (registers, spills, instructions)
Inputs:       `rng`
Predictions:  `lock`
"""

from lablib.check.machine_code import machine_code
from lablib.check.observe import Observation, observe
from lablib.check.prediction import lock
from lablib.check.random import rng
from lablib.check.traffic import traffic
from lablib.check.values import close, equal, raises, rounded

__all__ = ["Observation", "close", "equal", "lock", "machine_code", "observe", "raises", "rng", "rounded", "traffic"]
