"""A whole run over the sample world's hostile files: each becomes what hostile.json says, and ends no run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from myvlm_tag.world.sample import write_sample


@pytest.mark.slow
def test_every_hostile_file_becomes_what_it_should(run, ask, tmp_path: Path) -> None:
    write_sample(tmp_path / "sample", 12, 3, True)
    library = tmp_path / "sample" / "library"
    expected = json.loads((tmp_path / "sample" / "hostile.json").read_text("utf-8"))
    summary = run(library)
    photos = {path for (path,) in ask("SELECT files.path FROM files SEMI JOIN photos USING (photo_id)")}
    failures = dict(ask("SELECT path, kind FROM failures"))
    reasons = dict(ask("SELECT path, reason FROM failures"))
    became = {}
    for trap in expected:
        path = f"{library}/{trap['file']}"
        became[trap["file"]] = "read" if path in photos else "failure" if path in failures else "skipped"
    for_root = {trap["file"]: trap["if_root"] for trap in expected if "if_root" in trap and os.getuid() == 0}
    assert became == {trap["file"]: trap["becomes"] for trap in expected} | for_root
    kinds = {
        trap["file"]: trap["kind"] for trap in expected if "kind" in trap and trap["file"] not in for_root
    }
    assert {file: failures[f"{library}/{file}"] for file in kinds} == kinds
    assert summary.exit_code == 3
    assert all(reasons.values())
    assert run(library, address="nowhere:1").todo == 0
