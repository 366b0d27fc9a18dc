"""What all tests share: where the real photos are, and a quiet, private environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

os.environ.update(
    OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", RAY_USAGE_STATS_ENABLED="0", RAY_worker_niceness="0"
)
for name in [name for name in os.environ if name.startswith("MYVLM_TAG_") and name != "MYVLM_TAG_SHARED"]:
    del os.environ[name]
os.environ.pop("RAY_ADDRESS", None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real photos and weights that tests may use where it is there."""
    folder = Path(os.environ.get("MYVLM_TAG_SHARED", ROOT.parent / "shared"))
    if not (folder / "photos").is_dir():
        pytest.skip("no folder of real photos here (MYVLM_TAG_SHARED)")
    return folder
