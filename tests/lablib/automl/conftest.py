"""PyTorch's counters import Triton, and lablib.device must come before it."""

import lablib.device  # noqa: F401
