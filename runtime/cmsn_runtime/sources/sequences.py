"""Folders and globs of pictures, as one video."""

from __future__ import annotations

import glob
import re
import warnings
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path

import av.error
from av import VideoFrame

from cmsn_runtime.closing import Closing
from cmsn_runtime.errors import SourceError, SourceWarning
from cmsn_runtime.names import first_few
from cmsn_runtime.pictures.decoded import DecodedFrame
from cmsn_runtime.pictures.frame import Frame
from cmsn_runtime.pictures.upright import PictureMaker
from cmsn_runtime.sources.container import open_container
from cmsn_runtime.sources.excerpt import Excerpt
from cmsn_runtime.sources.kinds import SourceKind
from cmsn_runtime.sources.losses import Losses
from cmsn_runtime.sources.options import SourceOptions
from cmsn_runtime.sources.timing import warn_of_rate

PICTURE_SUFFIXES = frozenset(
    {
        *(".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
        *(".jp2", ".j2k", ".jxl", ".tga", ".qoi", ".dpx", ".exr", ".sgi", ".pcx"),
    }
)
_USUAL_RATE = Fraction(25)  # FFmpeg's, for what has no timestamps
_DIGITS = re.compile(r"(\d+)")


class PictureSequence(Closing):
    """The pictures of a folder, or those that a glob matches; picture n is at n / fps seconds (25 per second if unset).

    They come in natural order: 2.jpg before 10.jpg. They may differ in size. Files without a picture's suffix are left
    out, which a SourceWarning reports; hidden files silently. One that cannot be decoded keeps its place in time and
    counts as damaged.  Raises SourceError where no picture is left.
    """

    live = False

    def __init__(self, address: str, *, options: SourceOptions) -> None:
        self.name = address
        self._paths, others = _pictures(address)
        if not self._paths:
            raise SourceError(f"{address}: holds no pictures; their names end in .jpg, .png and the like")
        if others:
            names = first_few([path.name for path in others], most=3)
            warnings.warn(f"{address}: left out {len(others)} files that are not pictures: {names}", SourceWarning, 2)
        self._rate = options.fps or _USUAL_RATE
        if options.fps is None:
            warn_of_rate(address, self._rate)
        self._begin = options.begin
        self._excerpt = Excerpt(options)
        self.duration = self._excerpt.duration(Fraction(0), len(self._paths) / self._rate)
        self._damaged = 0
        self._maker = PictureMaker()
        self._frames = self._read()

    @property
    def losses(self) -> Losses:
        """See Source."""
        return Losses(damaged=self._damaged, unit="picture")

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def close(self) -> None:
        """End the iteration. May be called twice."""
        self._frames.close()

    def _read(self) -> Generator[Frame, None, None]:
        shown = False
        for index, path in enumerate(self._paths):
            seconds = index / self._rate
            place = self._excerpt.place(seconds, jumped=False)
            if place == "after":
                return
            if place == "before":
                continue
            decoded = _decoded(path)
            if decoded is None:
                self._damaged += 1
                continue
            shown = True
            yield DecodedFrame(decoded, seconds, maker=self._maker)
        if not shown:
            end = float(len(self._paths) / self._rate)
            raise SourceError(f"{self.name}: not one picture of the {end:.2f} s can be shown; look at one of them")


def _pictures(address: str) -> tuple[list[Path], list[Path]]:
    """Pictures and other files at a folder or glob, each in natural order."""
    folder = Path(address)
    found = folder.iterdir() if folder.is_dir() else map(Path, glob.glob(address))  # noqa: PTH207 - may be absolute
    files = sorted((path for path in found if path.is_file() and not path.name.startswith(".")), key=_natural)
    return [path for path in files if _is_picture(path)], [path for path in files if not _is_picture(path)]


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES


def _natural(path: Path) -> tuple[list[tuple[int, str]], str]:
    """Numbers in a name count as numbers; the name itself tells "1.jpg" from "01.jpg"."""
    parts = _DIGITS.split(str(path).casefold())
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in parts], str(path)


def _decoded(path: Path) -> VideoFrame | None:
    """The picture in a file; None where it cannot be decoded."""
    try:
        with open_container(f"file:{path}", name=str(path), options={"pattern_type": "none"}) as container:
            return next(container.decode(video=0), None)
    except (SourceError, av.error.FFmpegError, IndexError):  # IndexError: no video stream
        return None


def _claims(address: str) -> bool:
    """A folder or glob with a picture in it: what has none is left to FFmpeg, which says what it is."""
    if "://" in address or "\0" in address:
        return False
    path = Path(address)
    is_glob = glob.has_magic(address) and not path.exists()
    try:
        return (is_glob or path.is_dir()) and bool(_pictures(address)[0])
    except OSError:  # a folder that must not be listed
        return False


def _open(address: str, *, options: SourceOptions) -> PictureSequence:
    return PictureSequence(address, options=options)


KIND = SourceKind(claims=_claims, open=_open)
