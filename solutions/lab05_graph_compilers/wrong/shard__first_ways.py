# Takes the first way of every layer.
def shard(layers, sizes, devices, start, end):
    return [0] * len(layers)
