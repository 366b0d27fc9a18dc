from pathlib import Path

import insightface
import numpy as np
import onnx
import pytest
from insightface.data import get_image
from myvlm_tag.schemas.errors import ModelDamaged, ModelMissing
from myvlm_tag.stages.faces import Faces
from myvlm_tag.stages.packs import FACES, Model
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

#: insightface's own picture of six people.
GROUP = Path(insightface.__file__).parent / "data" / "images" / "t1.jpg"


def model_in(folder, **settings) -> Model:
    return Model("faces", FACES, "", 0, ("*.onnx",), settings=settings, path=str(folder))


def stage_on(folder, **settings) -> Faces:
    stage = Faces(model_in(folder, **settings), Path("nowhere"), "test")
    stage.setup()
    return stage


@pytest.fixture(scope="module")
def weights(shared) -> Path:
    """A real detector, alone."""
    if not (shared / "weights" / "scrfd_500m_kps.onnx").exists():
        pytest.skip("the real detector is not here")
    return shared / "weights"


@pytest.fixture(scope="module")
def detector(weights) -> Faces:
    return stage_on(weights)


@pytest.fixture(scope="module", params=[1, "batch"])
def pack(request, weights, tmp_path_factory) -> Path:
    """The real detector beside a recogniser that pools colours; some take one crop at a time only."""
    folder = tmp_path_factory.mktemp("faces")
    (folder / "detector.onnx").symlink_to(weights / "scrfd_500m_kps.onnx")
    projection = np.random.default_rng(0).normal(size=(3 * 14 * 14, 512)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["image"], ["pooled"], kernel_shape=[8, 8], strides=[8, 8]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "projection"], ["embedding"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [request.param, 3, 112, 112])
    embedding = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, [request.param, 512])
    weight = [numpy_helper.from_array(projection, "projection")]
    graph = helper.make_graph(nodes, "recogniser", [image], [embedding], weight)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), folder / "recogniser.onnx")
    return folder


def boxes(faces) -> np.ndarray:
    return np.array([[face["x0"], face["y0"], face["x1"], face["y1"]] for face in faces])


