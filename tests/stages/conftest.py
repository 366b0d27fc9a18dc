"""Photos and models that several stages are tested with."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from myvlm_tag.schemas.paths import to_text
from myvlm_tag.stages.decode import Decode
from PIL import Image

#: For each EXIF orientation, what turns an upright picture into the stored one.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


@pytest.fixture(scope="session")
def shared() -> Path:
    """Photos and weights that are not part of the project."""
    default = Path(__file__).parents[2].parent / "shared"
    folder = Path(os.environ.get("MYVLM_TAG_SHARED", default))
    if not folder.is_dir():
        pytest.skip(f"no shared photos in {folder}")
    return folder


@pytest.fixture(scope="session")
def samples(shared) -> Path:
    """Real photos of many cameras."""
    folder = shared / "photos" / "exif-samples"
    if not folder.is_dir():
        pytest.skip(f"no photos in {folder}")
    return folder


@pytest.fixture(scope="session")
def todo():
    """A function: files -> the table a decode stage is given."""

    def make(files) -> pa.Table:
        sizes = [file.stat().st_size if file.exists() else 0 for file in files]
        return pa.table(
            {
                "photo_id": pa.array([f"{i:032x}" for i in range(len(files))], pa.string()),
                "path": pa.array([to_text(file) for file in files], pa.string()),
                "size": pa.array(sizes, pa.int64()),
            }
        )

    return make


@pytest.fixture(scope="session")
def decode(todo):
    """A function: files -> the table after the decode stage."""

    def run(files, limits=None) -> pa.Table:
        stage = Decode(limits)
        stage.setup()
        return stage(todo(files))

    return run


@pytest.fixture(scope="session")
def orientations(tmp_path_factory):
    """A function: upright picture -> eight JPEG files, one per EXIF orientation, that all show it upright."""

    def save(picture: Image.Image) -> list[Path]:
        folder = tmp_path_factory.mktemp("orientations")
        files = []
        for orientation, method in STORED.items():
            exif = Image.Exif()
            exif[0x0112] = orientation
            stored = picture if method is None else picture.transpose(method)
            stored.save(folder / f"{orientation}.jpg", exif=exif, quality=95)
            files.append(folder / f"{orientation}.jpg")
        return files

    return save


@pytest.fixture(scope="session")
def scene() -> Image.Image:
    """A picture that looks different from each side and has colours, edges and gradients."""
    y, x = np.mgrid[0:600, 0:800]
    pixels = np.stack([x * 255 / 800, y * 255 / 600, (np.hypot(x - 250, y - 200) < 120) * 200.0], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """A function: changes to a small open_clip model's configuration -> its folder, in published layout."""
    import open_clip
    import torch
    from safetensors.torch import save_file

    def write(vision=None, preprocess=None, **config) -> Path:
        folder = tmp_path_factory.mktemp("clip")
        model_config = {
            "embed_dim": 32,
            "vision_cfg": {"image_size": 56, "layers": 2, "width": 64, "patch_size": 14, **(vision or {})},
            "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 2, "layers": 2},
            **config,
        }
        layout = {"model_cfg": model_config, "preprocess_cfg": preprocess or {}}
        (folder / "open_clip_config.json").write_text(json.dumps(layout))
        torch.manual_seed(0)
        model = open_clip.create_model(f"local-dir:{folder}")
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")
        return folder

    return write
