# All leave at one exit.
def choose_threshold(confidence, flops, budget):
    return 0.0 if budget < flops[-1] else float("inf")
