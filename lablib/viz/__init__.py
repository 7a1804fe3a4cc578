"""Figures and widgets of the labs: plain data in, something that displays out.

Every function takes arrays, dicts or small objects read by attribute, and imports no other part of lablib.
What comes back displays in JupyterLab and carries ``summary``, the answer in words, which is also what a
terminal or a screen reader gets.

Importing this package costs nothing: a drawing module is loaded when one of its functions is first named.

Examples
--------
>>> from lablib import viz
>>> print(viz.program_grid(8, 13, block=16))
8 x 13 elements, BLOCK = 16: 8 programs, 128 lanes, 24 masked off (19% of the work is wasted).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lablib.viz.attention_blocks import attention_tiles
    from lablib.viz.bars import compare_bars, traffic_bars
    from lablib.viz.block_sizes import block_traffic
    from lablib.viz.configurations import configuration_table
    from lablib.viz.images import image_steps
    from lablib.viz.latent import code_plane
    from lablib.viz.layer_rooflines import layer_roofline
    from lablib.viz.memory import memory_map
    from lablib.viz.memory_plans import memory_plan
    from lablib.viz.pareto import latency_area
    from lablib.viz.passes import graph_passes
    from lablib.viz.pipelines import pipeline
    from lablib.viz.programs import program_grid
    from lablib.viz.ratios import ratio_bars
    from lablib.viz.receptive_fields import receptive_field
    from lablib.viz.resources import resource_bars
    from lablib.viz.rooflines import roofline
    from lablib.viz.softmax_parts import online_softmax
    from lablib.viz.stage_viewer import compile_stages
    from lablib.viz.streams import stream_schedule
    from lablib.viz.strides import view_explorer
    from lablib.viz.systolic import systolic_array
    from lablib.viz.tapes import tape_replay
    from lablib.viz.tiles import tile_order
    from lablib.viz.waveforms import waveform

__all__ = [
    "attention_tiles",
    "block_traffic",
    "code_plane",
    "compare_bars",
    "compile_stages",
    "configuration_table",
    "graph_passes",
    "image_steps",
    "latency_area",
    "layer_roofline",
    "memory_map",
    "memory_plan",
    "online_softmax",
    "pipeline",
    "program_grid",
    "ratio_bars",
    "receptive_field",
    "resource_bars",
    "roofline",
    "stream_schedule",
    "systolic_array",
    "tape_replay",
    "tile_order",
    "traffic_bars",
    "view_explorer",
    "waveform",
]

_MODULE_OF = {
    "attention_tiles": "attention_blocks",
    "block_traffic": "block_sizes",
    "code_plane": "latent",
    "compare_bars": "bars",
    "compile_stages": "stage_viewer",
    "configuration_table": "configurations",
    "graph_passes": "passes",
    "image_steps": "images",
    "latency_area": "pareto",
    "layer_roofline": "layer_rooflines",
    "memory_map": "memory",
    "memory_plan": "memory_plans",
    "online_softmax": "softmax_parts",
    "pipeline": "pipelines",
    "program_grid": "programs",
    "ratio_bars": "ratios",
    "receptive_field": "receptive_fields",
    "resource_bars": "resources",
    "roofline": "rooflines",
    "stream_schedule": "streams",
    "systolic_array": "systolic",
    "tape_replay": "tapes",
    "tile_order": "tiles",
    "traffic_bars": "bars",
    "view_explorer": "strides",
    "waveform": "waveforms",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"lablib.viz has no {name!r}; it has {', '.join(__all__)}")
    # No module may share a function's name: importing it would bind the name here to the module.
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
