"""The same step in other libraries: each state of a batch reads an id and predicts the next one.

"torch float32" is the network of this repository as it was trained. The others are the fastest
simple form that their library offers: the input is a row of a table, states stay in place from step
to step, and nothing is gathered or copied for sessions that come and go.
"""

import logging
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.checkpoint import Checkpoint
from model.network.config import for_cell
from model.runtime.quantized import Product, quantize_network

Ids = NDArray[np.int64]
Found = tuple[NDArray[np.int64], NDArray[np.float32]]
Step = Callable[[], Found]


def available() -> list[str]:
    """The names of the peers that are installed."""
    names = []
    if find_spec("torch"):
        names += ["torch float32", "torch float32 tuned", "torch bfloat16", "torch int_mm"]
    if find_spec("onnxruntime") and find_spec("onnx"):
        names += ["onnxruntime int8"]
    return names


def step(name: str, checkpoint: Checkpoint, ids: Ids) -> Step:
    """One step of a peer for a network of one layer, with one state for each id.

    Each call advances the states by the same ids, and gives the best next ids and their
    probabilities. Raises ValueError for a kind of cell that the peers do not compute.
    """
    if name == "torch float32":
        return _network_step(checkpoint, ids)
    if name == "onnxruntime int8":
        return _onnxruntime_step(checkpoint, ids)
    return _torch_step(name.removeprefix("torch "), checkpoint, ids)


def _network_step(checkpoint: Checkpoint, ids: Ids) -> Step:
    """The network as it was trained, in torch's eager mode."""
    import torch

    from model.network.network import Network

    torch.set_num_threads(1)
    network = Network(checkpoint.config)
    network.load_weights(checkpoint.weights)
    index, state = torch.from_numpy(ids), network.initial(len(ids))

    @torch.inference_mode()
    def advance() -> Found:
        nonlocal state
        logits, state = network.step(index, state)
        probability, best = torch.softmax(logits, dim=1).max(dim=1)
        return best.numpy(), probability.numpy()

    return advance


