"""Real cameras' files, corrupted and invalid ones included, through a whole run with a real detector."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


@pytest.mark.slow
def test_real_photos_all_become_rows_or_reasons(run, ask, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "pack" / "faces").mkdir(parents=True)
    shutil.copy(shared / "weights" / "scrfd_500m_kps.onnx", tmp_path / "pack" / "faces")
    run(shared / "photos", models=str(tmp_path / "pack"), batch_size=16)
    (files,) = ask("SELECT count(DISTINCT photo_id) FROM files")[0]
    (photos,) = ask("SELECT count(*) FROM photos")[0]
    (failures,) = ask("SELECT count(DISTINCT photo_id) FROM failures")[0]
    assert files == photos + failures > 100
    turned = "SELECT DISTINCT width, height FROM photos WHERE path LIKE '%/orientation/{}%'"
    assert ask(turned.format("landscape")) == [(600, 450)]
    assert ask(turned.format("portrait")) == [(450, 600)]
    assert ask("SELECT count(*) > 5 FROM photos WHERE faces > 0") == [(True,)]
    assert run(shared / "photos", models=str(tmp_path / "pack"), address="nowhere:1").todo == 0
