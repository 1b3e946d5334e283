"""Each benchmark, as small as it goes: what it says, not what it measures."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.bench.everyday import everyday
from bot.bench.figures import Aim, Figure, Reference, Remark, percentile, table
from bot.bench.processes import family, rss_of

ROOT = Path(__file__).parents[1]


def figure(value: float, beside: float | None = None, aim: Aim | None = None) -> Figure:
    reference = None if beside is None else Reference("floor", beside)
    return Figure("turns", "sqlite", "rate", value, "1/s", reference, aim)


@pytest.mark.parametrize(
    ("measured", "met"),
    [
        (figure(10), None),
        (figure(10, 20), None),
        (figure(4.9, 0.5, Aim(5)), True),
        (figure(5.1, 0.5, Aim(5)), False),
        (figure(1300, 2000, Aim(0.6, "ratio", at_least=True)), True),
        (figure(1100, 2000, Aim(0.6, "ratio", at_least=True)), False),
        (figure(13, 10, Aim(1.2, "ratio")), False),
        (figure(10, None, Aim(1.2, "ratio")), None),
    ],
)
def test_an_aim_is_met_or_not(measured: Figure, met: bool | None) -> None:
    assert measured.met is met


def test_a_figure_is_one_json_object() -> None:
    assert json.loads(json.dumps(figure(1234.56, 2000, Aim(0.6, "ratio", at_least=True)).as_json())) == {
        "bench": "turns",
        "setup": "sqlite",
        "what": "rate",
        "value": 1235,
        "unit": "1/s",
        "reference": {"name": "floor", "value": 2000},
        "ratio": 0.6173,
        "aim": {"bound": 0.6, "of": "ratio", "at_least": True},
        "met": True,
    }


def test_a_table_has_a_row_for_each_figure_and_the_remarks_below() -> None:
    heading, row, remark = table([Remark("turns", "no PostgreSQL"), figure(0.5, 2, Aim(1.2, "ratio"))])
    assert heading.split() == ["setup", "what", "measured", "reference", "ratio", "aim"]
    assert row.split("  ")[0] == "sqlite"
    assert "floor 2" in row
    assert row.endswith("ratio <= 1.2  met")
    assert remark == "* no PostgreSQL"


def test_percentiles() -> None:
    values = [float(value) for value in range(100, 0, -1)]
    assert (percentile(values, 0.5), percentile(values, 0.99), percentile([7], 0.99)) == (51, 100, 7)


def test_the_same_seed_asks_the_same() -> None:
    first, second, other = (everyday().asked(seed) for seed in (1, 1, 2))
    asked = [next(first) for _ in range(60)]
    assert asked == [next(second) for _ in range(60)] != [next(other) for _ in range(60)]
    assert {*asked} == {*everyday().questions}


class Bench:
    """The command, in a home with a trained classifier."""

    def __init__(self, home: Path) -> None:
        self._home = home

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOTDESK_")}
        return subprocess.run(
            [sys.executable, "-c", "from bot.cli import main; main()", "bench", *arguments],
            cwd=ROOT,
            env=kept | {"SHOTDESK_HOME": str(self._home)},
            capture_output=True,
            text=True,
            timeout=300,
            check=True,
        )

    def lines(self, *arguments: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self(*arguments, "--json").stdout.splitlines()]


@pytest.fixture
def bench(tmp_path: Path, trained: Path) -> Bench:
    (tmp_path / "classifier").symlink_to(trained)
    return Bench(tmp_path)


def said(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The figures by what they are about. Nothing went wrong on the way: there is no remark."""
    assert all(line["value"] >= 0 for line in lines)
    return {line["what"]: line for line in lines}


@pytest.mark.full
def test_the_benchmarks_are_listed(bench: Bench) -> None:
    assert {"turns", "sockets", "growth"} <= set(bench("--help").stdout.split())


@pytest.mark.full
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_turns(bench: Bench, database: str) -> None:
    lines = bench.lines("turns", "--database", database, "--rounds", "1", "--turns", "32")
    figures = said(lines)
    assert all(line["setup"].startswith(f"{database}, valkey") for line in lines)
    assert {"p50, 1 client", "p99, 1 client", "rate, 8 clients", "rate, 32 clients"} <= set(figures)
    assert figures["rate, 8 clients"]["reference"]["name"] == "floor"
    assert figures["processor time a turn, 32 clients"]["value"] > 0
    assert ("of PostgreSQL, 8 clients" in figures) == (database == "postgresql")
    assert figures["memory after the start"]["unit"] == "MiB"


@pytest.mark.full
def test_sockets(bench: Bench) -> None:
    figures = said(bench.lines("sockets", "--sockets", "40", "--turns", "20", "--seconds", "0.5"))
    assert figures["open"]["value"] == 40
    assert figures["a turn meanwhile, p50"]["reference"]["name"] == "no idle sockets"


@pytest.mark.full
@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_growth(bench: Bench, database: str) -> None:
    lines = bench.lines("growth", "--database", database, "--conversations", "3000", "--turns", "8")
    figures = said(lines)
    assert figures["conversations stored"]["value"] == 3000
    assert figures["size of the database"]["ratio"] > 1
    assert figures["turn in a stored session"]["reference"]["name"] == "996 stored"
    of_a_session = [line["reference"]["name"] for line in lines if line["what"] == "turn 500 of a session"]
    assert of_a_session == ["turn 2", "turn 1"]


def test_a_process_is_counted_with_its_descendants() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as parent:
        while len([*family(parent.pid)]) < 2:
            assert parent.poll() is None
        assert rss_of(parent.pid) > sum(each.rss for each in [*family(parent.pid)][:1])
        parent.communicate(b"\n")
    assert [*family(parent.pid)] == []
