"""What a camera writes into a photo besides pixels: the EXIF block, and the cameras of the sample library.

What does not live here: when and where a photo was taken (`events`), and the bytes of the file (`formats`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

_BASE, _GPS = ExifTags.Base, ExifTags.GPS


@dataclass(frozen=True)
class Camera:
    """One device of the household, with its habits."""

    make: str
    model: str
    software: str
    lens: str
    f_number: float
    focal_mm: float
    focal_35mm: int
    years: tuple[int, int]  # first and last year of use
    has_gps: bool
    writes_offset: bool  # OffsetTimeOriginal, which older cameras lack
    heic: bool  # can store HEIC
    aspect: float
    name: str  # str.format pattern of its file names: `when` (datetime), `ms`, `number`
    shouts: bool  # writes extensions in capitals


PHONE = Camera(
    "Apple", "iPhone 8", "15.6.1", "iPhone 8 back camera 3.99mm f/1.8",
    1.8, 3.99, 28, (2017, 2024), True, True, True, 4 / 3, "IMG_{number:04d}", True,
)  # fmt: skip
OTHER_PHONE = Camera(
    "Google", "Pixel 3a", "HDR+ 1.0.345618096zd", "Pixel 3a back camera 4.44mm f/1.8",
    1.8, 4.44, 27, (2018, 2024), True, True, False, 4 / 3, "PXL_{when:%Y%m%d_%H%M%S}{ms:03d}", False,
)  # fmt: skip
REFLEX = Camera(
    "Canon", "Canon EOS 700D", "", "EF-S18-55mm f/3.5-5.6 IS STM",
    4.5, 35.0, 56, (2013, 2024), False, False, False, 3 / 2, "_MG_{number:04d}", True,
)  # fmt: skip
COMPACT = Camera(
    "Panasonic", "DMC-TZ41", "Ver.1.1", "",
    3.3, 4.3, 24, (2013, 2019), True, False, False, 4 / 3, "P{when:%m}0{number:04d}", True,
)  # fmt: skip
CAMERAS = (PHONE, OTHER_PHONE, REFLEX, COMPACT)


@dataclass(frozen=True)
class Spot:
    """A point on earth: degrees (north and east positive), metres above the sea, hours from UTC in winter."""

    latitude: float
    longitude: float
    altitude: float
    utc_hours: int


def utc_offset(spot: Spot, when: datetime) -> timedelta:
    """Local time minus UTC; an hour more from April to October where there is summer time (north of 30°)."""
    summer = spot.latitude > 30 and 4 <= when.month <= 10
    return timedelta(hours=spot.utc_hours + summer)


def exif_block(
    camera: Camera, when: datetime, spot: Spot, *, orientation: int, size: tuple[int, int], dark: bool
) -> Image.Exif:
    """Return the EXIF of one photo.

    `when` is local wall-clock time, `size` the stored (width, height) in pixels, `dark` asks for the exposure
    of a dim place.
    """
    exif = Image.Exif()
    stamp = f"{when:%Y:%m:%d %H:%M:%S}"
    exif[_BASE.Make], exif[_BASE.Model] = camera.make, camera.model
    exif[_BASE.Orientation] = orientation
    exif[_BASE.XResolution] = exif[_BASE.YResolution] = IFDRational(72, 1)
    exif[_BASE.ResolutionUnit] = 2
    if camera.software:
        exif[_BASE.Software] = camera.software
    exif[_BASE.DateTime] = stamp
    exif.get_ifd(ExifTags.IFD.Exif).update(_shot_tags(camera, when, spot, size, dark))
    if camera.has_gps:
        exif.get_ifd(ExifTags.IFD.GPSInfo).update(_gps_tags(when - utc_offset(spot, when), spot))
    return exif


def _shot_tags(
    camera: Camera, when: datetime, spot: Spot, size: tuple[int, int], dark: bool
) -> dict[int, object]:
    stamp = f"{when:%Y:%m:%d %H:%M:%S}"
    tags: dict[int, object] = {
        _BASE.ExposureTime: IFDRational(1, 30 if dark else 250),
        _BASE.FNumber: IFDRational(round(camera.f_number * 10), 10),
        _BASE.ISOSpeedRatings: 1600 if dark else 100,
        _BASE.ExifVersion: b"0232",
        _BASE.DateTimeOriginal: stamp,
        _BASE.DateTimeDigitized: stamp,
        _BASE.SubsecTimeOriginal: f"{when.microsecond // 1000:03d}",
        _BASE.Flash: 0,
        _BASE.FocalLength: IFDRational(round(camera.focal_mm * 100), 100),
        _BASE.FocalLengthIn35mmFilm: camera.focal_35mm,
        _BASE.ColorSpace: 1,
        _BASE.ExifImageWidth: size[0],
        _BASE.ExifImageHeight: size[1],
    }
    if camera.lens:
        tags[_BASE.LensModel] = camera.lens
    if camera.writes_offset:
        minutes = int(utc_offset(spot, when).total_seconds()) // 60
        sign = "-" if minutes < 0 else "+"
        offset = f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
        tags[_BASE.OffsetTime] = tags[_BASE.OffsetTimeOriginal] = offset
    return tags


def _gps_tags(utc: datetime, spot: Spot) -> dict[int, object]:
    return {
        _GPS.GPSVersionID: b"\x02\x03\x00\x00",
        _GPS.GPSLatitudeRef: "N" if spot.latitude >= 0 else "S",
        _GPS.GPSLatitude: _degrees(spot.latitude),
        _GPS.GPSLongitudeRef: "E" if spot.longitude >= 0 else "W",
        _GPS.GPSLongitude: _degrees(spot.longitude),
        _GPS.GPSAltitudeRef: b"\x00",
        _GPS.GPSAltitude: IFDRational(round(spot.altitude * 10), 10),
        _GPS.GPSTimeStamp: (IFDRational(utc.hour, 1), IFDRational(utc.minute, 1), IFDRational(utc.second, 1)),
        _GPS.GPSDateStamp: f"{utc:%Y:%m:%d}",
    }


def _degrees(value: float) -> tuple[IFDRational, IFDRational, IFDRational]:
    """Degrees, minutes and hundredths of seconds, as EXIF stores an angle."""
    hundredths = round(abs(value) * 360_000)
    minutes, hundredths = divmod(hundredths, 6000)
    return IFDRational(minutes // 60, 1), IFDRational(minutes % 60, 1), IFDRational(hundredths, 100)
