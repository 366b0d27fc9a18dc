"""The trained face networks as ONNX files that insightface loads as a pack.

What lives here: folding what only training needs, insightface's output order and units, float16 storage. What
does not: the threshold and the model card that complete the pack (`faces.py`).
"""

import copy
import math
from pathlib import Path
from typing import TypeVar

import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from .faces_detector import ANCHOR_SIZES, PATCH, STRIDES, Detector, flatten, scale
from .faces_recogniser import Recogniser

OPSET = 17
DETECTOR_FILE = "det_pocket.onnx"
RECOGNISER_FILE = "w_pocket.onnx"
"""insightface sorts a pack's files and takes each by the shape of its inputs and outputs."""
FAINTEST = 0.6
"""The trained score from which a detection is a face; exported as 0.5, where insightface draws the line.

Chosen on validation photos: faces score 0.62 and more there, what comes nearest (backs of bald heads, balls)
0.60 and less.
"""
Network = TypeVar("Network", bound=nn.Module)

_HALVED = 256
"""Tensors with fewer values stay float32: they weigh nothing."""


class DetectorOnPixels(nn.Module):
    """The detector as insightface calls it: (1, 3, H, W) to scores, boxes and landmarks of each stride."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = folded(detector)
        self.detector.stem[0] = on_pixels(self.detector.stem[0])

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Scores (A, 1), distances (A, 4) and landmark offsets (A, 10) in units of the stride, A anchors."""
        scores, boxes, landmarks = [], [], []
        for answer, stride, pair in zip(self.detector(images), STRIDES, ANCHOR_SIZES, strict=True):
            values = flatten(answer).reshape(-1, 2, answer.shape[1] // 2)
            distances, offsets = scale(values, torch.tensor(pair) / stride)
            scores.append((values[..., :1] - math.log(FAINTEST / (1 - FAINTEST))).sigmoid().reshape(-1, 1))
            boxes.append(distances.reshape(-1, 4))
            landmarks.append(offsets.reshape(-1, 10))
        return (*scores, *boxes, *landmarks)


class RecogniserOnPixels(nn.Module):
    """The recogniser as insightface calls it: (N, 3, 112, 112) to (N, 512)."""

    def __init__(self, recogniser: Recogniser) -> None:
        super().__init__()
        recogniser = folded(recogniser)
        self.body, self.embed = recogniser.body, fuse_linear_bn_eval(recogniser.embed, recogniser.scale)
        self.body[0][0] = on_pixels(self.body[0][0])

    def forward(self, images: Tensor) -> Tensor:
        """One embedding per face, not normalised."""
        return self.embed(self.body(images).flatten(1))


def folded(module: Network) -> Network:
    """A copy in evaluation mode with every batch norm folded into the convolution before it."""
    module = copy.deepcopy(module).float().eval()
    for part in module.modules():
        if isinstance(part, nn.Sequential):
            for index in range(len(part) - 1):
                layer, norm = part[index], part[index + 1]
                if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    part[index], part[index + 1] = fuse_conv_bn_eval(layer, norm), nn.Identity()
    return module


def on_pixels(layer: nn.Module) -> nn.Conv2d:
    """`layer`, which takes gathered pixels, for (B, 3, H, W) ones: kernel and stride 4 times larger."""
    assert isinstance(layer, nn.Conv2d) and layer.stride == (1, 1)
    outputs, _, kernel, _ = layer.weight.shape
    side = kernel * PATCH
    pixels = nn.Conv2d(3, outputs, side, PATCH, padding=kernel // 2 * PATCH, bias=layer.bias is not None)
    weight = layer.weight.detach().reshape(outputs, PATCH, PATCH, 3, kernel, kernel)
    pixels.weight.data = weight.permute(0, 3, 4, 1, 5, 2).reshape(outputs, 3, side, side).contiguous()
    if pixels.bias is not None and layer.bias is not None:
        pixels.bias.data = layer.bias.detach().clone()
    return pixels


def export_detector(detector: Detector, folder: Path) -> Path:
    """Write the detector; height and width stay free (multiples of 32)."""
    names = [f"{kind}_{stride}" for kind in ("score", "bbox", "kps") for stride in STRIDES]
    return _export(
        DetectorOnPixels(detector),
        torch.zeros(1, 3, 640, 640),
        folder / DETECTOR_FILE,
        names,
        {"input": {2: "height", 3: "width"}}
        | {name: {0: f"anchors_{name[-2:].strip('_')}"} for name in names},
    )


def export_recogniser(recogniser: Recogniser, folder: Path) -> Path:
    """Write the recogniser; the batch size stays free."""
    axes = {"input": {0: "batch"}, "embedding": {0: "batch"}}
    pixels = RecogniserOnPixels(recogniser)
    return _export(pixels, torch.zeros(2, 3, 112, 112), folder / RECOGNISER_FILE, ["embedding"], axes)


def _export(
    network: nn.Module, example: Tensor, path: Path, outputs: list[str], axes: dict[str, dict[int, str]]
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.onnx.export(
        network.eval(),
        (example,),
        str(path),
        input_names=["input"],
        output_names=outputs,
        dynamic_axes=axes,
        opset_version=OPSET,
        dynamo=False,
    )
    model = onnx.load(str(path))
    store_half(model.graph)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def store_half(graph: onnx.GraphProto) -> None:
    """Keep large weights as float16, cast to float32 on loading: half the size, the same speed."""
    casts = []
    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if tensor.data_type != TensorProto.FLOAT or values.size < _HALVED:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype("float16"), f"{name}.half"))
        casts.append(
            helper.make_node("Cast", [f"{name}.half"], [name], name=f"Cast_{name}", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
