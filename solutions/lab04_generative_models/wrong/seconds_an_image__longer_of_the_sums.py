# Takes the longer of computing all and moving all.
def seconds_an_image(operations, batch, steps, flops_per_s, bytes_per_s):
    flops, weights, activations = (
        sum(one[key] for one in operations) for key in ("flops", "parameter_bytes", "activation_bytes")
    )
    return steps * max(flops / flops_per_s, (weights / batch + activations) / bytes_per_s)
