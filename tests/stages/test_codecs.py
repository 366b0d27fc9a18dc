import io
import struct
import zlib

import numpy as np
import piexif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from myvlm_tag.stages.codecs import Limits, UnreadablePhoto, read_photo
from PIL import Image, features


def peak_signal_to_noise(a, b) -> float:
    difference = np.mean((a.astype(float) - b.astype(float)) ** 2)
    return float(10 * np.log10(255**2 / (difference + 1e-9)))


def assert_looks_like(image, picture, least=25.0):
    expected = np.asarray(picture.convert("RGB").resize(image.shape[1::-1], Image.Resampling.BOX))
    assert peak_signal_to_noise(image, expected) > least


def failure(path, limits=None) -> UnreadablePhoto:
    with pytest.raises(UnreadablePhoto) as caught:
        read_photo(str(path), limits or Limits())
    return caught.value


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "HEIF", "AVIF", "JPEG2000"])
def test_every_common_format_is_read_whatever_its_name(name, scene, tmp_path):
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    file = tmp_path / "picture.txt"
    scene.save(file, format=name)
    photo = read_photo(str(file), Limits())
    assert (photo.format, photo.width, photo.height) == (name, 800, 600)
    assert photo.image.dtype == np.uint8 and photo.image.flags.c_contiguous
    assert_looks_like(photo.image, scene)


