"""Strangers' pictures: checked, set upright, masked; and nothing that they do reaches the caller."""

import asyncio
import itertools
import os
import signal
import struct
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw

from adapters.pictures.safe import MAX_BYTES, SafePictures
from bot.domain.errors import BrokenPicture, PictureTooLarge, ShotdeskError, UnsupportedPicture
from bot.domain.reading import Picture

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
FORMATS = ("PNG", "JPEG", "WEBP")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def pictures() -> AsyncIterator[SafePictures]:
    async with closing(SafePictures(counter())) as tool:
        yield tool


@asynccontextmanager
async def closing(tool: SafePictures) -> AsyncIterator[SafePictures]:
    try:
        yield tool
    finally:
        await tool.aclose()


def counter() -> Callable[[], str]:
    numbers = itertools.count(1)
    return lambda: f"picture-{next(numbers):08}"


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def two_halves(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, *size))
    return image


def noise(size: tuple[int, int] = (200, 200)) -> Image.Image:
    return Image.effect_noise(size, 80).convert("RGB")


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_with(kind: bytes, data: bytes, png: bytes) -> bytes:
    """A chunk more, right after the header."""
    return png[:33] + png_chunk(kind, data) + png[33:]


def png_header(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + body + png_chunk(b"IEND", b"")


def scan_bomb(scans: int = 3000) -> bytes:
    """A small progressive JPEG that describes the same big picture over and over."""
    plain = encoded(Image.new("L", (6000, 4000), 128), "JPEG", progressive=True)
    last = plain.rindex(b"\xff\xda")
    return plain[:-2] + plain[last:-2] * scans + b"\xff\xd9"


def pixel(picture: Picture, x: int, y: int) -> tuple[int, ...]:
    colour = Image.open(BytesIO(picture.data)).convert("RGB").getpixel((x, y))
    assert isinstance(colour, tuple)
    return colour


def near(colour: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return all(abs(a - b) < 40 for a, b in zip(colour, wanted, strict=True))


def decoders() -> set[int]:
    """The decoding processes that this process has started."""
    mine = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            command = (stat.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if parent == os.getpid() and b"child.py" in command:
            mine.add(int(stat.parent.name))
    return mine


# --- What is kept, and what is set right --------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("mode", ["RGB", "L"])
async def test_a_plain_picture_keeps_its_bytes(pictures: SafePictures, kind: str, mode: str) -> None:
    data = encoded(two_halves().convert(mode), kind)
    picture = await pictures.check(data)
    assert picture.data == data
    assert (picture.width, picture.height, picture.mime) == (64, 32, f"image/{kind.lower()}")


async def test_an_alpha_channel_that_hides_nothing_is_plain(pictures: SafePictures) -> None:
    data = encoded(two_halves().convert("RGBA"))
    assert (await pictures.check(data)).data == data


async def test_every_picture_has_an_id_of_its_own(pictures: SafePictures) -> None:
    data = encoded(two_halves())
    assert (await pictures.check(data)).id != (await pictures.check(data)).id


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("orientation", range(1, 9))
async def test_pictures_are_set_upright(pictures: SafePictures, kind: str, orientation: int) -> None:
    # How each orientation has to be stored so that it is shown as two_halves().
    stored_as = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    shown = two_halves()
    stored = shown.transpose(stored_as[orientation]) if orientation in stored_as else shown
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = await pictures.check(encoded(stored, kind, exif=exif))
    assert (picture.width, picture.height) == shown.size
    assert near(pixel(picture, 5, 16), RED)
    assert near(pixel(picture, 60, 16), BLUE)


def transparent() -> Image.Image:
    image = two_halves().convert("RGBA")
    image.paste((0, 0, 0, 0), (32, 0, 64, 32))
    return image


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
async def test_what_is_transparent_is_white(pictures: SafePictures, kind: str) -> None:
    picture = await pictures.check(encoded(transparent(), kind, lossless=True))
    assert (pixel(picture, 5, 5), pixel(picture, 60, 5)) == (RED, WHITE)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(encoded(two_halves().convert("P")), id="palette"),
        pytest.param(encoded(transparent().quantize()), id="palette with alpha"),
        pytest.param(encoded(two_halves(), transparency=(1, 2, 3)), id="one colour transparent"),
        pytest.param(encoded(two_halves().convert("L").convert("LA")), id="grey with alpha"),
        pytest.param(encoded(two_halves().convert("1")), id="black and white"),
        pytest.param(encoded(two_halves().convert("L").convert("I;16")), id="16 bit"),
        pytest.param(encoded(two_halves().convert("CMYK"), "JPEG"), id="CMYK"),
    ],
)
async def test_unusual_pixels_become_usual(pictures: SafePictures, data: bytes) -> None:
    picture = await pictures.check(data)
    assert Image.open(BytesIO(picture.data)).mode in ("RGB", "L", "LA")
    assert (picture.width, picture.height) == (64, 32)


async def test_sixteen_bits_keep_their_brightness(pictures: SafePictures) -> None:
    grey = Image.new("I;16", (8, 8), 0x8000)
    assert near(pixel(await pictures.check(encoded(grey)), 4, 4), (128, 128, 128))


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
async def test_of_an_animation_the_first_frame_counts(pictures: SafePictures, kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), (i, 255 - i, 0)) for i in range(0, 250, 5)]
    data = encoded(Image.new("RGB", (16, 16), BLUE), kind, save_all=True, append_images=frames)
    picture = await pictures.check(data)
    assert getattr(Image.open(BytesIO(picture.data)), "n_frames", 1) == 1
    assert near(pixel(picture, 8, 8), BLUE)


