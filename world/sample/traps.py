"""The hostile files: what is wrong with each, how it is made, and what must become of it.

What does not live here: the pictures in them and the list on disk (`hostile`).
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from .formats import encode

Pixels = NDArray[np.uint8]
Maker = Callable[[Path, Pixels], None]

_BOMB_SIDE = 30_000  # pixels: 900 megapixels in about 100 kB
_JPEG_START = b"\xff\xd8"
_TEXT = "Dear diary,\ntoday I renamed a letter, and now it looks like a photo.\n" * 20
# The first box of an MP4 file, and the start of the next.
_MP4 = struct.pack(">I4s4sI4s4s", 24, b"ftyp", b"isom", 512, b"isom", b"mp42") + struct.pack(
    ">I4s", 4096, b"mdat"
)


@dataclass(frozen=True)
class Trap:
    """One hostile file. `make` is given its path and upright pixels (H, W, 3) that it may use."""

    file: str  # relative to library/, as the operating system takes it
    what: str
    becomes: str  # read, failure, skipped
    make: Maker
    kind: str | None = None  # of a failure, as the table `failures` has it
    if_root: str | None = None  # what becomes of it for a user whom permissions do not bind
    format: str = "JPEG"  # by content
    size: tuple[int, int] = (1024, 768)  # upright width and height, pixels


def _jpeg(pixels: Pixels, exif: Image.Exif | None = None, quality: int = 88) -> bytes:
    return encode(Image.fromarray(pixels), "JPEG", exif, quality)


def _photo(path: Path, pixels: Pixels, format: str = "JPEG") -> None:
    path.write_bytes(encode(Image.fromarray(pixels), format, None, 88))


def _raw(path: Path, pixels: Pixels, data: bytes) -> None:
    path.write_bytes(data)


def _truncated(path: Path, pixels: Pixels) -> None:
    data = _jpeg(pixels)
    path.write_bytes(data[: len(data) * 55 // 100])


def _half_zeros(path: Path, pixels: Pixels) -> None:
    data = _jpeg(pixels)
    kept = len(data) // 2
    path.write_bytes(data[:kept] + bytes(len(data) - kept))


def _damaged_png(path: Path, pixels: Pixels) -> None:
    data = bytearray(encode(Image.fromarray(pixels), "PNG", None))
    middle = len(data) // 2
    data[middle : middle + 4096] = bytes([255]) * 4096
    path.write_bytes(data)


def _bomb(path: Path, pixels: Pixels) -> None:
    """A black 1-bit PNG, compressed row by row: never in memory as a whole."""
    packer = zlib.compressobj(9)
    row = bytes(1 + -(-_BOMB_SIDE // 8))
    packed = b"".join([*(packer.compress(row) for _ in range(_BOMB_SIDE)), packer.flush()])
    header = struct.pack(">IIBBBBB", _BOMB_SIDE, _BOMB_SIDE, 1, 0, 0, 0, 0)
    chunks = _png_chunk(b"IHDR", header) + _png_chunk(b"IDAT", packed) + _png_chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)


def _png_chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _panorama(path: Path, pixels: Pixels, size: tuple[int, int]) -> None:
    path.write_bytes(
        _jpeg(np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LINEAR), np.uint8), quality=60)
    )


def _cmyk(path: Path, pixels: Pixels) -> None:
    Image.fromarray(pixels).convert("CMYK").save(path, "JPEG", quality=88)


def _deep(path: Path, pixels: Pixels, gray: bool) -> None:
    values = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY if gray else cv2.COLOR_RGB2BGR).astype(np.uint16) * 257
    path.write_bytes(cv2.imencode(".png", values)[1].tobytes())


def _palette(path: Path, pixels: Pixels) -> None:
    Image.fromarray(pixels).quantize(128).save(path, "PNG")


def _animated(path: Path, pixels: Pixels) -> None:
    """The first frame is the picture; the others are dark, so that a reader of a wrong one is found out."""
    first = Image.fromarray(pixels).quantize(128)
    dark = [Image.fromarray(pixels // divisor).quantize(128) for divisor in (4, 8)]
    first.save(path, "GIF", save_all=True, append_images=dark, duration=200, loop=0)


def _with_app1(jpeg: bytes, payload: bytes) -> bytes:
    return _JPEG_START + b"\xff\xe1" + struct.pack(">H", len(payload) + 2) + payload + jpeg[2:]


def _endless_ifd(path: Path, pixels: Pixels) -> None:
    """An IFD that claims 65,535 entries, none of them sane, and to be followed by itself."""
    entries = b"".join(struct.pack(">HHII", 0x010F + i, 99, 0xFFFFFFF0, 0xFFFFFF00) for i in range(8))
    payload = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 0xFFFF) + entries + struct.pack(">I", 8)
    path.write_bytes(_with_app1(_jpeg(pixels), payload))


def _bad_tag(path: Path, pixels: Pixels) -> None:
    """One tag that points past the end among good ones: it costs that tag, not the date and not the photo."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make], exif[ExifTags.Base.Software] = (
        "Panasonic",
        "a string long enough to stand apart",
    )
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.DateTimeOriginal] = "2019:06:01 12:00:00"
    block = exif.tobytes()
    tag = block.index(struct.pack(">HH", ExifTags.Base.Software, 2))
    broken = block[: tag + 4] + struct.pack(">II", 0x7FFFFFF0, 0x7FFFFF00) + block[tag + 12 :]
    path.write_bytes(_with_app1(_jpeg(pixels), broken))


