"""What all tests share: real photos where there are any, packs of tiny models, a private environment."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent

TINY_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 1, "layers": 1},
}

FOR_TESTS = ("MYVLM_TAG_SHARED", "MYVLM_TAG_KILLS", "MYVLM_TAG_KILL_SEED")

os.environ.update(
    OMP_NUM_THREADS="1",
    HF_HUB_OFFLINE="1",
    RAY_USAGE_STATS_ENABLED="0",
    RAY_AUTH_MODE="disabled",
    RAY_worker_niceness="0",
)
for name in [name for name in os.environ if name.startswith("MYVLM_TAG_") and name not in FOR_TESTS]:
    del os.environ[name]
os.environ.pop("RAY_ADDRESS", None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos and weights that tests may use where it is there."""
    folder = Path(os.environ.get("MYVLM_TAG_SHARED", ROOT.parent / "shared"))
    if not (folder / "photos").is_dir():
        pytest.skip("no folder of real photos here (MYVLM_TAG_SHARED)")
    return folder


@pytest.fixture(scope="session")
def tiny_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack in a folder: a detector of bright squares, a recogniser and a CLIP model, untrained and tiny."""
    folder = tmp_path_factory.mktemp("tiny")
    _save_faces(folder / "faces")
    _save_clip(folder / "clip")
    return folder


@pytest.fixture(scope="session")
def light_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without CLIP: workers need no torch and start in a moment."""
    folder = tmp_path_factory.mktemp("light")
    _save_faces(folder / "faces")
    return folder


def _save_faces(folder: Path) -> None:
    folder.mkdir()
    _save_detector(folder / "det.onnx")
    _save_recogniser(folder / "rec.onnx")


def _save_detector(path: Path) -> None:
    """SCRFD's nine outputs (scores, boxes, landmarks at strides 8, 16, 32); bright means a face."""
    from onnx import TensorProto, helper, numpy_helper, save

    nodes, weights, outputs = [], [], []
    points = [-1.0, -1.0, 1.0, -1.0, 0.0, 0.0, -1.0, 1.0, 1.0, 1.0]
    for kind, bias in (("score", [-16.0]), ("box", [2.0] * 4), ("points", points)):
        width = len(bias)
        for stride in (8, 16, 32):
            name = f"{kind}{stride}"
            gain = 20.0 / (3 * stride * stride) if kind == "score" else 0.0
            kernel = np.full((2 * width, 3, stride, stride), gain, np.float32)
            weights += [
                numpy_helper.from_array(kernel, f"{name}.w"),
                numpy_helper.from_array(np.array(2 * bias, np.float32), f"{name}.b"),
                numpy_helper.from_array(np.array([-1, width]), f"{name}.shape"),
            ]
            shape = {"kernel_shape": [stride, stride], "strides": [stride, stride]}
            nodes += [
                helper.make_node("Conv", ["input", f"{name}.w", f"{name}.b"], [f"{name}.map"], **shape),
                helper.make_node("Transpose", [f"{name}.map"], [f"{name}.last"], perm=[0, 2, 3, 1]),
                helper.make_node("Reshape", [f"{name}.last", f"{name}.shape"], [f"{name}.flat"]),
                helper.make_node("Sigmoid" if kind == "score" else "Identity", [f"{name}.flat"], [name]),
            ]
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", width]))
    pixels = helper.make_tensor_value_info("input", TensorProto.FLOAT, [1, 3, "h", "w"])
    graph = helper.make_graph(nodes, "detector", [pixels], outputs, weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def _save_recogniser(path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    projection = np.random.default_rng(1).normal(size=(3 * 16, 512)).astype(np.float32)
    weights = [numpy_helper.from_array(projection, "w"), numpy_helper.from_array(np.array([-1, 48]), "shape")]
    nodes = [
        helper.make_node("AveragePool", ["input"], ["pooled"], kernel_shape=[28, 28], strides=[28, 28]),
        helper.make_node("Reshape", ["pooled", "shape"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["embedding"]),
    ]
    pixels = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, 112, 112])
    output = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", 512])
    graph = helper.make_graph(nodes, "recogniser", [pixels], [output], weights)
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)


def _save_clip(folder: Path) -> None:
    import torch
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    folder.mkdir()
    torch.manual_seed(0)
    model = CLIP(**TINY_CLIP)
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()},
        folder / "open_clip_model.safetensors",
    )
    preprocess = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"}
    config = {"model_cfg": TINY_CLIP, "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