async def test_damaged_metadata_do_no_harm(pictures: SafePictures) -> None:
    data = encoded(two_halves(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert (await pictures.check(data)).width == 64


# --- What is refused ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        encoded(two_halves(), "GIF"),
        encoded(two_halves(), "BMP"),
        encoded(two_halves(), "TIFF"),
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%PDF-1.7\n",
        b"8BPS\0\1",
        b"SIMPLE  =                    T",
        b"\x7fELF\2\1\1",
        b"hello",
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\x00",
    ],
)
async def test_other_formats_are_not_supported(pictures: SafePictures, data: bytes) -> None:
    with pytest.raises(UnsupportedPicture):
        await pictures.check(data)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("sixteenths", range(16))
async def test_cut_off_pictures_are_broken(pictures: SafePictures, kind: str, sixteenths: int) -> None:
    whole = encoded(noise(), kind)
    with pytest.raises(BrokenPicture):
        await pictures.check(whole[: len(whole) * sixteenths // 16])


@pytest.mark.parametrize("kind", ["IDAT", "IHDR"])
async def test_a_wrong_check_sum_is_broken(pictures: SafePictures, kind: str) -> None:
    data = bytearray(encoded(noise()))
    length_at = data.index(kind.encode()) - 4
    (length,) = struct.unpack_from(">I", data, length_at)
    data[length_at + 8 + length] ^= 0xFF
    with pytest.raises(BrokenPicture):
        await pictures.check(bytes(data))


async def test_garbage_behind_a_good_beginning_is_broken(pictures: SafePictures) -> None:
    for beginning in (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"RIFF\x24\0\0\0WEBPVP8 "):
        with pytest.raises(BrokenPicture):
            await pictures.check(beginning + b"\x07garbage" * 50)


@pytest.mark.parametrize("size", [(9450, 9450), (60_000, 1), (1, 30_001), (2**31 - 1, 2**31 - 1)])
async def test_too_many_pixels(pictures: SafePictures, size: tuple[int, int]) -> None:
    with pytest.raises(PictureTooLarge):
        await pictures.check(png_header(*size))


async def test_too_many_pixels_of_the_other_formats(pictures: SafePictures) -> None:
    big = Image.new("L", (5000, 5000))
    for kind in ("JPEG", "WEBP"):
        with pytest.raises(PictureTooLarge):
            await pictures.check(encoded(big, kind, method=0))


async def test_too_many_bytes(pictures: SafePictures) -> None:
    with pytest.raises(PictureTooLarge):
        await pictures.check(encoded(two_halves()) + b"\0" * MAX_BYTES)


@pytest.mark.parametrize(
    ("kind", "head"), [(b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0"), (b"iCCP", b"k\0\0")]
)
async def test_compressed_metadata_do_not_blow_up(pictures: SafePictures, kind: bytes, head: bytes) -> None:
    bomb = zlib.compress(b"\0" * 60_000_000, 9)
    with pytest.raises((BrokenPicture, PictureTooLarge)):
        await pictures.check(png_with(kind, head + bomb, encoded(two_halves())))


async def test_messages_say_what_to_do(pictures: SafePictures) -> None:
    for data, words in ((b"", "empty"), (b"GIF89a", "PNG, JPEG or WebP"), (png_header(9000, 9000), "10 MiB")):
        with pytest.raises(ShotdeskError) as refused:
            await pictures.check(data)
        assert words in refused.value.message


# --- Masking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FORMATS)
async def test_masks_are_black_and_the_rest_stays(pictures: SafePictures, kind: str) -> None:
    picture = await pictures.check(encoded(Image.new("RGB", (300, 200), WHITE), kind))
    data, mime = await pictures.mask(picture, [(10, 10, 100, 50), (250, 150, 900, 900), (-5, -5, 4, 4)])
    assert mime == "image/jpeg"
    masked = Image.open(BytesIO(data))
    assert masked.size == (300, 200)
    for spot in ((11, 11), (98, 48), (299, 199), (1, 1)):
        assert near(masked.convert("RGB").getpixel(spot), (0, 0, 0))  # type: ignore[arg-type]  # RGB
    assert near(masked.convert("RGB").getpixel((200, 100)), WHITE)  # type: ignore[arg-type]  # RGB


async def test_a_masked_copy_tells_nothing_about_where_it_was_taken(pictures: SafePictures) -> None:
    exif = Image.Exif()
    exif[0x010E] = "at home"
    picture = await pictures.check(encoded(noise(), "JPEG", exif=exif, comment=b"at home"))
    data, _ = await pictures.mask(picture, [])
    assert b"at home" in picture.data
    assert b"at home" not in data


async def test_nothing_under_a_mask_can_be_read_again(pictures: SafePictures) -> None:
    secret, other = (Image.new("RGB", (200, 60), WHITE) for _ in range(2))
    ImageDraw.Draw(secret).text((20, 20), "13800000001", fill="black")
    ImageDraw.Draw(other).text((20, 20), "77777777777", fill="black")
    box = (10, 10, 190, 50)
    masked = [await pictures.mask(await pictures.check(encoded(p)), [box]) for p in (secret, other)]
    assert masked[0] == masked[1]


# --- Processes that die -------------------------------------------------------------------------------


async def test_a_picture_behind_a_bomb_is_not_lost() -> None:
    good = encoded(two_halves())
    async with closing(SafePictures(counter(), workers=1, processor_seconds=0)) as tool:
        results = await asyncio.gather(
            tool.check(scan_bomb()), *(tool.check(good) for _ in range(5)), return_exceptions=True
        )
    assert isinstance(results[0], PictureTooLarge)
    assert all(isinstance(r, Picture) for r in results[1:])


async def test_a_killed_process_is_replaced() -> None:
    data = encoded(two_halves())
    others = decoders()
    async with closing(SafePictures(counter())) as tool:
        await tool.check(data)
        for _ in range(3):
            (pid,) = decoders() - others
            os.kill(pid, signal.SIGKILL)
            assert (await tool.check(data)).width == 64


async def test_a_process_that_hangs_is_given_up() -> None:
    data = encoded(two_halves())
    others = decoders()
    async with closing(SafePictures(counter(), workers=1, deadline=1.5)) as tool:
        await tool.check(data)
        (pid,) = decoders() - others
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(PictureTooLarge):
            await tool.check(data)
        assert (await tool.check(data)).width == 64
        assert pid not in decoders()


async def test_a_cancelled_job_does_not_answer_the_next_one() -> None:
    async with closing(SafePictures(counter(), workers=1)) as tool:
        await tool.check(encoded(two_halves()))
        slow = asyncio.create_task(tool.check(encoded(Image.new("RGB", (4000, 4000)))))
        await asyncio.sleep(0)
        slow.cancel()
        with pytest.raises(asyncio.CancelledError):
            await slow
        assert (await tool.check(encoded(two_halves((20, 10))))).width == 20


async def test_at_most_so_many_processes_and_none_after_closing() -> None:
    others = decoders()
    async with closing(SafePictures(counter(), workers=2)) as tool:
        await asyncio.gather(*(tool.check(encoded(two_halves())) for _ in range(8)))
        assert len(decoders() - others) == 2
    assert decoders() <= others
