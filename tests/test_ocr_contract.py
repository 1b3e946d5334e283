"""The contract of every reader, over the embedded one, on pictures of the main job."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.readers.ocr.embedded import EmbeddedReader
from bot.domain.ports import ScreenReader
from bot.domain.reading import Picture
from bot.domain.vocabulary import PictureId
from tests.contracts.reader import ReaderContract

SCENARIO = Path(__file__).parent / "screenshots" / "scenario"
NOW = datetime(2026, 3, 20, 12, tzinfo=ZoneInfo("Asia/Shanghai"))


class TestOcr(ReaderContract):
    @pytest.fixture
    def reader(self) -> ScreenReader:
        return EmbeddedReader(lambda: NOW)

    @pytest.fixture
    def pictures(self) -> Sequence[Picture]:
        names = ("scenario-bill.png", "scenario-sms.png")
        return [Picture(PictureId(n), (SCENARIO / n).read_bytes(), "image/png", 780, 1688) for n in names]
