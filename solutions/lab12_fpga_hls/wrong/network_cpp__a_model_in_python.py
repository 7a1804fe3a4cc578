# Calls the integer model, which is no hardware.
def network_cpp(parameters):
    return lambda x: integer_model(parameters, x)
