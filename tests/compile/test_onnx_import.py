"""Files of others: old opsets, open sizes, logits, and what cannot be taken."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from artifact_folders import called, python
from native_artifacts import GOLDEN, WEIGHTS
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

from compile import rewrite
from compile.build import main
from compile.export import to_onnx
from compile.onnx_import import load
from compile.plan import plan
from compile.size import square
from edge_vessel.artifact import open_artifact
from edge_vessel.errors import UsageError
from train.models.checkpoint import load_network

SIZE = 96


@pytest.fixture(scope="module")
def exported() -> bytes:
    return to_onnx(load_network(WEIGHTS)[1], square(SIZE))


def run(content: bytes, image: NDArray[np.float32]) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {session.get_inputs()[0].name: image})
    return found


def photograph() -> NDArray[np.float32]:
    return np.random.default_rng(0).uniform(-1, 1, (1, 3, SIZE, SIZE)).astype(np.float32)


def as_of_2019(content: bytes) -> ModelProto:
    """The published files' form: "opset 9", Upsample "bilinear", bounds as attributes, unfolded
    batch norms, weights among the inputs, logits, other names."""
    model = onnx.load_from_string(content)
    graph = model.graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    nodes = []
    for node in graph.node:
        old = onnx.NodeProto()
        old.CopyFrom(node)
        if node.op_type == "Resize":
            scales = [float(x) for x in constants[node.input[2]]]
            old = helper.make_node(
                "Upsample", [node.input[0]], node.output, mode="bilinear", scales=scales
            )
        elif node.op_type == "Clip":
            low, high = (float(constants[name]) for name in node.input[1:])
            old = helper.make_node("Clip", [node.input[0]], node.output, min=low, max=high)
        elif node.op_type == "Sigmoid":
            continue
        elif node.op_type == "Conv":
            nodes += unfolded(graph, node, constants)
            continue
        nodes.append(old)
    rename = {"image": "input.1", nodes[-1].output[0]: "549"}
    for node in nodes:
        for values in (node.input, node.output):
            for index, name in enumerate(values):
                values[index] = rename.get(name, name)
    read = {name for node in nodes for name in node.input}
    tensors = [t for t in graph.initializer if t.name in read]
    image = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
    weights = [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in tensors]
    logits = helper.make_tensor_value_info("549", TensorProto.FLOAT, [1, 1, SIZE, SIZE])
    old_graph = helper.make_graph(nodes, "torch-jit-export", [image, *weights], [logits], tensors)
    return helper.make_model(
        old_graph, opset_imports=[helper.make_opsetid("", 9)], ir_version=3, producer_name="pytorch"
    )


def unfolded(
    graph: onnx.GraphProto, conv: onnx.NodeProto, constants: dict[str, NDArray[np.float32]]
) -> list[onnx.NodeProto]:
    """The convolution and a batch norm that together do what it did."""
    bias = constants[conv.input[2]]
    generator = np.random.default_rng(len(bias))
    gain, mean = generator.uniform(0.5, 2, (2, len(bias))).astype(np.float32)
    variance = generator.uniform(0.5, 2, len(bias)).astype(np.float32)
    out = conv.output[0]
    scale = np.sqrt(variance + np.float32(1e-5)) / gain
    arrays = {
        "w": constants[conv.input[1]] * scale[:, None, None, None],
        "gain": gain,
        "shift": bias + mean * gain / np.sqrt(variance + np.float32(1e-5)),
        "mean": mean,
        "variance": variance,
    }
    for name, array in arrays.items():
        graph.initializer.append(numpy_helper.from_array(array.astype(np.float32), f"{out}.{name}"))
    plain = onnx.NodeProto()
    plain.CopyFrom(conv)
    del plain.input[1:]
    plain.input.append(f"{out}.w")
    plain.output[0] = f"{out}.raw"
    names = [f"{out}.{name}" for name in ("gain", "shift", "mean", "variance")]
    norm = helper.make_node("BatchNormalization", [f"{out}.raw", *names], [out], epsilon=1e-5)
    return [plain, norm]


def test_the_authors_files_of_2019_become_the_network_that_they_were(
    exported: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "m2unet.onnx"
    path.write_bytes(as_of_2019(exported).SerializeToString())
    imported = load(path, square(SIZE), add_sigmoid=True)
    operators = {node.op_type for node in onnx.load_from_string(imported).graph.node}
    assert operators == {"Conv", "Clip", "Add", "Concat", "Resize", "Sigmoid"}
    np.testing.assert_allclose(run(imported, photograph()), run(exported, photograph()), atol=2e-5)
    rewritten, saved = rewrite.apply(imported)
    assert [one.count for one in saved] == [4, 4]
    assert len(plan(onnx.load_from_string(rewritten), 1 / 127.5, -1.0, bytes_in=True)) == 17


def test_open_sizes_are_fixed(exported: bytes, tmp_path: Path) -> None:
    model = onnx.load_from_string(exported)
    for index, name in enumerate(("batch", None, "height", "width")):
        if name:
            model.graph.input[0].type.tensor_type.shape.dim[index].dim_param = name
    del model.graph.value_info[:]
    model.graph.output[0].type.tensor_type.ClearField("shape")
    path = tmp_path / "open.onnx"
    path.write_bytes(model.SerializeToString())
    np.testing.assert_array_equal(
        run(load(path, square(SIZE)), photograph()), run(exported, photograph())
    )


def broken(name: str, exported: bytes) -> bytes:
    model = onnx.load_from_string(exported)
    if name == "cut":
        return exported[:1000]
    if name == "text":
        return b"this is no network"
    if name == "empty":
        return b""
    if name == "operator":
        model.graph.node[3].op_type, model.graph.node[3].name = "LSTM", "node_of_memory"
    if name == "inputs":
        model.graph.input.append(
            helper.make_tensor_value_info("more", TensorProto.FLOAT, [1, 3, SIZE, SIZE])
        )
    if name == "grey":
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1
    return model.SerializeToString()


@pytest.mark.parametrize(
    ("name", "size", "says"),
    [
        ("cut", SIZE, "not an ONNX file"),
        ("text", SIZE, "not an ONNX file"),
        ("empty", SIZE, "not an ONNX file"),
        ("operator", SIZE, "node node_of_memory: operator LSTM is not supported"),
        ("inputs", SIZE, "2 inputs and 1 outputs"),
        ("grey", SIZE, "takes 1x1x96x96, not 1x3x96x96"),
        ("whole", 128, "takes 1x3x96x96, not 1x3x128x128; give its --size"),
    ],
)
def test_what_cannot_be_taken_is_named(
    exported: bytes, tmp_path: Path, name: str, size: int, says: str
) -> None:
    path = tmp_path / f"{name}.onnx"
    path.write_bytes(broken(name, exported))
    with pytest.raises(UsageError) as caught:
        load(path, square(size))
    assert says in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.onnx: no such file"):
        load(tmp_path / "none.onnx", SIZE)


def test_the_command_compiles_such_a_file(exported: bytes, tmp_path: Path) -> None:
    path = tmp_path / "published.onnx"
    path.write_bytes(as_of_2019(exported).SerializeToString())
    arguments = [path, "--size", str(SIZE), "--target", "x86_64", "--golden", GOLDEN]
    command = [*arguments, "-o", tmp_path / "a"]
    for more, says in (
        ([], "--threshold 0.5"),
        (["--threshold", "1.5", "--logits"], "--threshold 0.5"),
        (["--threshold", "0.5"], "gives logits, not probabilities: add --logits"),
    ):
        done = called(main, *command, *more)
        assert done.returncode == 2
        assert says in done.stderr
        assert len(done.stderr.splitlines()) == 1
    done = python("-W", "ignore", "-m", "compile", *command, "--threshold", "0.5", "--logits")
    assert done.returncode == 0, done.stderr
    built = open_artifact(tmp_path / "a", (), allow_unsigned=True)
    assert built.manifest.model.architecture == "published"
    assert built.manifest.model.split_sha256 is None
    done = python("-m", "edge_vessel.artifact", "verify", tmp_path / "a", "--allow-unsigned")
    assert done.returncode == 0, done.stderr
