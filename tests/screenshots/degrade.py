"""Writes a spoiled copy of a labelled folder: what chats and cameras do to a screenshot.

python tests/screenshots/degrade.py tests/screenshots/dev jpeg30 /tmp/dev-jpeg30
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageEnhance, ImageFilter


def _half(picture: Image.Image) -> Image.Image:
    return picture.resize((picture.width // 2, picture.height // 2), Image.Resampling.BILINEAR)


def _blur(picture: Image.Image) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(picture.width / 200))


def _dark(picture: Image.Image) -> Image.Image:
    return ImageEnhance.Brightness(picture).enhance(0.18)


def _same(picture: Image.Image) -> Image.Image:
    return picture


WAYS: dict[str, tuple[Callable[[Image.Image], Image.Image], str, str | None]] = {
    "jpeg30": (_same, ".jpg", None),
    "half": (_half, ".png", None),
    "blur": (_blur, ".png", "blurred"),
    "dark": (_dark, ".png", "dark"),
}
"""How each way changes a picture, the file it gives, and the flag it earns."""


def degrade(folder: Path, way: str, to: Path) -> None:
    """Copies the pictures and labels of ``folder`` to ``to``, spoiled in one way."""
    change, suffix, flag = WAYS[way]
    to.mkdir(parents=True, exist_ok=True)
    for file in sorted(folder.glob("*.png")):
        before = Image.open(file).convert("RGB")
        after = change(before)
        after.save(to / (file.stem + suffix), quality=30)
        label = json.loads(file.with_suffix(".json").read_text("utf-8"))
        for fact in label["facts"]:
            fact["box"] = [round(edge * after.width / before.width) for edge in fact["box"]]
        label["flags"] = [*label["flags"], *([flag] if flag else [])]
        (to / f"{file.stem}.json").write_text(json.dumps(label, ensure_ascii=False, indent=1) + "\n", "utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description="Writes a spoiled copy of a labelled folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("way", choices=sorted(WAYS))
    parser.add_argument("to", type=Path)
    args = parser.parse_args()
    degrade(args.folder, args.way, args.to)


if __name__ == "__main__":
    main()