def _motion(path: Path, pixels: Pixels) -> None:
    path.write_bytes(_jpeg(pixels) + _MP4 + bytes(range(256)) * 16)


def _locked(path: Path, pixels: Pixels) -> None:
    _photo(path, pixels)
    path.chmod(0)


def _link(path: Path, pixels: Pixels, target: str) -> None:
    path.symlink_to(target)


def _link_out(path: Path, pixels: Pixels, whole_folder: bool) -> None:
    """Link to a photo beside library/, or to the folder that it is in."""
    outside = path.parents[2] / "outside" / path.stem
    outside.mkdir(parents=True, exist_ok=True)
    _photo(outside / "not of this library.jpg", pixels)
    target = outside if whole_folder else outside / "not of this library.jpg"
    path.symlink_to(os.path.relpath(target, path.parent))


def _no_media(path: Path, pixels: Pixels) -> None:
    (path.parent / ".nomedia").write_bytes(b"")
    _photo(path, pixels)


def _failures() -> Iterable[Trap]:
    def failure(file: str, what: str, kind: str, make: Maker, if_root: str | None = None) -> Trap:
        return Trap(f"odd ends/{file}", what, "failure", make, kind, if_root)

    yield failure("empty.jpg", "zero bytes", "empty", partial(_raw, data=b""))
    yield failure("half.jpg", "a JPEG cut off in the middle", "truncated", _truncated)
    yield failure("half zeros.jpg", "a JPEG of full length, its second half zeros", "truncated", _half_zeros)
    yield failure("letter.jpg", "text named .jpg", "not_a_photo", partial(_raw, data=_TEXT.encode()))
    yield failure(
        "film.jpg", "the start of a video named .jpg", "not_a_photo", partial(_raw, data=_MP4 + bytes(4096))
    )
    yield failure("bomb.png", "a decompression bomb: 900 megapixels in a small file", "too_large", _bomb)
    yield failure("scratched.png", "a PNG overwritten in the middle", "damaged", _damaged_png)
    yield failure(
        "locked.jpg", "a photo that nobody may read (mode 000)", "unreadable", _locked, if_root="read"
    )
    yield failure("gone.jpg", "a link to nowhere", "missing", partial(_link, target="nowhere.jpg"))


def _readable() -> Iterable[Trap]:
    def readable(
        file: str, what: str, make: Maker = _photo, format: str = "JPEG", size: tuple[int, int] = (1024, 768)
    ) -> Trap:
        return Trap(f"odd ends/{file}", what, "read", make, format=format, size=size)

    wide = (12_000, 5_000)
    yield readable("panorama.jpg", "60 megapixels", partial(_panorama, size=wide), size=wide)
    yield readable("print shop.jpg", "a CMYK JPEG", _cmyk)
    yield readable("deep.png", "a PNG with 16 bits per channel", partial(_deep, gray=False), "PNG")
    yield readable("deep gray.png", "a gray PNG with 16 bits per pixel", partial(_deep, gray=True), "PNG")
    yield readable("palette.png", "a PNG with a palette", _palette, "PNG")
    yield readable("moving.gif", "an animated GIF, whose first frame counts", _animated, "GIF")
    yield readable("endless exif.jpg", "EXIF whose directory is garbage", _endless_ifd)
    yield readable("bad tag.jpg", "EXIF with one tag that points past the end", _bad_tag)
    yield readable("motion.jpg", "a JPEG with a film behind its end", _motion)
    yield readable("really a.png.jpg", "a PNG named .jpg", partial(_photo, format="PNG"), "PNG")
    yield readable("really a.jpg.heic", "a JPEG named .heic", _photo)
    yield readable("really a.heic.png", "a HEIC named .png", partial(_photo, format="HEIF"), "HEIF")
    yield readable("really a photo.txt", "a JPEG named .txt", _photo)
    yield readable("no extension", "a JPEG without an extension", _photo)
    yield readable("two\nlines.jpg", "a newline in the name", _photo)
    yield readable(os.fsdecode(b"caf\xe9 \xff.jpg"), "bytes in the name that are not UTF-8", _photo)
    yield readable("back\\slash 'and\" quotes.jpg", "a backslash and quotes in the name", _photo)
    yield readable("long " + "n" * 246 + ".jpg", "a name of 255 bytes, the longest there is", _photo)


def _skipped() -> Iterable[Trap]:
    def skipped(file: str, what: str, make: Maker = _photo) -> Trap:
        return Trap(file, what, "skipped", make)

    yield skipped(".trash/deleted.jpg", "a photo in a hidden folder")
    yield skipped("odd ends/@eaDir/half.jpg/SYNOPHOTO_THUMB_XL.jpg", "a thumbnail that a NAS made")
    yield skipped("odd ends/stickers/sticker.jpg", "a photo in a folder with .nomedia", _no_media)
    yield skipped(
        "odd ends/outside.jpg",
        "a link to a photo outside the library",
        partial(_link_out, whole_folder=False),
    )
    yield skipped(
        "odd ends/outside", "a link to a folder outside the library", partial(_link_out, whole_folder=True)
    )
    yield skipped("odd ends/round and round", "a link to the folder it is in", partial(_link, target="."))
    yield skipped(
        "odd ends/notes.txt", "text that does not claim to be a photo", partial(_raw, data=_TEXT.encode())
    )


TRAPS: tuple[Trap, ...] = (*_failures(), *_readable(), *_skipped())
