# Tries batches one by one, and gives up.
def ridge_batch(flops, weight_bytes, activation_bytes, flops_per_s, bytes_per_s):
    for batch in range(1, 100_000):
        if batch * flops * bytes_per_s >= (weight_bytes + batch * activation_bytes) * flops_per_s:
            return batch
    return None
