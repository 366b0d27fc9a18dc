import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from myvlm_tag.schemas.errors import ModelDamaged, ModelMissing
from myvlm_tag.stages.clip import Clip, ImageTower, TextTower
from myvlm_tag.stages.packs import CLIP, Model
from PIL import Image

LAYOUT = ("open_clip_config.json", "*.safetensors")


def model_in(folder) -> Model:
    return Model("clip", CLIP, "", 0, LAYOUT, path=str(folder))


def stage_on(folder) -> Clip:
    stage = Clip(model_in(folder), Path("nowhere"), "test")
    stage.setup()
    return stage


def own_features(folder, pictures) -> np.ndarray:
    """What open_clip gives with its own preprocessing, in 32 bits."""
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    with torch.inference_mode():
        features = model.eval().encode_image(torch.stack([preprocess(picture) for picture in pictures]))
    return torch.nn.functional.normalize(features, dim=-1).numpy()


def vectors(column) -> np.ndarray:
    return np.stack([np.frombuffer(value, np.float16) for value in column.to_pylist()]).astype(np.float32)


@pytest.fixture(scope="module")
def folder(clip_folder) -> Path:
    return clip_folder()


@pytest.fixture(scope="module")
def pictures(scene, tmp_path_factory):
    """Files of many shapes, and what they show."""
    noise = np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8)
    shown = [
        scene,
        scene.resize((2016, 1512)),
        scene.rotate(90, expand=True),
        scene.resize((900, 60)),
        Image.fromarray(noise).resize((1200, 900)),
        scene.resize((40, 30)),
    ]
    folder = tmp_path_factory.mktemp("pictures")
    for number, picture in enumerate(shown):
        picture.save(folder / f"{number}.png")
    return sorted(folder.iterdir()), shown


