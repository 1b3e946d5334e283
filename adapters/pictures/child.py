"""The process that decodes strangers' pictures: little memory, little time, no secrets, nothing to lose.

It runs as a file of its own and imports nothing of the project. Jobs come on standard input, answers go to
standard output; each is one line of JSON, ``size`` bytes follow it. A job that takes too much time ends the
process; the parent starts another one.
"""

import json
import resource
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import Any

from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

ORIENTATION = 0x0112
UPRIGHT = (None, 0, 1)
PNG_BIT_DEPTH_AT = 24

# The plugins themselves: Image.open() would look for many more formats than these.
OPEN: dict[str, Callable[[BytesIO], ImageFile]] = {
    "image/png": PngImageFile,
    "image/jpeg": JpegImageFile,
    "image/webp": WebPImageFile,
}

Job = dict[str, Any]
Answer = tuple[dict[str, Any], bytes]


class TooLarge(Exception):
    pass


def decode(job: Job, data: bytes) -> ImageFile:
    """The first frame, whole; the size is judged by the header, before anything is decoded."""
    picture = OPEN[job["mime"]](BytesIO(data))
    width, height = picture.size
    if width * height > job["max_pixels"] or max(width, height) > job["max_side"]:
        raise TooLarge(f"{width} x {height} pixels")
    if isinstance(picture, PngImageFile):
        picture.verify()  # check sums: decoding alone skips them; a verified file must be opened again
        picture = OPEN[job["mime"]](BytesIO(data))
    picture.load()
    return picture


def orientation(picture: Image.Image) -> int | None:
    try:
        value = picture.getexif().get(ORIENTATION)
    except Exception:  # damaged metadata comes in any shape, and makes no picture worse
        return None
    return value if isinstance(value, int) else None


def is_transparent(picture: Image.Image) -> bool:
    """Many screenshots have an alpha channel and make no use of it."""
    if picture.mode in ("RGBA", "LA"):
        return picture.getchannel("A").getextrema() != (255, 255)
    return picture.has_transparency_data


def is_plain(picture: ImageFile, data: bytes) -> bool:
    """Whether every reader will see the same in it: one upright opaque frame of 8-bit RGB or grey."""
    return (
        picture.mode in ("RGB", "L", "RGBA", "LA")
        and getattr(picture, "n_frames", 1) == 1
        and not is_transparent(picture)
        and orientation(picture) in UPRIGHT
        and (not isinstance(picture, PngImageFile) or data[PNG_BIT_DEPTH_AT] == 8)
    )


def upright(picture: Image.Image) -> Image.Image:
    if orientation(picture) in UPRIGHT:
        return picture
    return ImageOps.exif_transpose(picture)


def opaque(picture: Image.Image) -> Image.Image:
    """8-bit RGB or grey on white."""
    if picture.mode.startswith("I"):
        return picture.convert("I").point(lambda v: v / 256).convert("L")
    if is_transparent(picture):
        white = Image.new("RGBA", picture.size, "white")
        white.alpha_composite(picture.convert("RGBA"))
        return white.convert("RGB")
    return picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")


def encode(picture: Image.Image, mime: str, quality: int) -> bytes:
    """The pixels alone: Pillow would write comments and the like again."""
    picture.info = {}
    out = BytesIO()
    if mime == "image/jpeg":
        picture.save(out, "JPEG", quality=quality, subsampling="4:4:4")
    else:
        picture.save(out, "PNG", compress_level=3)
    return out.getvalue()


def check(job: Job, data: bytes) -> Answer:
    picture = decode(job, data)
    width, height = picture.size
    if is_plain(picture, data):
        return {"mime": job["mime"], "width": width, "height": height, "kept": True}, b""
    # What came lossy stays so: a photo as PNG would be many times as large.
    mime = "image/jpeg" if job["mime"] == "image/jpeg" else "image/png"
    clean = opaque(upright(picture))
    return {"mime": mime, "width": clean.width, "height": clean.height}, encode(clean, mime, 95)


def mask(job: Job, data: bytes) -> Answer:
    picture = opaque(upright(decode(job, data)))
    for x0, y0, x1, y1 in job["boxes"]:
        picture.paste(0, (min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)))
    return {"mime": "image/jpeg"}, encode(picture, "image/jpeg", 85)


def work(job: Job, data: bytes) -> Answer:
    try:
        return (mask if job["verb"] == "mask" else check)(job, data)
    except TooLarge as error:
        return {"error": "too_large", "why": str(error)}, b""
    except (MemoryError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return {"error": "too_large", "why": "opening it takes too much memory"}, b""
    except Exception as error:  # hostile bytes make a decoder raise anything at all
        return {"error": "broken", "why": f"{type(error).__name__}: {error}"[:200]}, b""


def limit_memory(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):  # macOS knows the limit but does not let it be set
        resource.setrlimit(resource.RLIMIT_AS, (size, size))


def limit_time(seconds: int) -> None:
    """Processor time for the next job: a busy machine takes none of it away."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + 1 + seconds, hard))


def main() -> None:
    memory, seconds = int(sys.argv[1]), int(sys.argv[2])
    limit_memory(memory)
    warnings.simplefilter("error")
    warnings.filterwarnings("ignore", ".*EXIF")
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    answer: dict[str, Any] = {"ready": True}
    body = b""
    while True:
        sink.write(json.dumps(answer | {"size": len(body)}).encode() + b"\n" + body)
        sink.flush()
        line = source.readline()
        if not line:
            return
        job = json.loads(line)
        data = source.read(job["size"])
        limit_time(seconds)
        answer, body = work(job, data)


if __name__ == "__main__":
    main()
