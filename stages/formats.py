"""What a file is, told by its first bytes; its name is never trusted.

Only recognising is done here. Decoding is `codecs.py`, walking folders is `scan.py`.
"""

from __future__ import annotations

import os

#: How much of a file `sniff` and `describe` want to see.
HEAD_BYTES = 512

#: Formats whose picture is a JPEG that the camera put inside for previews.
RAW_FORMATS = frozenset({"CR2", "CR3", "RAF", "ORF", "RW2", "RAW"})

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"FUJIFILMCCD-RAW", "RAF"),
    (b"IIRO\x08\x00", "ORF"),
    (b"IIRS\x08\x00", "ORF"),
    (b"MMOR\x00\x00", "ORF"),
    (b"IIU\x00", "RW2"),
    (b"II*\x00", "TIFF"),
    (b"MM\x00*", "TIFF"),
    (b"II+\x00", "TIFF"),
    (b"MM\x00+", "TIFF"),
    (b"\xff\x0a", "JXL"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "JXL"),
    (b"\x00\x00\x00\x0cjP  \r\n\x87\n", "JPEG2000"),
    (b"\xff\x4f\xff\x51", "JPEG2000"),
)

#: ISO media files say what they are by brands: one major, then compatible ones.
_BRANDS = {
    "AVIF": {b"avif", b"avis"},
    "HEIF": {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"},
    "CR3": {b"crx "},
}

_OTHERS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1f\x8b", "compressed data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"8BPS", "a Photoshop document"),
    (b"\x1aE\xdf\xa3", "a Matroska video"),
    (b"ID3", "an MP3 recording"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"BM", "a Windows bitmap"),
)

#: A file so named claims to be a photo: if its content disagrees, the person wants to know.
# fmt: off
PHOTO_SUFFIXES = frozenset({
    ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".webp", ".gif", ".tif", ".tiff", ".heic", ".heif",
    ".hif", ".avif", ".jxl", ".jp2", ".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".orf",
    ".rw2", ".pef", ".srw", ".3fr", ".iiq", ".erf",
})
# fmt: on


def sniff(head: bytes) -> str | None:
    """Name the photo format of a file that starts with `head` (`HEAD_BYTES` of it); None if it's no photo."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    if head[4:8] == b"ftyp":
        return _sniff_iso_media(head)
    if head[:4] in (b"II*\x00", b"MM\x00*") and head[8:10] == b"CR":
        return "CR2"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def _sniff_iso_media(head: bytes) -> str | None:
    length = min(int.from_bytes(head[:4]), len(head))
    brands = [head[8:12], *(head[at : at + 4] for at in range(16, length, 4))]
    # The order of brands decides: "mif1, heic, avif" does not happen, "mif1, avif" does.
    for brand in [brand for brand in brands if brand not in (b"mif1", b"msf1")] + brands:
        for name, known in _BRANDS.items():
            if brand in known:
                return name
    return None


def describe(head: bytes) -> str:
    """Say in plain words what a file is that `sniff` does not take for a photo."""
    if not head.strip(b"\0"):
        return "nothing but zero bytes"
    if head[4:8] == b"ftyp" or head[4:8] in (b"moov", b"mdat", b"wide"):
        return "a video"
    if head[:4] == b"RIFF":
        return "a video or sound recording"
    for magic, words in _OTHERS:
        if head.startswith(magic):
            return words
    if head.lstrip()[:1] == b"<":
        return "a web page or other markup"
    text = sum(byte in b"\t\n\r" or 32 <= byte < 127 for byte in head)
    return "text" if text == len(head) else "data of an unknown kind"


def named_like_photo(name: str | bytes) -> bool:
    """Whether the end of a file's name claims that it is a photo."""
    return os.fsdecode(name).lower().endswith(tuple(PHOTO_SUFFIXES))
