"""What a customer sees, and what no customer may ever see."""

from dataclasses import dataclass, field
from typing import Any

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the log. ``frame`` is all of it, as it came."""

    seq: int
    sender: str
    text: str
    client_id: str | None
    frame: Frame = field(repr=False)

    @classmethod
    def of(cls, frame: Frame) -> "Line":
        whole = {name: value for name, value in frame.items() if name != "type"}
        return cls(frame["seq"], frame["from"], frame["text"], frame.get("client_id"), whole)

    @property
    def is_answer(self) -> bool:
        return self.sender != "customer"


class Screen:
    """What a customer sees of a session.

    ``faults`` are sentences about what may never be seen; ``missing`` the numbers of lines that were left out
    without a word (a bot's line that a person's take-over made void may be among them).
    """

    def __init__(self) -> None:
        self.lines: dict[int, Line] = {}
        self.seqs: dict[str, int] = {}
        """The number of each message of this customer's, as ``accepted`` or its line said."""
        self.faults: list[str] = []
        self.missing: set[int] = set()
        self.last = 0

    def goes_on(self, after: int, last: int) -> bool:
        """A hello: of ``last`` lines those after ``after`` follow. False, and all is new, if we are elsewhere."""
        if after == self.last <= last:
            return True
        self.lines.clear()
        self.seqs.clear()
        self.last = after
        return False

    def accept(self, client_id: str, seq: int) -> None:
        if self.seqs.setdefault(client_id, seq) != seq:
            self.faults.append(f"message {client_id} was line {self.seqs[client_id]}, and now is {seq}")

    def show(self, line: Line) -> None:
        if line.seq <= self.last:
            same = self.lines.get(line.seq) == line
            self.faults.append(f"line {line.seq} came after {self.last}" + ("" if same else ": another one"))
            return
        self.missing.update(range(self.last + 1, line.seq))
        self.lines[line.seq] = line
        self.last = line.seq
        if line.client_id:
            self.accept(line.client_id, line.seq)

    def answer(self, seq: int) -> Line | None:
        """The first answer after the line ``seq``."""
        later = (line for line in self.lines.values() if line.seq > seq and line.is_answer)
        return min(later, key=lambda line: line.seq, default=None)
