# Reads the weights in the first pass alone.
def seconds_an_image(operations, batch, steps, flops_per_s, bytes_per_s):
    total = 0.0
    for operation in operations:
        computing = steps * batch * operation["flops"] / flops_per_s
        activations = steps * batch * operation["activation_bytes"]
        total += max(computing, (operation["parameter_bytes"] + activations) / bytes_per_s)
    return total / batch
