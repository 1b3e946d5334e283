"""The command line, run as users run it: a process each, JSON on standard output."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
SCENARIO = ROOT / "tests" / "screenshots" / "scenario"

ORDERS = {
    "customers": [{"id": "C1", "name": "张伟"}, {"id": "C2"}],
    "subscriptions": [
        {
            "id": "SUB-1",
            "customer": "C1",
            "plan": "黄金会员连续包月",
            "period": "month",
            "price": "88.00",
            "currency": "CNY",
            "auto_renewal": True,
            "next_charge_at": "2026-04-01",
        }
    ],
    "charges": [
        {
            "charge_no": "CH-1",
            "customer": "C1",
            "subscription": "SUB-1",
            "amount": "88.00",
            "currency": "CNY",
            "charged_at": "2026-03-01T08:30:00",
        }
    ],
}

pytestmark = pytest.mark.full  # a process for each command


class Shotdesk:
    """The command, with a home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def __call__(self, *arguments: str, stdin: bytes = b"", **environment: str) -> "Ran":
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SHOTDESK_")}
        ran = subprocess.run(
            [sys.executable, "-c", "from bot.cli import main; main()", *arguments],
            cwd=ROOT,
            env={
                **kept,
                "SHOTDESK_HOME": str(self.home),
                "SHOTDESK_NOW": "2026-03-02T12:00:00",
                **environment,
            },
            input=stdin,
            capture_output=True,
            timeout=120,
            check=False,
        )
        return Ran(ran.returncode, ran.stdout.decode(), ran.stderr.decode())


class Ran:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.out, self.err = status, out, err

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def line(self) -> dict[str, Any]:
        (line,) = self.lines
        return line


@pytest.fixture(scope="module")
def shotdesk(tmp_path_factory: pytest.TempPathFactory, trained: Path) -> Shotdesk:
    home = tmp_path_factory.mktemp("home")
    (home / "classifier").symlink_to(trained)
    shotdesk = Shotdesk(home)
    file = home / "orders.json"
    file.write_text(json.dumps(ORDERS), "utf-8")
    assert shotdesk("orders", "import", str(file)).status == 0
    return shotdesk


def test_help_names_every_command(shotdesk: Shotdesk) -> None:
    out = shotdesk("--help").out
    for command in ("demo", "serve", "read", "classify", "ask", "orders", "migrate"):
        assert f"  {command} " in out


def test_wrong_usage_is_2(shotdesk: Shotdesk) -> None:
    assert shotdesk("read").status == 2
    assert shotdesk("nonsense").status == 2
    assert shotdesk("serve", "--role", "king").status == 2
    assert shotdesk("ask", "在吗", "--channel", "pigeon").status == 2


class TestClassify:
    def test_each_text_gets_a_line_in_order(self, shotdesk: Shotdesk) -> None:
        ran = shotdesk("classify", "为什么扣我钱", "where is my parcel", "--json")
        assert ran.status == 0
        assert [line["intent"] for line in ran.lines] == ["explain_charge", "track_shipment"]
        assert set(ran.lines[0]) == {"text", "intent", "confidence", "alternatives", "ms"}

    def test_lines_of_standard_input(self, shotdesk: Shotdesk) -> None:
        stdin = "转人工\n".encode() + b"\xff\xfe bad\n" + "谢谢".encode()
        ran = shotdesk("classify", "--json", stdin=stdin)
        assert ran.status == 1
        assert [line.get("intent") for line in ran.lines] == ["talk_to_human", None, "thank"]
        assert ran.lines[1]["error"]["code"] == "bad_text"

    def test_a_text_that_is_too_long_is_refused_alone(self, shotdesk: Shotdesk) -> None:
        ran = shotdesk("classify", "--json", stdin=b"a" * 1_048_576 + b"\n" + "退款".encode())
        assert ran.status == 1
        assert ran.lines[0]["error"]["code"] == "text_too_long"
        assert ran.lines[1]["intent"] == "request_refund"

    def test_the_last_question_decides(self, shotdesk: Shotdesk) -> None:
        alone = shotdesk("classify", "关了吧", "--json").line
        answer = shotdesk("classify", "关了吧", "--last-bot", "需要我帮您关闭自动续费吗？", "--json").line
        assert (alone["intent"], answer["intent"]) == ("stop_auto_renewal", "affirm")


