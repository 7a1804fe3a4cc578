"""What the module teaches, in our words: the items of its syllabus and its learning outcomes.

A graded cell names those that it covers: ``covers=["quantisation", "lo2"]``. `autograder.coverage` makes the table.
"""

from __future__ import annotations

OUTCOMES = {
    "lo1": "analyse how modern machine-learning systems are designed, and why",
    "lo2": "argue how a model in Python becomes work for a GPU or a circuit on an FPGA",
    "lo3": "assess what an optimisation gains and what it costs, in software and in hardware",
    "lo4": "compare how vision and language models profit from different optimisations and mappings",
}

SYLLABUS = {
    "Systems": {
        "ml_systems": "machine-learning systems and frameworks",
    },
    "Models and their characteristics": {
        "transformers": "Transformers",
        "convnets": "convolutional networks",
        "cnn3d": "3D convolutional networks",
        "vits": "vision Transformers",
        "gnns": "graph neural networks",
        "vaes": "variational autoencoders",
        "diffusion": "diffusion models",
    },
    "Compilers": {
        "graphs": "computational graphs",
        "parallelism": "parallelism that a compiler finds",
        "graph_optimisation": "optimisation on the graph",
    },
    "Compression": {
        "low_rank": "low rank",
        "pruning": "pruning",
        "quantisation": "quantisation",
        "adaptive_compute": "adaptive computation",
    },
    "Hardware": {
        "commodity_hardware": "commodity hardware",
        "custom_hardware": "custom hardware",
        "mlperf": "MLPerf",
    },
    "AutoML": {
        "nas": "architecture search",
        "rl_nas": "search by reinforcement learning",
        "gradient_nas": "search by gradients",
        "weight_sharing": "weight sharing",
    },
    "Training": {
        "backpropagation": "backpropagation",
        "scalability": "scalability",
        "data_and_model_parallel": "data parallel against model parallel",
        "many_gpus_and_nodes": "many GPUs, many nodes",
    },
    "Other paradigms": {
        "federated": "federated learning",
        "cloud": "large-scale learning on the cloud",
    },
}

ITEMS = {item: words for area in SYLLABUS.values() for item, words in area.items()}
"""Every syllabus item by its key."""
