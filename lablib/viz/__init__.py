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
    from lablib.viz.batches import batch_pages
    from lablib.viz.block_sizes import block_traffic
    from lablib.viz.budgets import privacy_budget
    from lablib.viz.cache_lines import cache_fill
    from lablib.viz.caches import cache_growth
    from lablib.viz.cell_graphs import cell_graph
    from lablib.viz.configurations import configuration_table
    from lablib.viz.curve_panels import curves
    from lablib.viz.drafts import draft_tokens
    from lablib.viz.drift_paths import client_drift
    from lablib.viz.expert_loads import router_load
    from lablib.viz.fleets import fleet_timeline
    from lablib.viz.growing_fronts import front_growth
    from lablib.viz.heads import attention_maps
    from lablib.viz.hops import message_passing
    from lablib.viz.images import image_steps
    from lablib.viz.label_skews import label_skew
    from lablib.viz.latent import code_plane
    from lablib.viz.layer_rooflines import layer_roofline
    from lablib.viz.mask_sums import masked_sum
    from lablib.viz.masks import pruning_mask
    from lablib.viz.memory import memory_map
    from lablib.viz.memory_plans import memory_plan
    from lablib.viz.pareto import latency_area
    from lablib.viz.passes import graph_passes
    from lablib.viz.pipelines import pipeline
    from lablib.viz.plans import plan_explorer
    from lablib.viz.pragmas import pragma_explorer
    from lablib.viz.programs import program_grid
    from lablib.viz.quality import quality_table
    from lablib.viz.quantisation import quantisation_levels
    from lablib.viz.queues import queue_latency
    from lablib.viz.ratios import ratio_bars
    from lablib.viz.receptive_fields import receptive_field
    from lablib.viz.recomputation import checkpoint_plans
    from lablib.viz.resources import resource_bars
    from lablib.viz.rings import ring_packets
    from lablib.viz.rooflines import roofline
    from lablib.viz.scatter_panels import against
    from lablib.viz.schedules import pipeline_schedule
    from lablib.viz.shards import shard_map
    from lablib.viz.slo import cost_slo
    from lablib.viz.softmax_parts import online_softmax
    from lablib.viz.spectra import energy_spectrum
    from lablib.viz.stage_viewer import compile_stages
    from lablib.viz.streams import stream_schedule
    from lablib.viz.strides import view_explorer
    from lablib.viz.systolic import systolic_array
    from lablib.viz.tapes import tape_replay
    from lablib.viz.tiles import tile_order
    from lablib.viz.token_grids import token_groups
    from lablib.viz.training_memory import memory_over_step
    from lablib.viz.waveforms import waveform

__all__ = [
    "against",
    "attention_maps",
    "attention_tiles",
    "batch_pages",
    "block_traffic",
    "cache_fill",
    "cache_growth",
    "cell_graph",
    "checkpoint_plans",
    "client_drift",
    "code_plane",
    "compare_bars",
    "compile_stages",
    "configuration_table",
    "cost_slo",
    "curves",
    "draft_tokens",
    "energy_spectrum",
    "fleet_timeline",
    "front_growth",
    "graph_passes",
    "image_steps",
    "label_skew",
    "latency_area",
    "layer_roofline",
    "masked_sum",
    "memory_map",
    "memory_over_step",
    "memory_plan",
    "message_passing",
    "online_softmax",
    "pipeline",
    "pipeline_schedule",
    "plan_explorer",
    "pragma_explorer",
    "privacy_budget",
    "program_grid",
    "pruning_mask",
    "quality_table",
    "quantisation_levels",
    "queue_latency",
    "ratio_bars",
    "receptive_field",
    "resource_bars",
    "ring_packets",
    "roofline",
    "router_load",
    "shard_map",
    "stream_schedule",
    "systolic_array",
    "tape_replay",
    "tile_order",
    "token_groups",
    "traffic_bars",
    "view_explorer",
    "waveform",
]

_MODULE_OF = {
    "against": "scatter_panels",
    "attention_maps": "heads",
    "attention_tiles": "attention_blocks",
    "batch_pages": "batches",
    "block_traffic": "block_sizes",
    "cache_fill": "cache_lines",
    "cache_growth": "caches",
    "cell_graph": "cell_graphs",
    "checkpoint_plans": "recomputation",
    "client_drift": "drift_paths",
    "code_plane": "latent",
    "compare_bars": "bars",
    "compile_stages": "stage_viewer",
    "configuration_table": "configurations",
    "cost_slo": "slo",
    "curves": "curve_panels",
    "draft_tokens": "drafts",
    "energy_spectrum": "spectra",
    "fleet_timeline": "fleets",
    "front_growth": "growing_fronts",
    "graph_passes": "passes",
    "image_steps": "images",
    "label_skew": "label_skews",
    "latency_area": "pareto",
    "layer_roofline": "layer_rooflines",
    "masked_sum": "mask_sums",
    "memory_map": "memory",
    "memory_over_step": "training_memory",
    "memory_plan": "memory_plans",
    "message_passing": "hops",
    "online_softmax": "softmax_parts",
    "pipeline": "pipelines",
    "pipeline_schedule": "schedules",
    "plan_explorer": "plans",
    "pragma_explorer": "pragmas",
    "privacy_budget": "budgets",
    "program_grid": "programs",
    "pruning_mask": "masks",
    "quality_table": "quality",
    "quantisation_levels": "quantisation",
    "queue_latency": "queues",
    "ratio_bars": "ratios",
    "receptive_field": "receptive_fields",
    "resource_bars": "resources",
    "ring_packets": "rings",
    "roofline": "rooflines",
    "router_load": "expert_loads",
    "shard_map": "shards",
    "stream_schedule": "streams",
    "systolic_array": "systolic",
    "tape_replay": "tapes",
    "tile_order": "tiles",
    "token_groups": "token_grids",
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
