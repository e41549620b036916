"""Networks as files: model files, safetensors, and ONNX models."""

import json
import pathlib

import numpy

Tensors = dict[str, numpy.ndarray]

SAFETENSORS_TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8"}


def dann_model(name: str, widths: list[int]) -> str:
    """A model file of a DANN with hidden layers of `widths` excitatory units,
    and a tenth as many interneurons; otherwise as examples/fashion_mnist.txtpb."""
    layers = [
        f"layer {{ ei_dense {{ excitatory: {width} inhibitory: {width // 10} "
        "activation: RELU } }"
        for width in widths
    ]
    return "\n".join(
        [
            f'name: "{name}"',
            "input { shape: 784 minimum: 0 maximum: 1 }",
            *layers,
            "layer { ei_dense { excitatory: 10 inhibitory: 1 } }",
            "loss: SOFTMAX_CROSS_ENTROPY",
            "optimizer { sgd {} correct_inhibition: true }",
            "defaults { batch_size: 32 epochs: 10 learning_rate: 0.1107 }",
            "",
        ]
    )


def parameter_shapes(description: dict) -> list[dict[str, list[int]]]:
    """The shapes of each layer's parameters by role, of what a compiled program
    says about itself (`info --json`)."""
    layers: dict[int, dict[str, list[int]]] = {}
    for parameter in description["parameters"]:
        layer, role = parameter["name"].split(".", 1)
        layers.setdefault(int(layer), {})[role] = parameter["shape"]
    return [layers[index] for index in sorted(layers)]


def load_tensors(path: pathlib.Path) -> Tensors:
    """The tensors of a safetensors file."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    tensors = {}
    for name, entry in json.loads(data[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        array = numpy.frombuffer(data[begin:end], SAFETENSORS_TYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors


def save_tensors(path: pathlib.Path, tensors: Tensors) -> None:
    """Writes a safetensors file."""
    header, blob = {}, bytearray()
    types = {numpy_type: name for name, numpy_type in SAFETENSORS_TYPES.items()}
    for name, array in tensors.items():
        data = array.tobytes()
        header[name] = {
            "dtype": types[array.dtype.str],
            "shape": list(array.shape),
            "data_offsets": [len(blob), len(blob) + len(data)],
        }
        blob += data
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + blob)


def save_onnx(path: pathlib.Path, parameters: Tensors, layer_count: int) -> None:
    """Writes the forward pass of a DANN in plain ONNX operators, for any batch
    size. Weights stand as MatMul reads them, and what depends on parameters
    alone is computed here: nothing is left to do in a call but its work."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    nodes, constants = [], []

    def constant(name: str, value: numpy.ndarray) -> str:
        value = numpy.ascontiguousarray(value, dtype=numpy.float32)
        constants.append(numpy_helper.from_array(value, name))
        return name

    def node(operator: str, result: str, *inputs: str) -> str:
        nodes.append(helper.make_node(operator, list(inputs), [result], name=result))
        return result

    x = "x"
    for layer in range(layer_count):
        p = {
            name.split(".")[1]: value
            for name, value in parameters.items()
            if name.startswith(f"{layer}.")
        }

        def at(name: str, layer: int = layer) -> str:
            return f"{layer}.{name}"

        divisive = p["wei"] * numpy.exp(p["alpha"])
        ze = node("MatMul", at("ze"), x, constant(at("wex"), p["wex"].T))
        zi = node("MatMul", at("zi"), x, constant(at("wix"), p["wix"].T))
        inhibition = node("MatMul", at("s"), zi, constant(at("wei"), p["wei"].T))
        u = node("Sub", at("u"), ze, inhibition)
        product = node("MatMul", at("zc"), zi, constant(at("divisive"), divisive.T))
        c = node("Add", at("c"), product, constant(at("epsilon"), numpy.array(1e-8)))
        ratio = node("Div", at("r"), u, c)
        scaled = node("Mul", at("scaled"), ratio, constant(at("g"), p["g"]))
        x = node("Add", at("z"), scaled, constant(at("b"), p["b"]))
        if layer != layer_count - 1:
            x = node("Relu", at("h"), x)

    features = parameters["0.wex"].shape[1]
    classes = parameters[f"{layer_count - 1}.wex"].shape[0]
    graph = helper.make_graph(
        nodes,
        "dann",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", features])],
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["batch", classes])],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    checker.check_model(model)
    save(model, str(path))


def save_identity_onnx(path: pathlib.Path) -> None:
    """Writes an ONNX model that does nothing: it shows what a call costs."""
    from onnx import TensorProto, helper, save

    def value(name: str):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 784])

    node = helper.make_node("Identity", ["x"], ["y"])
    graph = helper.make_graph([node], "nothing", [value("x")], [value("y")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    save(model, str(path))
