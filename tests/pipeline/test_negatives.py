"""An object is told from what looks most like it, and never from what may be the object itself."""

import numpy as np
import pyarrow as pa
import pytest
from myvlm_tag.pipeline import negatives
from myvlm_tag.pipeline.catalog import Catalog
from myvlm_tag.pipeline.negatives import BANK, WANTED, from_library, from_person, said_of, weighed
from myvlm_tag.schemas.errors import PhotosUnusable
from myvlm_tag.schemas.tables import CLIP, DECISIONS, FEATURES, FILES
from safetensors.numpy import save_file

MADE_BY = "clip 0123"
WIDTH = 16


def _rows(rng, center, count, spread):
    rows = center + spread * rng.normal(size=(count, WIDTH))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture
def scene():
    """Four photos of a thing, and photos of the same thing, of things like it, and of others."""
    rng = np.random.default_rng(0)
    thing, like, other = np.eye(3, WIDTH)
    return {
        "positives": _rows(rng, thing, 4, 0.05),
        "same": _rows(rng, thing, 20, 0.02),
        "like": _rows(rng, thing + like, 200, 0.02),
        "other": _rows(rng, other, 200, 0.02),
    }


def library_of(folder, made_by, **parts):
    """A catalog of photos that nothing is known of but their CLIP features."""
    catalog = Catalog(folder)
    catalog.prepare()
    features = np.concatenate(list(parts.values())).astype(np.float16)
    ids = [f"{name}-{row}" for name, rows in parts.items() for row in range(len(rows))]
    run = {"made_by": [made_by] * len(ids), "run_id": ["01"] * len(ids)}
    embeddings = [row.tobytes() for row in features]
    catalog.commit(
        {
            "clip": pa.table({"photo_id": ids, "embedding": embeddings, **run}, CLIP),
            "features": pa.table(
                {"photo_id": ids, "stage": ["clip"] * len(ids), "items": [1] * len(ids), **run}, FEATURES
            ),
            "files": pa.table(
                {
                    "path": [f"/{photo}.jpg" for photo in ids],
                    "photo_id": ids,
                    "size": [1] * len(ids),
                    "mtime_ns": [1] * len(ids),
                    "root": ["/"] * len(ids),
                    "gone": [False] * len(ids),
                    "run_id": ["01"] * len(ids),
                },
                FILES,
            ),
        }
    )
    return catalog


def test_the_library_gives_what_is_alike_and_nothing_that_may_be_the_thing_itself(tmp_path, scene):
    positives = scene.pop("positives")
    catalog = library_of(tmp_path / "catalog", MADE_BY, **scene)
    found = from_library(catalog, MADE_BY, tmp_path, positives, [])
    assert len(found.features) == WANTED
    similarity = (found.features @ positives.T).max(1)
    assert similarity.min() > 0.6 and similarity.max() < 0.8  # all are of the second kind
    assert found.origin == "150 photos of the library, 0 of the packaged ones"


def test_a_library_read_in_blocks_gives_the_likest_of_all_in_their_order(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    center = np.eye(1, WIDTH)[0]
    positives, photos = _rows(rng, center, 4, 0.1), _rows(rng, center, 9000, 0.3)
    catalog = library_of(tmp_path / "catalog", MADE_BY, photos=photos)
    monkeypatch.setattr(negatives, "_BLOCK", 2048)
    found = from_library(catalog, MADE_BY, tmp_path, positives, ["photos-7"]).features
    features = np.delete(photos.astype(np.float16).astype(np.float32), 7, 0)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    nearest = (features @ positives.T).max(1)
    trusted = features[nearest < (positives @ positives.T).min()]
    assert WANTED < len(trusted) < len(features)
    expected = trusted[np.argsort(-(trusted @ positives.T).max(1))[:WANTED]]
    assert np.allclose(found, expected, atol=1e-6)


def test_the_training_photos_and_other_models_rows_are_left_out(tmp_path, scene):
    catalog = library_of(tmp_path / "catalog", MADE_BY, like=scene["like"])
    own = [f"like-{row}" for row in range(190)]
    assert len(from_library(catalog, MADE_BY, tmp_path, scene["positives"], own).features) == 10
    with pytest.raises(PhotosUnusable):
        from_library(catalog, "clip 9999", tmp_path, scene["positives"], own)


def test_the_bank_beside_the_model_fills_up_and_serves_alone(tmp_path, scene):
    save_file({"features": scene["like"][:100].astype(np.float16)}, tmp_path / BANK)
    catalog = library_of(tmp_path / "catalog", MADE_BY, other=scene["other"])
    found = from_library(catalog, MADE_BY, tmp_path, scene["positives"], [])
    assert found.origin == "50 photos of the library, 100 of the packaged ones"
    alone = from_library(Catalog(tmp_path / "none"), MADE_BY, tmp_path, scene["positives"], [])
    assert len(alone.features) == 100
    assert np.allclose(np.linalg.norm(alone.features, axis=1), 1, atol=1e-3)


def test_with_nothing_to_tell_it_from_the_error_says_what_to_do(tmp_path, scene):
    with pytest.raises(PhotosUnusable, match="no photos to tell the object from; run the library"):
        from_library(Catalog(tmp_path / "none"), MADE_BY, tmp_path, scene["positives"], [])


def test_a_folder_of_the_persons_own_is_taken_as_it_is(scene):
    found = from_person(scene["like"][:7], scene["positives"])
    assert len(found.features) == 7 and found.origin == "7 photos that you gave for it"


def test_rejected_photos_count_for_an_eighth_at_least_and_the_concepts_own_for_nothing(tmp_path, scene):
    catalog = library_of(tmp_path / "catalog", MADE_BY, like=scene["like"][:4])
    said = [("like-0", "reject"), ("like-1", "confirm"), ("like-2", "reject"), ("like-2", "confirm")]
    catalog.decide(
        pa.Table.from_pylist(
            [
                {"decision_id": str(number), "photo_id": photo, "concept": "mug", "verdict": verdict}
                for number, (photo, verdict) in enumerate(said)
            ],
            DECISIONS,
        )
    )
    found = said_of(catalog, MADE_BY, "mug", ["like-1"], WIDTH)
    assert np.allclose(found.rejected, scene["like"][:1], atol=1e-2)
    assert np.allclose(found.confirmed, scene["like"][2:3], atol=1e-2)
    assert weighed(found.rejected, 140).shape == (20, WIDTH)
    assert len(said_of(catalog, MADE_BY, "cup", [], WIDTH).photos) == 0
    assert weighed(found.rejected[:0], 140).shape == (0, WIDTH)
    assert len(weighed(scene["like"], 140)) == 200
