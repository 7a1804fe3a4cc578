# Calls the search of lablib.
from lablib.train.plans import best_plan


def optimal_plan(output_bytes, saved_bytes, flops, budget):
    return best_plan(Chain(tuple(output_bytes), tuple(saved_bytes), tuple(flops)), budget)
