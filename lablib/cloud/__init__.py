"""Train and serve on machines that come and go: simulators with every assumption written down, and a few real kills.

- `lablib.cloud.disk` is a disk that remembers what was asked of it and can lose power at any byte, and a real folder
  behind the same door.
- `lablib.cloud.fleet` draws failures and plays a training run against them.
- `lablib.cloud.requests` plays a scheduler of a language model's requests, step by step, with pages of a KV cache.
- `lablib.cloud.autoscale` plays a policy that rents and returns replicas.
- `lablib.cloud.prices` is a table with sources and dates.
- `lablib.cloud.kills` ends real processes: a trainer, a rank under torchrun, Dask workers.
"""
