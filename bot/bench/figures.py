"""What a benchmark says: one figure a line, beside what it is measured against."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Unit = Literal["ms", "s", "1/s", "KiB", "MiB", ""]


@dataclass(frozen=True, slots=True)
class Aim:
    """What the value, or its ratio to the reference, is to be."""

    bound: float
    of: Literal["value", "ratio"] = "value"
    at_least: bool = False

    def __str__(self) -> str:
        sign, what = ">=" if self.at_least else "<=", "ratio " if self.of == "ratio" else ""
        return f"{what}{sign} {_shown(self.bound)}"


@dataclass(frozen=True, slots=True)
class Reference:
    """The same thing of something well known, measured in the same run."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Figure:
    bench: str
    setup: str
    what: str
    value: float
    unit: Unit
    reference: Reference | None = None
    aim: Aim | None = None

    @property
    def ratio(self) -> float | None:
        return self.value / self.reference.value if self.reference and self.reference.value else None

    @property
    def met(self) -> bool | None:
        """None where there is no aim."""
        measured = self.ratio if self.aim and self.aim.of == "ratio" else self.value
        if self.aim is None or measured is None:
            return None
        return measured >= self.aim.bound if self.aim.at_least else measured <= self.aim.bound

    def as_json(self) -> dict[str, Any]:
        return {
            "bench": self.bench,
            "setup": self.setup,
            "what": self.what,
            "value": _rounded(self.value),
            "unit": self.unit,
            "reference": self.reference
            and {"name": self.reference.name, "value": _rounded(self.reference.value)},
            "ratio": None if self.ratio is None else _rounded(self.ratio),
            "aim": self.aim and asdict(self.aim),
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Remark:
    """What a reader of the figures must know: a setup that could not be had, a limit that was hit."""

    bench: str
    remark: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


Line = Figure | Remark

HEADINGS = ("setup", "what", "measured", "reference", "ratio", "aim", "")


def table(lines: Iterable[Line]) -> list[str]:
    """The figures in columns, the remarks below."""
    every = list(lines)
    rows = [HEADINGS, *(_row(line) for line in every if isinstance(line, Figure))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    shown = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
    return [*shown, *(f"* {line.remark}" for line in every if isinstance(line, Remark))]


def _row(figure: Figure) -> Sequence[str]:
    beside = f"{figure.reference.name} {_shown(figure.reference.value)}" if figure.reference else ""
    ratio = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    aim = str(figure.aim) if figure.aim else ""
    met = {None: "", True: "met", False: "not met"}[figure.met]
    return (
        figure.setup,
        figure.what,
        f"{_shown(figure.value)} {figure.unit}".rstrip(),
        beside,
        ratio,
        aim,
        met,
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def progress(what: str) -> None:
    """What is being done, for whoever waits: standard output holds the figures alone."""
    print(what, file=sys.stderr)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies (nearest rank)."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))]
