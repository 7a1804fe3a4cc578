# Gives a function of x in the place of a circuit.
def dense_cpp(parameters):
    return lambda x: np.maximum(np.asarray(x), 0)