class TestRead:
    def test_bad_files_do_not_stop_the_others(self, shotdesk: Shotdesk, tmp_path: Path) -> None:
        empty, text, cut = tmp_path / "empty.png", tmp_path / "text.png", tmp_path / "cut.png"
        empty.write_bytes(b"")
        text.write_text("not a picture")
        good = sorted(SCENARIO.glob("*.png"))[0]
        cut.write_bytes(good.read_bytes()[:2000])
        files = [str(f) for f in (empty, text, cut, tmp_path / "none.png", tmp_path, good)]
        ran = shotdesk("read", "--json", *files)
        assert ran.status == 1
        assert [line["file"] for line in ran.lines] == files
        codes = [line.get("error", {}).get("code") for line in ran.lines]
        assert codes == [
            "broken_picture",
            "unsupported_picture",
            "broken_picture",
            "not_found",
            "not_found",
            None,
        ]
        assert set(ran.lines[-1]) == {"file", "page", "language", "facts", "flags", "reader", "ms"}
        assert ran.lines[-1]["page"] == "charge_notice"


class TestAsk:
    def test_a_charge_is_explained_and_its_renewal_turned_off_once(self, shotdesk: Shotdesk) -> None:
        who = ("--customer", "C1", "--session", "s1", "--json")
        first = shotdesk("ask", "为什么扣我钱？", *who).line
        assert first["intent"] == "explain_charge"
        assert first["actions"] == [{"name": "stop_auto_renewal", "target": "SUB-1", "status": "proposed"}]
        assert "88.00" in first["reply"]
        assert "黄金会员连续包月" in first["reply"]
        second = shotdesk("ask", "关了吧", *who).line
        assert [action["status"] for action in second["actions"]] == ["done"]
        assert shotdesk("orders", "show", "SUB-1").line["auto_renewal"] is False
        third = shotdesk("ask", "再帮我关一次自动续费", *who).line
        assert third["actions"] == []
        assert third["turn"] == 3

    def test_a_session_of_another_customer_is_refused(self, shotdesk: Shotdesk) -> None:
        shotdesk("ask", "在吗", "--customer", "C1", "--session", "mine")
        ran = shotdesk("ask", "在吗", "--customer", "C2", "--session", "mine", "--json")
        assert ran.status == 1
        assert ran.line["error"]["code"] == "session_of_another_customer"

    def test_a_bad_picture_is_named_and_nothing_is_asked(self, shotdesk: Shotdesk) -> None:
        ran = shotdesk("ask", "看图", "--image", "nowhere.png", "--session", "p", "--json")
        assert ran.status == 1
        assert ran.line == {"file": "nowhere.png", "error": ran.line["error"]}
        assert ran.line["error"]["code"] == "not_found"

    def test_a_visitor_is_answered_and_shown_nothing(self, shotdesk: Shotdesk) -> None:
        turn = shotdesk("ask", "为什么扣我钱", "--json").line
        assert turn["actions"] == []
        assert "88.00" not in turn["reply"]


class TestOrders:
    def test_an_unknown_key_is_named_and_nothing_is_loaded(self, shotdesk: Shotdesk, tmp_path: Path) -> None:
        file = tmp_path / "bad.json"
        file.write_text('{"customers": [{"id": "C9", "colour": "red"}]}')
        ran = shotdesk("orders", "import", str(file), "--json")
        assert ran.status == 1
        assert ran.line["error"]["code"] == "bad_order_file"
        assert "colour" in ran.line["error"]["message"]
        assert shotdesk("orders", "show", "C9").line["error"]["code"] == "not_found"

    def test_no_file(self, shotdesk: Shotdesk) -> None:
        assert shotdesk("orders", "import", "nowhere.json", "--json").line["error"]["code"] == "not_found"


def test_an_unknown_setting_is_named(shotdesk: Shotdesk) -> None:
    ran = shotdesk("classify", "在吗", SHOTDESK_HOEM="/tmp")
    assert ran.status == 1
    assert "SHOTDESK_HOEM" in ran.err
    assert "SHOTDESK_HOME" in ran.err


def test_migrate_can_be_run_again(shotdesk: Shotdesk) -> None:
    assert shotdesk("migrate").status == shotdesk("migrate", "--json").status == 0
