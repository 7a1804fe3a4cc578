"""Many ranks, one function: as threads for a lesson, as processes over gloo, on GPUs over NCCL; counted alike.

`launch` runs a function on every rank and returns within its time limit. `Traffic` has the bytes by collective and
rank, and the timeline. `lablib.parallel.fake` counts a step of thousands of ranks in one process;
`lablib.parallel.pipeline` plays pipeline schedules.
"""

from lablib.parallel.errors import RankFailed
from lablib.parallel.launch import Launched, launch
from lablib.parallel.traffic import Event, Traffic, ring_bytes

__all__ = ["Event", "Launched", "RankFailed", "Traffic", "launch", "ring_bytes"]
