# Divides in floating point, which rounds.
def ridge_batch(flops, weight_bytes, activation_bytes, flops_per_s, bytes_per_s):
    gain = flops / flops_per_s - activation_bytes / bytes_per_s
    if gain <= 0:
        return 1 if gain == 0 and weight_bytes == 0 else None
    import math

    return max(1, math.ceil(weight_bytes / bytes_per_s / gain))