@pytest.mark.parametrize("mode", ["L", "1", "P", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"])
def test_every_kind_of_pixel_becomes_rgb(mode, scene, tmp_path):
    if mode == "I;16":
        stored = Image.fromarray(np.asarray(scene.convert("L")).astype(np.uint16) * 257)
    elif mode == "I":
        stored = Image.fromarray(np.asarray(scene.convert("L")).astype(np.int32) * 257)
    elif mode == "F":
        stored = Image.fromarray(np.asarray(scene.convert("L")).astype(np.float32) / 255)
    else:
        stored = scene.convert(mode)
    stored.save(tmp_path / "picture.tif")
    gray = mode in ("L", "I;16", "I", "F")
    photo = read_photo(str(tmp_path / "picture.tif"), Limits())
    assert_looks_like(photo.image, scene.convert("L") if gray else stored.convert("RGB"), 40 if gray else 30)


def test_a_cmyk_jpeg_is_not_read_as_its_negative(scene, tmp_path):
    scene.convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    assert_looks_like(read_photo(str(tmp_path / "print.jpg"), Limits()).image, scene)


def test_a_16_bit_png_keeps_its_brightness(tmp_path):
    Image.fromarray(np.full((40, 40), 0x8000, np.uint16)).save(tmp_path / "gray.png")
    assert abs(int(read_photo(str(tmp_path / "gray.png"), Limits()).image.mean()) - 128) <= 1


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_laid_over_white(mode, tmp_path):
    clear = Image.new("RGBA", (20, 20), (255, 0, 0, 255))
    clear.paste((0, 0, 0, 0), (10, 0, 20, 20))
    clear.convert(mode).save(tmp_path / "logo.png")
    image = read_photo(str(tmp_path / "logo.png"), Limits()).image
    assert image[5, 15].tolist() == [255, 255, 255]
    assert image[5, 5].tolist() != [255, 255, 255]


def test_a_moving_picture_is_its_first_frame(tmp_path):
    frames = [Image.new("RGB", (30, 30), colour) for colour in ("red", "lime", "blue")]
    for name in ("GIF", "WEBP"):
        frames[0].save(
            tmp_path / "moving", format=name, save_all=True, append_images=frames[1:], lossless=True
        )
        red = read_photo(str(tmp_path / "moving"), Limits()).image.mean(axis=(0, 1))
        assert red == pytest.approx([255, 0, 0], abs=3)


@pytest.mark.parametrize(
    ("size", "side"), [((800, 600), 1280), ((2559, 10), 1280), ((2560, 1920), 1280), ((4032, 3024), 1280)]
)
@pytest.mark.parametrize("name", ["JPEG", "PNG"])
def test_a_large_photo_is_shrunk_but_not_below_the_side_that_is_asked_for(name, size, side, scene, tmp_path):
    picture = scene.resize(size)
    picture.save(tmp_path / "large", format=name)
    photo = read_photo(str(tmp_path / "large"), Limits(decode_side=side))
    longest = max(photo.image.shape)
    assert min(side, max(size)) <= longest < 2 * side
    assert (photo.width, photo.height) == size
    assert_looks_like(photo.image, picture, 27)


def test_reduced_scale_decoding_looks_like_the_full_decode_shrunk(samples):
    file = samples / "jpg" / "hdr" / "iphone_hdr_NO.jpg"
    photo = read_photo(str(file), Limits())
    with Image.open(file) as picture:
        full = np.asarray(picture.convert("RGB").reduce(2))
    assert photo.image.shape == full.shape
    assert peak_signal_to_noise(photo.image, full) > 38


def test_orientation_is_applied_once_in_every_format_that_has_it(scene, tmp_path):
    scene = scene.resize((240, 180))
    upright = read_photo(save_turned(scene, "PNG", 1, tmp_path), Limits()).image
    for name in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"):
        for orientation in range(1, 9):
            photo = read_photo(save_turned(scene, name, orientation, tmp_path), Limits())
            assert (photo.width, photo.height) == (240, 180), (name, orientation)
            assert photo.image.shape == upright.shape
            assert peak_signal_to_noise(photo.image, upright) > 25, (name, orientation)


def save_turned(scene, name, orientation, folder) -> str:
    turns = [None, None, 0, 3, 1, 5, 2, 6, 4]  # PIL's Transpose values that undo what viewers will do
    stored = scene if turns[orientation] is None else scene.transpose(Image.Transpose(turns[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = folder / f"turned.{name}"
    # As bytes: pillow-heif loses the orientation of an Exif object.
    stored.save(file, format=name, exif=exif.tobytes(), quality=95)
    return str(file)


def test_a_truncated_photo_is_a_failure_and_not_a_half_gray_picture(scene, tmp_path):
    for name in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF"):
        whole = io.BytesIO()
        scene.save(whole, format=name)
        file = tmp_path / f"cut.{name}"
        file.write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
        error = failure(file)
        assert error.kind in ("truncated", "damaged")
        if name in ("JPEG", "PNG"):
            assert (error.kind, "cut off" in error.reason) == ("truncated", True)


def test_a_photo_that_is_damaged_inside_is_a_failure(scene, tmp_path):
    scene.save(tmp_path / "a.png")
    data = bytearray((tmp_path / "a.png").read_bytes())
    middle = len(data) // 2
    data[middle : middle + 40] = bytes(40)
    (tmp_path / "a.png").write_bytes(data)
    assert failure(tmp_path / "a.png").kind == "damaged"


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(1279, 700), (2561, 1501), (5200, 431)])
def test_fast_decoding_gives_the_pixels_that_pillow_gives(options, mode, size, scene, tmp_path):
    scene.resize(size).convert(mode).save(tmp_path / "a.jpg", **options)
    photo = read_photo(str(tmp_path / "a.jpg"), Limits())
    with Image.open(tmp_path / "a.jpg") as picture:
        scale = max(1, max(size) // 1280)
        picture.draft(mode, (size[0] // scale, size[1] // scale))
        expected = np.asarray(picture.convert("RGB"))
    assert photo.image.shape == expected.shape
    assert np.abs(photo.image.astype(int) - expected).max() <= 3


def test_a_photo_with_small_damage_is_still_a_photo(samples):
    """libjpeg's warnings are not the end of a picture that misses a few rows."""
    photo = read_photo(str(samples / "jpg" / "corrupted.jpg"), Limits())
    assert (photo.width, photo.height, photo.image.shape) == (3648, 2736, (1368, 1824, 3))


def test_a_download_padded_with_zeros_is_truncated(scene, tmp_path):
    whole = io.BytesIO()
    scene.save(whole, format="JPEG")
    half = whole.getvalue()[: len(whole.getvalue()) // 2]
    (tmp_path / "padded.jpg").write_bytes(half + bytes(len(half)))
    assert failure(tmp_path / "padded.jpg").kind == "truncated"
    (tmp_path / "fine.jpg").write_bytes(whole.getvalue() + bytes(5000))  # some cameras pad after the end
    assert read_photo(str(tmp_path / "fine.jpg"), Limits()).width == 800


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"", "empty", "0 bytes"),
        (b"just a note", "not_a_photo", "text"),
        (b"\xff\xd8\xff\xe0" + bytes(200), "damaged", "JPEG file is damaged"),
        (b"\xff\x0a" + bytes(50), "unsupported", "JPEG XL"),
        (b"FUJIFILMCCD-RAW 0201" + bytes(500), "unsupported", "no preview"),
    ],
)
def test_a_file_without_a_picture_is_refused_in_plain_words(content, kind, words, tmp_path):
    (tmp_path / "odd.jpg").write_bytes(content)
    error = failure(tmp_path / "odd.jpg")
    assert (error.kind, words in error.reason) == (kind, True)


def test_a_file_that_went_or_is_a_folder_is_refused(tmp_path):
    assert failure(tmp_path / "gone.jpg").kind == "missing"
    assert failure(tmp_path).kind == "unreadable"


def png_of(width, height) -> bytes:
    """A PNG whose header claims a size; its data is one empty stream."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_is_unpacked(tmp_path):
    (tmp_path / "bomb.png").write_bytes(png_of(60000, 60000))
    error = failure(tmp_path / "bomb.png")
    assert error.kind == "too_large"
    assert "3,600 megapixels" in error.reason and "max_pixels" in error.reason


def test_a_file_over_the_size_limit_is_refused(tmp_path):
    (tmp_path / "large.jpg").write_bytes(bytes(2001))
    error = failure(tmp_path / "large.jpg", Limits(max_file_bytes=2000))
    assert (error.kind, "max_file_bytes" in error.reason) == ("too_large", True)


def test_a_panorama_of_60_megapixels_is_read(tmp_path):
    Image.new("RGB", (15000, 4000), "teal").save(tmp_path / "panorama.jpg", quality=50)
    photo = read_photo(str(tmp_path / "panorama.jpg"), Limits())
    assert (photo.width, photo.height) == (15000, 4000)
    assert photo.image.shape == (500, 1875, 3)


def raw_file(preview: bytes, **first_ifd) -> bytes:
    """A little-endian TIFF with these tags (t<number>) in its first directory, and a JPEG further on."""
    tags = sorted((int(tag[1:]), value) for tag, value in first_ifd.items())
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)
    return head + b"\x12\x34" * 500 + preview


def jpeg(picture, **options) -> bytes:
    data = io.BytesIO()
    picture.save(data, format="JPEG", quality=90, **options)
    return data.getvalue()


@pytest.mark.parametrize("tags", [{"t254": 1}, {"t262": 32803}, {"t50706": 0x0401}])
def test_a_raw_file_gives_its_largest_preview(tags, scene, tmp_path):
    previews = jpeg(scene.resize((160, 120))) + bytes(99) + jpeg(scene) + bytes(99)
    (tmp_path / "photo.dng").write_bytes(raw_file(previews, t274=6, **tags))
    photo = read_photo(str(tmp_path / "photo.dng"), Limits())
    assert (photo.format, photo.width, photo.height) == ("RAW", 600, 800)  # turned as the RAW file says
    assert photo.exif["orientation"] == 6
    assert_looks_like(photo.image, scene.transpose(Image.Transpose.ROTATE_270))


def test_a_preview_that_knows_its_orientation_is_believed(scene, tmp_path):
    exif = piexif.dump({"0th": {piexif.ImageIFD.Orientation: 3, piexif.ImageIFD.Make: b"FUJIFILM"}})
    (tmp_path / "photo.raf").write_bytes(b"FUJIFILMCCD-RAW 0201" + bytes(100) + jpeg(scene, exif=exif))
    photo = read_photo(str(tmp_path / "photo.raf"), Limits())
    assert (photo.format, photo.exif["orientation"], photo.exif["camera_make"]) == ("RAF", 3, "FUJIFILM")
    assert_looks_like(photo.image, scene.transpose(Image.Transpose.ROTATE_180))


def test_a_plain_tiff_is_no_raw_file(scene, tmp_path):
    scene.save(tmp_path / "scan.tif", compression="tiff_lzw")
    assert read_photo(str(tmp_path / "scan.tif"), Limits()).format == "TIFF"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF", "HEIF", "AVIF"]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=20),
    st.floats(0.2, 1),
)
def test_a_damaged_file_gives_a_picture_or_a_reason(tmp_path_factory, name, changes, length):
    whole = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(whole, format=name)
    data = bytearray(whole.getvalue())
    for at, value in changes:
        data[int(at * (len(data) - 1))] = value
    file = tmp_path_factory.mktemp("damaged") / "photo.jpg"
    file.write_bytes(data[: max(1, int(length * len(data)))])
    try:
        photo = read_photo(str(file), Limits(max_pixels=10_000_000))
    except UnreadablePhoto as error:
        assert error.kind and len(error.reason) > 10 and "\n" not in error.reason
    else:
        assert photo.image.ndim == 3
