# A library's own tracer, put into the form that is asked for.
class Recorder(TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


def capture(program, *examples):
    from torch.fx.experimental.proxy_tensor import make_fx

    names, nodes, output = {}, [], None
    for node in make_fx(program)(*examples).graph.nodes:
        if node.op == "output":
            output = names[node.args[0]]
            continue
        names[node] = f"%{len(names)}"
        if node.op == "call_function":
            nodes.append((names[node], str(node.target), torch.fx.map_arg(node.args, names.get), dict(node.kwargs)))
    return {"inputs": [f"%{i}" for i in range(len(examples))], "nodes": nodes, "output": output, "guards": []}