def _torch_step(kind: str, checkpoint: Checkpoint, ids: Ids) -> Step:
    import torch
    from torch import Tensor

    torch.set_num_threads(1)
    weights = {name: torch.from_numpy(w) for name, w in checkpoint.weights.items()}
    table = (weights["cells.0.U"].T + weights["cells.0.b"]).contiguous()
    recurrent, output = weights["cells.0.W"], weights["output.weight"]
    quantized = quantize_network(checkpoint)

    def float32(weights: Tensor) -> Callable[[Tensor], Tensor]:
        transposed = weights.T
        return lambda h: h @ transposed

    def bfloat16(weights: Tensor) -> Callable[[Tensor], Tensor]:
        transposed = weights.to(torch.bfloat16).T
        return lambda h: (h.to(torch.bfloat16) @ transposed).float()

    def int8(product: Product) -> Callable[[Tensor], Tensor]:
        transposed = torch.from_numpy(product.weights).T.contiguous()
        scale = torch.from_numpy(product.scale)
        return lambda h: torch._int_mm((h * 127).round().to(torch.int8), transposed) * scale

    if kind == "int_mm":
        through, out = int8(quantized.layers[0].recurrent), int8(quantized.output)
    else:
        product = bfloat16 if kind == "bfloat16" else float32
        through, out = product(recurrent), product(output)
    bias = weights["output.bias"]
    reset_bias = weights.get("cells.0.c", torch.zeros(1))
    h, c = torch.zeros((2, len(ids), checkpoint.config.hidden))
    index = torch.from_numpy(ids)

    def elman(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        return torch.tanh(x + y), c

    def gru(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        x_r, x_z, x_n = x.chunk(3, dim=1)
        y_r, y_z, y_n = y.chunk(3, dim=1)
        n = torch.tanh(x_n + torch.sigmoid(x_r + y_r) * (y_n + reset_bias))
        return n + torch.sigmoid(x_z + y_z) * (h - n), c

    def lstm(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = (x + y).chunk(4, dim=1)
        memory = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(memory), memory

    gates = for_cell({"elman": elman, "gru": gru, "lstm": lstm}, checkpoint.config.cell)

    @torch.inference_mode()
    def advance() -> Found:
        nonlocal h, c
        h, c = gates(table[index], through(h))
        probability, best = torch.softmax(out(h) + bias, dim=1).max(dim=1)
        return best.numpy(), probability.numpy()

    return advance


def _onnxruntime_step(checkpoint: Checkpoint, ids: Ids) -> Step:
    import tempfile
    from pathlib import Path

    import onnx
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        plain, quantized = Path(folder) / "plain.onnx", Path(folder) / "quantized.onnx"
        onnx.save(_graph(checkpoint), str(plain))
        # Every call would log advice about models for images.
        logging.getLogger().setLevel(logging.ERROR)
        quantize_dynamic(plain, quantized, per_channel=True, weight_type=QuantType.QInt8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(
            quantized, options, providers=["CPUExecutionProvider"]
        )
    state = np.zeros((2, len(ids), checkpoint.config.hidden), np.float32)
    feeds = {"ids": ids, "h": state[0], "c": state[1]}

    def advance() -> Found:
        feeds["h"], feeds["c"], best, probability = session.run(None, feeds)
        return best, probability

    return advance


# A step as a graph, "operator inputs -> outputs": from ids, h and c to x = U x_t + b and y = W h;
# from these, by kind of cell, to the next h and c; from h to the best id and its probability.
INPUT_NODES = """
    Gather table ids -> x
    MatMul h W -> y
"""
GATE_NODES = {
    "elman": """
        Add x y -> a
        Tanh a -> h_next
        Identity c -> c_next
    """,
    "gru": """
        Split x parts -> x_r x_z x_n
        Split y parts -> y_r y_z y_n
        Add x_r y_r -> a_r
        Sigmoid a_r -> r
        Add x_z y_z -> a_z
        Sigmoid a_z -> z
        Add y_n reset -> y_reset
        Mul r y_reset -> ry
        Add x_n ry -> a_n
        Tanh a_n -> n
        Sub h n -> d
        Mul z d -> zd
        Add n zd -> h_next
        Identity c -> c_next
    """,
    "lstm": """
        Add x y -> a
        Split a parts -> a_i a_f a_g a_o
        Sigmoid a_i -> i
        Sigmoid a_f -> f
        Sigmoid a_o -> o
        Tanh a_g -> g
        Mul f c -> fc
        Mul i g -> ig
        Add fc ig -> c_next
        Tanh c_next -> t
        Mul o t -> h_next
    """,
}
OUTPUT_NODES = """
    MatMul h_next V -> v
    Add v bias -> logits
    Softmax logits -> p
    ArgMax p -> best
    ReduceMax p last -> probability
"""
ATTRIBUTES: dict[str, dict[str, Any]] = {
    "Split": {"axis": 1},
    "Softmax": {"axis": 1},
    "ArgMax": {"axis": 1, "keepdims": 0},
    "ReduceMax": {"keepdims": 0},
}


def _graph(checkpoint: Checkpoint) -> Any:
    """The network's step as an ONNX model: ids, h and c to the next h and c, best id and its p."""
    from onnx import TensorProto, checker, helper, numpy_helper

    weights, config = checkpoint.weights, checkpoint.config
    hidden = config.hidden
    constants = {
        "table": weights["cells.0.U"].T + weights["cells.0.b"],
        "W": weights["cells.0.W"].T,
        "V": weights["output.weight"].T,
        "bias": weights["output.bias"],
        "reset": weights.get("cells.0.c", np.zeros(1, np.float32)),
        "parts": np.full(config.kind.gates, hidden, np.int64),
        "last": np.array([1], np.int64),
    }
    nodes = []
    lines = INPUT_NODES + for_cell(GATE_NODES, config.cell) + OUTPUT_NODES
    for line in filter(str.strip, lines.splitlines()):
        (operator, *inputs), outputs = (side.split() for side in line.split("->"))
        nodes.append(helper.make_node(operator, inputs, outputs, **ATTRIBUTES.get(operator, {})))
    states = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", hidden]) for n in "hc"]
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["n"])
    said = [
        helper.make_tensor_value_info("h_next", TensorProto.FLOAT, ["n", hidden]),
        helper.make_tensor_value_info("c_next", TensorProto.FLOAT, ["n", hidden]),
        helper.make_tensor_value_info("best", TensorProto.INT64, ["n"]),
        helper.make_tensor_value_info("probability", TensorProto.FLOAT, ["n"]),
    ]
    initializers = [
        numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in constants.items()
    ]
    graph = helper.make_graph(nodes, "step", [ids, *states], said, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    return model
