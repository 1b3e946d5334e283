"""The customer's own end, which every campaign trusts: does it notice what no customer may see?"""

from tests.screen import Line, Screen


def line(seq: int, text: str = "", sender: str = "bot", client_id: str | None = None) -> Line:
    frame = {"seq": seq, "from": sender, "text": text, "client_id": client_id}
    return Line.of(frame)


def test_lines_in_order_are_shown() -> None:
    screen = Screen()
    assert screen.goes_on(0, 2)
    screen.accept("a", 1)
    screen.show(line(1, "你好", "customer", "a"))
    screen.show(line(2, "您好"))
    assert screen.answer(1) == line(2, "您好")
    assert screen.answer(2) is None
    assert not screen.faults
    assert not screen.missing


def test_a_line_left_out_is_noticed() -> None:
    screen = Screen()
    screen.show(line(1))
    screen.show(line(4))
    assert screen.missing == {2, 3}


def test_a_line_that_comes_twice_or_late_is_noticed() -> None:
    screen = Screen()
    for seq, text in ((1, "a"), (3, "c"), (3, "c"), (3, "other"), (2, "b")):
        screen.show(line(seq, text))
    assert screen.faults == [
        "line 3 came after 3",
        "line 3 came after 3: another one",
        "line 2 came after 3: another one",
    ]
    assert [*screen.lines] == [1, 3]


def test_a_message_that_was_kept_twice_is_noticed() -> None:
    screen = Screen()
    screen.accept("a", 1)
    screen.show(line(1, "你好", "customer", "a"))
    screen.show(line(2, "你好", "customer", "a"))
    assert screen.faults == ["message a was line 1, and now is 2"]


def test_going_on_elsewhere_is_noticed_and_begins_anew() -> None:
    screen = Screen()
    screen.show(line(1))
    assert screen.goes_on(1, 5)
    assert [*screen.lines] == [1]
    assert not screen.goes_on(7, 9)
    screen.show(line(8))
    assert [*screen.lines] == [8]
    assert not screen.goes_on(8, 4)
    assert not screen.faults
    assert not screen.missing
