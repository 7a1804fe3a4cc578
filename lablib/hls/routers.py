"""The placers and routers, and what each calls the resources of its parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lablib.hls.engines import NEXTPNR, NEXTPNR_ECP5, Package

__all__ = ["ECP5", "ICE40", "Router"]


@dataclass(frozen=True)
class Router:
    """Nextpnr for one family of parts.

    Attributes
    ----------
    engine
        The package that has it.
    bels
        Its names of resources, by field of `lablib.hls.report.Resources`.
    options
        What it needs for any part.
    """

    engine: Package
    bels: Mapping[str, str]
    options: tuple[str, ...] = ()


ICE40 = Router(NEXTPNR, {"cells": "ICESTORM_LC", "bram": "ICESTORM_RAM", "dsp": "ICESTORM_DSP", "io": "SB_IO"})
ECP5 = Router(
    NEXTPNR_ECP5,
    {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "bram": "DP16KD", "dsp": "MULT18X18D", "io": "TRELLIS_IO"},
    ("--lpf-allow-unconstrained",),  # pins of a board's choice are not asked for
)
