"""A phone's page, drawn from top to bottom: what every page of a phone is made of.

Lengths are pixels of a screen 1080 wide. ``y`` is where the next element goes.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

WIDTH, HEIGHT = 1080, 2340
MARGIN = 36
PADDING = 44
"""Between the edge of a card and what is in it."""

INK, GREY, PALE, LINE, WHITE, GROUND = "#1a1a1a", "#8a8d93", "#b4b7bd", "#ececef", "#ffffff", "#f4f5f7"
BLUE, RED, ORANGE, GREEN, GOLD = "#1677ff", "#e4393c", "#ff6a00", "#07b35a", "#8a5a12"

HUGE, LARGE, TITLE, BODY, SMALL, TINY = 118, 64, 52, 43, 37, 32

_NEVER_FIRST = frozenset("，。；：！？、）】》")
_FINER = 4
Box = tuple[int, int, int, int]
Point = tuple[int, int]


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    from pylopdf_fonts_zh_cn import sans_path

    return ImageFont.truetype(str(sans_path()), size)


@cache
def _mask(size: Point, paint: Callable[[ImageDraw.ImageDraw, int, int], None]) -> Image.Image:
    """A shape with smooth edges: painted larger, then reduced."""
    width, height = size[0] * _FINER, size[1] * _FINER
    mask = Image.new("L", (width, height))
    paint(ImageDraw.Draw(mask), width, height)
    return mask.reduce(_FINER)


def wrapped(text: str, size: int, width: int) -> list[str]:
    """Lines no wider than that: Chinese breaks anywhere, English between words."""
    lines, line = [], ""
    for piece in _pieces(text):
        if line and piece not in _NEVER_FIRST and _font(size).getlength((line + piece).rstrip()) > width:
            lines.append(line.rstrip())
            line = piece.lstrip()
        else:
            line += piece
    return [*lines, line.rstrip()]


def _pieces(text: str) -> list[str]:
    pieces: list[str] = []
    for char in text:
        if pieces and char.isascii() and pieces[-1][-1].isascii() and pieces[-1][-1] != " ":
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


class Phone:
    def __init__(self, background: str = GROUND) -> None:
        self.image = Image.new("RGB", (WIDTH, HEIGHT), background)
        self._draw = ImageDraw.Draw(self.image)
        self.y = 0

    def png(self) -> bytes:
        out = BytesIO()
        self.image.save(out, "PNG")
        return out.getvalue()

    # --- shapes ---

    def shape(self, box: Box, paint: Callable[[ImageDraw.ImageDraw, int, int], None], fill: str) -> None:
        size = box[2] - box[0], box[3] - box[1]
        self.image.paste(fill, box, _mask(size, paint))

    def disc(self, x: int, y: int, diameter: int, fill: str) -> None:
        self.shape((x, y, x + diameter, y + diameter), _paint_disc, fill)

    def rounded(self, box: Box, radius: int, fill: str) -> None:
        x0, y0, x1, y1 = box
        self._draw.rectangle((x0 + radius, y0, x1 - radius - 1, y1 - 1), fill)
        if y1 - y0 > 2 * radius:
            self._draw.rectangle((x0, y0 + radius, x1 - 1, y1 - radius - 1), fill)
        for x in (x0, x1 - 2 * radius):
            for y in (y0, y1 - 2 * radius):
                self.disc(x, y, 2 * radius, fill)

    def fade(self, box: Box, top: str, bottom: str) -> None:
        """A ground that goes from one colour to another."""
        size = box[2] - box[0], box[3] - box[1]
        slope = Image.linear_gradient("L").resize(size)
        self.image.paste(
            Image.composite(Image.new("RGB", size, bottom), Image.new("RGB", size, top), slope), box
        )

    def rule(self, x0: int = MARGIN + PADDING, x1: int = WIDTH - MARGIN - PADDING) -> None:
        self._draw.rectangle((x0, self.y, x1 - 1, self.y + 1), LINE)

    def bag(self, x: int, y: int, side: int, fill: str) -> None:
        """The shop's sign: a white bag on a coloured disc."""
        self.disc(x, y, side, fill)
        inset = side // 4
        self.shape((x + inset, y + inset, x + side - inset, y + side - inset), _paint_bag, WHITE)

    def thumbnail(self, x: int, y: int, side: int, fill: str) -> None:
        """A product's photograph, as far as we have one."""
        self.rounded((x, y, x + side, y + side), 20, fill)
        inset = side // 4
        self.shape((x + inset, y + inset, x + side - inset, y + side - inset), _paint_bag, WHITE)

    def toggle(self, right: int, middle: int, *, on: bool, fill: str) -> None:
        box = (right - 116, middle - 34, right, middle + 34)
        self.rounded(box, 34, fill if on else "#d9dadd")
        self.disc(box[2] - 63 if on else box[0] + 5, middle - 29, 58, WHITE)

    def chevron(self, x: int, middle: int, fill: str = PALE) -> None:
        self.shape((x, middle - 18, x + 20, middle + 18), _paint_chevron, fill)

    # --- text ---

    def text(
        self,
        at: Point,
        text: str,
        size: int = BODY,
        fill: str = INK,
        anchor: str = "lm",
        *,
        bold: bool = False,
    ) -> None:
        """``anchor`` as Pillow has it: ``lm`` is left and middle, ``rm`` right, ``mm`` centred."""
        stroke = size / 40 if bold else 0
        self._draw.text(at, text, fill, _font(size), anchor, stroke_width=stroke, stroke_fill=fill)

    def lines(
        self, x: int, text: str, size: int, fill: str, width: int, *, gap: float = 1.45, bold: bool = False
    ) -> None:
        """A paragraph; ``y`` goes below it."""
        for line in wrapped(text, size, width):
            self.text((x, self.y + round(size * gap / 2)), line, size, fill, bold=bold)
            self.y += round(size * gap)

    # --- elements ---

    def status_bar(self, clock: str, fill: str = INK) -> None:
        self.text((64, 62), clock, 42, fill, bold=True)
        for bar in range(4):
            left, top = 806 + bar * 15, 76 - 9 * (bar + 1)
            self._draw.rectangle((left, top, left + 9, 78), fill)
        self.text((880, 63), "5G", 34, fill, bold=True)
        self.shape((940, 42, 1012, 80), _paint_battery, fill)
        self.y = 120

    def title_bar(self, title: str, right: str = "", fill: str = INK) -> None:
        middle = self.y + 66
        self.shape((48, middle - 27, 78, middle + 27), _paint_back, fill)
        self.text((WIDTH // 2, middle), title, TITLE, fill, "mm", bold=True)
        self.text((WIDTH - 48, middle), right, SMALL, fill, "rm")
        self.y += 132

    def card(self, height: int, fill: str = WHITE) -> None:
        """A white card from here on; ``y`` goes inside, and what is drawn next lies on it."""
        self.rounded((MARGIN, self.y, WIDTH - MARGIN, self.y + height), 28, fill)

    def row(self, label: str, value: str, fill: str = INK, *, bold: bool = False, link: bool = False) -> None:
        """A grey label on the left, its value on the right, in as many lines as it needs."""
        right = WIDTH - MARGIN - PADDING - (38 if link else 0)
        lines = wrapped(value, BODY, 640)
        self.text((MARGIN + PADDING, self.y + 48), label, BODY, GREY)
        for index, line in enumerate(lines):
            self.text((right, self.y + 48 + 60 * index), line, BODY, fill, "rm", bold=bold)
        if link:
            self.chevron(right + 18, self.y + 48)
        self.y += row_height(value)

    def rows(self, pairs: Sequence[tuple[str, str]], *, heading: str = "") -> None:
        """A card of rows."""
        height = sum(row_height(value) for _, value in pairs) + 48 + (84 if heading else 0)
        self.card(height)
        bottom = self.y + height + 28
        self.y += 24
        if heading:
            self.text((MARGIN + PADDING, self.y + 46), heading, 46, INK, bold=True)
            self.y += 84
        for label, value in pairs:
            self.row(label, value)
        self.y = bottom

    def button(self, box: Box, label: str, fill: str = "", ink: str = WHITE) -> None:
        """A filled button; without ``fill`` an outlined one."""
        radius = (box[3] - box[1]) // 2
        self.rounded(box, radius, fill or PALE)
        if not fill:
            self.rounded((box[0] + 2, box[1] + 2, box[2] - 2, box[3] - 2), radius - 2, WHITE)
        self.text(((box[0] + box[2]) // 2, (box[1] + box[3]) // 2), label, BODY, ink, "mm")

    def bottom_bar(self, labels: Sequence[tuple[str, str]]) -> None:
        """Buttons at the foot, from the right; each with its colour or none."""
        self._draw.rectangle((0, HEIGHT - 206, WIDTH, HEIGHT), WHITE)
        right = WIDTH - MARGIN
        for label, fill in labels:
            left = right - round(_font(BODY).getlength(label)) - 88
            self.button((left, HEIGHT - 174, right, HEIGHT - 84), label, fill, WHITE if fill else INK)
            right = left - 24

    def home_bar(self, fill: str = INK) -> None:
        self.rounded((370, HEIGHT - 34, 710, HEIGHT - 22), 6, fill)

    def timeline(
        self, steps: Sequence[tuple[str, str]], fill: str, *, reached: int = 1, width: int = 800
    ) -> None:
        """Texts with their times below, a dot and a line at the left; the first ``reached`` in colour."""
        left = MARGIN + PADDING
        for index, (text, when) in enumerate(steps):
            active = index < reached
            top = self.y
            if index < len(steps) - 1:
                self._draw.rectangle((left + 13, top + 44, left + 16, top + step_height(text, width)), LINE)
            self.disc(left, top + 18, 30, fill if active else "#d5d7db")
            self.y = top
            self.lines(left + 66, text, BODY, INK if active else GREY, width, bold=index == 0)
            if when:
                self.text((left + 66, self.y + 24), when, SMALL, GREY)
            self.y = top + step_height(text, width)


def open_page(now: datetime, title: str, right: str = "") -> Phone:
    """A page with its bars, ready for its content."""
    page = Phone()
    page.status_bar(f"{now:%H:%M}")
    page.title_bar(title, right)
    page.home_bar()
    page.y += 16
    return page


def row_height(value: str) -> int:
    return 36 + 60 * len(wrapped(value, BODY, 640))


def step_height(text: str, width: int = 800) -> int:
    return 62 * len(wrapped(text, BODY, width)) + 98


def _paint_disc(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    draw.ellipse((0, 0, width - 1, height - 1), 255)


def _paint_chevron(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    pen = width // 6
    draw.line(((pen, pen), (width - pen, height // 2), (pen, height - pen)), 255, pen, "curve")


def _paint_back(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    pen = width // 5
    draw.line(((width - pen, pen), (pen, height // 2), (width - pen, height - pen)), 255, pen, "curve")


def _paint_bag(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    draw.rounded_rectangle((0, height // 3, width - 1, height - 1), width // 8, 255)
    draw.arc((width // 4, 0, width * 3 // 4, height * 2 // 3), 180, 360, 255, width // 10)


def _paint_battery(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    pen = height // 10
    draw.rounded_rectangle((0, 0, width * 11 // 12, height - 1), height // 4, 0, 255, pen)
    draw.rounded_rectangle((pen * 2, pen * 2, width * 8 // 12, height - 1 - pen * 2), height // 8, 255)
    draw.rectangle((width * 23 // 24, height // 3, width, height * 2 // 3), 255)


def paint_check(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    pen = width // 8
    draw.line(
        ((pen, height // 2), (width * 2 // 5, height - 2 * pen), (width - pen, pen * 2)), 255, pen, "curve"
    )


def paint_cross(draw: ImageDraw.ImageDraw, width: int, height: int) -> None:
    pen = width // 8
    draw.line(((pen, pen), (width - pen, height - pen)), 255, pen)
    draw.line(((width - pen, pen), (pen, height - pen)), 255, pen)
