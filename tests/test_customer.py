"""The customer's own end, which every campaign trusts: does it notice what no customer may see?"""

from tests.customer import Line, Screen


def line(seq: int, text: str = "", sender: str = "bot", client_id: str | None = None) -> Line:
    frame = {"seq": seq, "from": sender, "text": text, "client_id": client_id}
    return Line.of(frame)


def test_lines_in_order_are_shown() -> None:
    screen = Screen()
    screen.begin(0, 2, announced=False)
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


def test_going_on_elsewhere_is_right_only_if_it_is_said() -> None:
    screen = Screen()
    screen.show(line(1))
    screen.begin(1, 5, announced=False)
    assert not screen.faults
    screen.begin(7, 9, announced=True)
    screen.show(line(8))
    assert [*screen.lines] == [8]
    assert not screen.faults
    assert not screen.missing
    screen.begin(3, 9, announced=False)
    screen.begin(8, 4, announced=False)
    assert len(screen.faults) == 2