@pytest.mark.parametrize("mode", ["squash", "shortest", "longest"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_the_cheap_preprocessing_agrees_with_open_clip_s_own(mode, interpolation, clip_folder, pictures):
    folder = clip_folder(preprocess={"resize_mode": mode, "interpolation": interpolation})
    _, shown = pictures
    tower = ImageTower(folder, "fp32")
    ours = tower.encode([tower.fit(np.asarray(picture)) for picture in shown])
    assert ((ours * own_features(folder, shown)).sum(axis=1) > 0.999).all()


def test_embeddings_of_the_stage_agree_with_the_full_path(folder, pictures, decode):
    """Shrinking at decode, reduction, batching, 16-bit arithmetic and storage together."""
    files, shown = pictures
    found = vectors(stage_on(folder)(decode(files))["clip"])
    assert np.linalg.norm(found, axis=1) == pytest.approx(1, abs=2e-3)
    assert ((found * own_features(folder, shown)).sum(axis=1) > 0.998).all()


def test_reduced_scale_jpegs_give_the_embedding_of_the_full_picture(folder, samples, decode):
    """Photos of 8 to 16 megapixels."""
    files = [
        samples / "jpg" / name for name in ("hdr/iphone_hdr_NO.jpg", "mobile/jolla.jpg", "corrupted.jpg")
    ]
    found = vectors(stage_on(folder)(decode(files))["clip"])
    full = own_features(folder, [Image.open(file).convert("RGB") for file in files])
    assert ((found * full).sum(axis=1) > 0.998).all()


def test_failed_photos_stay_null_and_the_others_in_place(folder, decode, tmp_path, scene):
    scene.save(tmp_path / "a.png")
    scene.rotate(180).save(tmp_path / "b.png")
    (tmp_path / "note.jpg").write_text("a note")
    stage = stage_on(folder)
    table = stage(
        decode([tmp_path / "note.jpg", tmp_path / "a.png", tmp_path / "gone.png", tmp_path / "b.png"])
    )
    assert [value is None for value in table["clip"].to_pylist()] == [True, False, True, False]
    alone = vectors(stage(decode([tmp_path / "b.png"]))["clip"])[0]
    assert vectors(table["clip"].drop_null())[1] @ alone > 0.999
    assert stage(decode([tmp_path / "note.jpg"]))["clip"].to_pylist() == [None]
    assert stage(decode([])).num_rows == 0


@pytest.mark.parametrize("size", [(1, 1), (2500, 1), (1, 2500)])
def test_a_picture_of_any_shape_is_encoded(size, folder, decode, tmp_path):
    Image.new("RGB", size, "red").save(tmp_path / "odd.png")
    table = stage_on(folder)(decode([tmp_path / "odd.png"]))
    assert len(table["clip"].to_pylist()[0]) == 64


def test_a_model_that_gives_no_number_is_a_failure_of_the_photo(clip_folder, decode, tmp_path, scene):
    from safetensors.torch import load_file, save_file

    folder = clip_folder()
    weights = load_file(folder / "open_clip_model.safetensors")
    weights["visual.proj"].fill_(float("nan"))
    save_file(weights, folder / "open_clip_model.safetensors")
    scene.save(tmp_path / "a.png")
    table = stage_on(folder)(decode([tmp_path / "a.png"]))
    assert table["clip"].to_pylist() == [None]
    assert table["failure"].to_pylist()[0]["stage"] == "clip"


def test_sentences_become_vectors_in_the_space_of_the_pictures(folder):
    sentences = ["a dog on a beach", "two people at a table"]
    found = TextTower(folder).encode(sentences)
    model = open_clip.create_model(f"local-dir:{folder}").eval()
    with torch.inference_mode():
        expected = model.encode_text(open_clip.get_tokenizer("ViT-B-32")(sentences))
    assert found == pytest.approx(torch.nn.functional.normalize(expected, dim=-1).numpy(), abs=1e-5)


def test_the_published_layout_of_dfn5b_vit_h_14_is_loaded(clip_folder, decode, tmp_path, scene):
    """Its configuration at a small size: QuickGELU, heads of 80, 378 pixels squashed, no tokenizer files."""
    folder = clip_folder(
        vision={"image_size": 378, "width": 160, "head_width": 80, "patch_size": 14},
        preprocess={
            "mean": [0.48145466, 0.4578275, 0.40821073],
            "std": [0.26862954, 0.26130258, 0.27577711],
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
        embed_dim=64,
        quick_gelu=True,
    )
    scene.save(tmp_path / "a.png")
    found = vectors(stage_on(folder)(decode([tmp_path / "a.png"]))["clip"])
    assert (found[0] @ own_features(folder, [scene])[0]) > 0.998
    assert TextTower(folder).encode(["a dog"]).shape == (1, 64)


def test_the_published_layout_of_siglip_2_is_loaded(clip_folder, tmp_path, decode, scene):
    """A timm image tower, a text tower with its own tokenizer files, half gray as zero."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    folder = clip_folder(
        vision={
            "image_size": 224,
            "timm_model_name": "vit_tiny_patch16_224",
            "timm_model_pretrained": False,
            "timm_pool": "map",
            "timm_proj": "none",
        },
        preprocess={"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic", "resize_mode": "squash"},
        embed_dim=192,
        custom_text=True,
        init_logit_bias=-10,
        text_cfg={
            "context_length": 16,
            "vocab_size": 64,
            "hf_tokenizer_name": "own",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": 192,
            "heads": 3,
            "layers": 2,
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
        },
    )
    words = {word: number for number, word in enumerate(["<pad>", "<unk>", "a", "dog"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", unk_token="<unk>")
    fast.save_pretrained(folder)
    scene.save(tmp_path / "a.png")
    found = vectors(stage_on(folder)(decode([tmp_path / "a.png"]))["clip"])
    assert (found[0] @ own_features(folder, [scene])[0]) > 0.998
    texts = TextTower(folder).encode(["a dog", "A dog!"])
    assert texts.shape == (2, 192)
    assert texts[0] == pytest.approx(texts[1], abs=1e-5)


def test_missing_and_damaged_models_are_named_errors(clip_folder, tmp_path):
    with pytest.raises(ModelMissing, match=r"open_clip_config\.json"):
        Clip(model_in(tmp_path), tmp_path, "x").prepare_node()
    folder = clip_folder()
    (folder / "open_clip_model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ModelDamaged, match="can't be loaded"):
        stage_on(folder)
    folder = clip_folder()
    config = json.loads((folder / "open_clip_config.json").read_text())
    config["model_cfg"]["embed_dim"] = 48
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(ModelDamaged, match="can't be loaded"):
        stage_on(folder)
