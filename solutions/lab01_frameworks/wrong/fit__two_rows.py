# The first row gives the overhead, the last one the bandwidth.
def fit(rows):
    return rows[0]["seconds"] / rows[0]["ops"], rows[-1]["seconds"] / rows[-1]["bytes"]


def crossover(a, b, bytes_per_element):
    return a / (b * bytes_per_element)
