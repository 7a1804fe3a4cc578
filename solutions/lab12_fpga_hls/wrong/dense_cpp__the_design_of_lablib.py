# Takes the layer that lablib ships.
def dense_cpp(parameters):
    from lablib.hls.designs.texts import cpp_text

    return parameters + cpp_text("dense_serial", {}).replace("dense_serial", "dense")
