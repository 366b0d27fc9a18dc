"""What is fetched over the network goes on where it broke off, and is whole in the end."""

from __future__ import annotations

import io
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch
from myvlm_tag.schemas.errors import ModelDamaged, ModelMissing
from myvlm_tag.stages.convert import to_safetensors
from myvlm_tag.stages.fetch import fetch
from myvlm_tag.stages.packs import Model, Pack, Source
from myvlm_tag.stages.weights import pull
from safetensors.numpy import load_file


@dataclass
class Site:
    """Files at an address, the way they are sent, and what was asked for."""

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    etag: str = '"one"'
    ranges: bool = True
    breaks_at: int | None = None  # bytes sent before the connection ends
    asked: list[tuple[str, str]] = field(default_factory=list)  # file and Range

    def send(self, to: BaseHTTPRequestHandler) -> None:
        name, wanted = to.path.strip("/"), to.headers.get("Range", "")
        self.asked.append((name, wanted))
        body, start = self.files[name], 0
        if wanted and self.ranges and to.headers.get("If-Range") == self.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        if start >= len(body):
            to.send_error(416)
            return
        to.send_response(206 if start else 200)
        if start:
            to.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if self.etag:
            to.send_header("ETag", self.etag)
        to.send_header("Content-Length", str(len(body) - start))
        to.end_headers()
        to.wfile.write(body[start : self.breaks_at])


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            site.send(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        site.address = f"http://127.0.0.1:{server.server_address[1]}"
        yield site
        server.shutdown()


CONTENT = os.urandom(100_000)


def break_off(site: Site, folder: Path, at: int = 60_000) -> Source:
    """A first try that got so far."""
    site.files["eva.bin"], site.breaks_at = CONTENT, at
    source = Source(f"{site.address}/eva.bin")
    with pytest.raises(OSError, match="broke off at 60,000 of 100,000 bytes"):
        fetch(source, folder)
    assert [path.name for path in folder.iterdir() if path.suffix == ".bin"] == []
    site.breaks_at = None
    return source


def test_a_file_goes_on_where_it_broke_off(site: Site, tmp_path: Path) -> None:
    fetch(break_off(site, tmp_path), tmp_path)
    assert site.asked == [("eva.bin", ""), ("eva.bin", "bytes=60000-")]
    assert [path.name for path in tmp_path.iterdir()] == ["eva.bin"]
    assert (tmp_path / "eva.bin").read_bytes() == CONTENT


def test_a_file_that_changed_meanwhile_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    source = break_off(site, tmp_path)
    site.files["eva.bin"], site.etag = CONTENT[::-1], '"two"'
    fetch(source, tmp_path)
    assert (tmp_path / "eva.bin").read_bytes() == CONTENT[::-1]


@pytest.mark.parametrize("etag", ["", 'W/"weak"'])
def test_a_file_that_nothing_identifies_is_fetched_anew(etag: str, site: Site, tmp_path: Path) -> None:
    site.etag = etag
    fetch(break_off(site, tmp_path), tmp_path)
    assert site.asked == [("eva.bin", ""), ("eva.bin", "")]
    assert (tmp_path / "eva.bin").read_bytes() == CONTENT


def test_a_server_that_sends_no_parts_sends_the_whole(site: Site, tmp_path: Path) -> None:
    source = break_off(site, tmp_path)
    site.ranges = False
    fetch(source, tmp_path)
    assert (tmp_path / "eva.bin").read_bytes() == CONTENT


def test_a_file_that_only_lacks_its_name_is_fetched_anew(site: Site, tmp_path: Path) -> None:
    source = break_off(site, tmp_path)
    (tmp_path / "eva.bin.part").write_bytes(CONTENT)
    fetch(source, tmp_path)
    assert (tmp_path / "eva.bin").read_bytes() == CONTENT


@pytest.fixture
def pack(site: Site) -> Pack:
    """One model of two sources: an archive, and a checkpoint."""
    archive, checkpoint = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("config.json", "{}")
    torch.save({"weight": torch.arange(3000.0)}, checkpoint)
    site.files = {"config.zip": archive.getvalue(), "eva.pth": checkpoint.getvalue()}
    sources = (Source(f"{site.address}/config.zip", ("*.json",)), Source(f"{site.address}/eva.pth"))
    model = Model("eva", "vlm", "free", 1, ("config.json", "*.safetensors"), sources)
    return Pack("published", "for tests", (model,))


def try_to_pull(pack: Pack, home: Path) -> list[Path]:
    return pull(pack, home, lambda model: True)


def check_pulled(home: Path) -> None:
    folder = home / "models" / "eva"
    assert sorted(os.listdir(folder)) == ["config.json", "eva.safetensors", "pulled.json"]
    assert load_file(folder / "eva.safetensors")["weight"][-1] == 2999
    assert os.listdir(home / "models") == ["eva"]


def test_a_pull_goes_on_with_what_is_lacking(site: Site, pack: Pack, tmp_path: Path) -> None:
    site.breaks_at = 1000
    with pytest.raises(ModelMissing, match="eva could not be fetched") as caught:
        try_to_pull(pack, tmp_path)
    assert caught.value.hint == "go on later with: myvlm-tag models pull published"
    site.breaks_at = None
    try_to_pull(pack, tmp_path)
    assert site.asked == [("config.zip", ""), ("eva.pth", ""), ("eva.pth", "bytes=1000-")]
    check_pulled(tmp_path)


@pytest.mark.parametrize("name", ["config.zip", "eva.pth"])
def test_a_source_that_was_damaged_is_fetched_anew(name: str, site: Site, pack: Pack, tmp_path: Path) -> None:
    whole = site.files[name]
    site.files[name] = whole[: len(whole) // 2]  # as it lies at the source: the connection is fine
    with pytest.raises(ModelDamaged, match=rf"{name} can't be read") as caught:
        try_to_pull(pack, tmp_path)
    assert "myvlm-tag models pull" in caught.value.hint
    site.files[name] = whole
    try_to_pull(pack, tmp_path)
    check_pulled(tmp_path)


def test_a_pull_that_ended_before_deleting_a_checkpoint_leaves_none(
    site: Site, pack: Pack, tmp_path: Path
) -> None:
    staging = tmp_path / "models" / ".eva.part"
    staging.mkdir(parents=True)
    for source in pack.models[0].sources:
        fetch(source, staging)
    to_safetensors(staging / "eva.pth")
    (staging / "eva.pth").write_bytes(site.files["eva.pth"])
    try_to_pull(pack, tmp_path)
    check_pulled(tmp_path)


def test_a_pull_that_ended_while_converting_fetches_nothing_again(
    site: Site, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_room(*_: object) -> None:
        raise OSError("No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("safetensors.torch.save_file", no_room)
        with pytest.raises(ModelMissing, match="No space left"):
            try_to_pull(pack, tmp_path)
    try_to_pull(pack, tmp_path)
    assert [name for name, _ in site.asked] == ["config.zip", "eva.pth"]
    check_pulled(tmp_path)