def overlaps(a, b) -> np.ndarray:
    """Intersection over union of each box of `a` with each of `b`."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    both = (high - low).clip(0).prod(axis=2)
    area = lambda boxes: (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)  # noqa: E731
    return both / (area(a)[:, None] + area(b)[None] - both)


def test_the_six_faces_are_at_the_same_upright_places_in_all_eight_orientations(
    detector, decode, orientations
):
    rows = detector(decode(orientations(Image.open(GROUP))))["faces"].to_pylist()
    first = boxes(rows[0])
    for faces in rows:
        assert len(faces) == 6
        assert (overlaps(first, boxes(faces)).max(axis=1) >= 0.8).all()


def test_boxes_are_where_insightface_itself_finds_them(detector, decode, weights):
    """Colours in the right order, scaled once, nothing lost on the way."""
    from insightface.app import FaceAnalysis

    analysis = FaceAnalysis(name=str(weights), allowed_modules=["detection"])
    analysis.prepare(ctx_id=-1, det_size=(640, 640))
    expected = np.array([face.bbox for face in analysis.get(get_image("t1"))])
    found = boxes(detector(decode([GROUP]))["faces"].to_pylist()[0])
    assert found.shape == expected.shape == (6, 4)
    assert (overlaps(found, expected).max(axis=1) > 0.9).all()


def test_boxes_of_a_shrunk_photo_are_in_pixels_of_the_original(detector, decode, tmp_path):
    picture = Image.open(GROUP)
    picture.resize((3840, 2658), Image.Resampling.BICUBIC).save(tmp_path / "large.jpg", quality=90)
    small, large = detector(decode([GROUP, tmp_path / "large.jpg"]))["faces"].to_pylist()
    assert len(large) == 6
    assert (overlaps(boxes(small) * 3, boxes(large)).max(axis=1) > 0.8).all()
    nose = np.array([face["landmarks"][4:6] for face in large])
    assert (nose > boxes(large)[:, :2]).all() and (nose < boxes(large)[:, 2:]).all()


def test_a_face_of_24_pixels_on_a_1024_pixel_photo_is_found(detector, decode, tmp_path):
    group = Image.open(GROUP)
    canvas = Image.new("RGB", (1024, 768), "gray")
    shrunk = group.resize((280, 194), Image.Resampling.BICUBIC)  # its faces are 22-28 pixels wide now
    canvas.paste(shrunk, (400, 300))
    canvas.save(tmp_path / "far.jpg", quality=95)
    faces = detector(decode([tmp_path / "far.jpg"]))["faces"].to_pylist()[0]
    assert len(faces) >= 4
    assert np.median(boxes(faces)[:, 2] - boxes(faces)[:, 0]) < 26


def test_no_faces_is_an_empty_list_and_a_failed_photo_null(detector, decode, tmp_path):
    Image.new("RGB", (300, 200), "teal").save(tmp_path / "sea.png")
    (tmp_path / "note.jpg").write_text("a note")
    table = detector(decode([tmp_path / "note.jpg", tmp_path / "sea.png", GROUP, tmp_path / "gone.jpg"]))
    found = table["faces"].to_pylist()
    assert [None if faces is None else len(faces) for faces in found] == [None, 0, 6, None]
    assert [bool(failure) for failure in table["failure"].to_pylist()] == [True, False, False, True]


@pytest.mark.parametrize("size", [(1, 1), (2000, 1), (1, 2000), (3, 500), (20, 20)])
def test_a_picture_of_any_shape_is_looked_at(size, detector, decode, tmp_path):
    Image.new("RGB", size, "red").save(tmp_path / "odd.png")
    table = detector(decode([tmp_path / "odd.png"]))
    assert (table["faces"].to_pylist(), table["failure"].to_pylist()) == ([[]], [None])


def test_a_picture_that_the_detector_chokes_on_costs_itself_only(weights, decode, tmp_path, monkeypatch):
    stage = stage_on(weights)
    detect = stage._detector.detect

    def choking(bgr):
        if not bgr.any():
            raise RuntimeError("too dark")
        return detect(bgr)

    monkeypatch.setattr(stage._detector, "detect", choking)
    Image.new("RGB", (60, 50)).save(tmp_path / "odd.png")
    table = stage(decode([tmp_path / "odd.png", GROUP]))
    assert [faces and len(faces) for faces in table["faces"].to_pylist()] == [None, 6]
    failure, nothing = table["failure"].to_pylist()
    assert (failure["stage"], "too dark" in failure["reason"], nothing) == ("faces", True, None)


def test_without_a_recogniser_embeddings_are_null(detector, decode):
    faces = detector(decode([GROUP]))["faces"].to_pylist()[0]
    assert {face["embedding"] for face in faces} == {None}


def test_embeddings_of_a_batch_belong_to_their_faces(pack, decode, tmp_path):
    """All crops go through the recogniser together; each must come back to its own face."""
    from insightface.app import FaceAnalysis

    analysis = FaceAnalysis(name=str(pack), allowed_modules=["detection", "recognition"])
    analysis.prepare(ctx_id=-1, det_size=[(128, 128), (640, 640)])
    Image.new("RGB", (300, 200), "teal").save(tmp_path / "empty.png")
    mirrored = tmp_path / "mirrored.png"
    Image.open(GROUP).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(mirrored)
    rows = stage_on(pack)(decode([tmp_path / "empty.png", mirrored, tmp_path / "gone.png", GROUP]))
    for faces, bgr in (
        (rows["faces"].to_pylist()[3], get_image("t1")),
        (rows["faces"].to_pylist()[1], np.asarray(Image.open(mirrored))[..., ::-1]),
    ):
        expected = analysis.get(np.ascontiguousarray(bgr))
        for face in faces:
            vector = np.frombuffer(face["embedding"], np.float16).astype(np.float32)
            assert np.linalg.norm(vector) == pytest.approx(1, abs=2e-3)
            nearest = overlaps(boxes([face]), np.array([other.bbox for other in expected])).argmax()
            assert vector @ expected[nearest].normed_embedding > 0.99


def test_missing_and_damaged_models_are_named_errors_and_nothing_is_downloaded(tmp_path):
    stage = Faces(model_in(tmp_path / "nowhere"), tmp_path, "x")
    with pytest.raises(ModelMissing, match="nowhere"):
        stage.prepare_node()
    (tmp_path / "broken.onnx").write_bytes(b"not a model")
    with pytest.raises(ModelDamaged, match="can't be loaded"):
        stage_on(tmp_path)


def test_what_made_the_rows_names_model_and_settings():
    made = {
        Faces(model_in("f", **settings), Path("home"), fingerprint).made_by
        for fingerprint in ("a", "b")
        for settings in ({}, {"threshold": 0.4}, {"sizes": [640]})
    }
    assert len(made) == 6
