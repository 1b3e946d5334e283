"""A process that has loaded everything and forks bots: one is there in milliseconds, and may die as it likes.

It speaks JSON lines: births come in, what happens goes out. Bots write their own lines to the same pipe, each
in one piece. No loop, thread or connection is opened before a fork.
"""

import asyncio
import gc
import json
import os
import random
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, Never

from uvloop import new_event_loop

from bot import telemetry
from bot.app import load_classifier
from bot.domain.ports import Classifier
from bot.settings import Settings
from tests.chaos.bot import Birth, live
from tests.chaos.failpoints import Board

OUT = 1


def report(**event: Any) -> None:
    os.write(OUT, json.dumps({"pid": os.getpid(), **event}).encode() + b"\n")


def _tell_modules(pipe: int) -> Never:
    with open(pipe, "w") as out:
        out.write("\n".join(sys.modules))
    os._exit(0)


class Zygote:
    def __init__(self, board: Board, classifier: Classifier) -> None:
        self._board, self._classifier = board, classifier
        self._orders = open(0, "rb", buffering=0)  # what a buffer has read ahead, no selector would see
        self._children: set[int] = set()
        self._woken, self._wakes = socket.socketpair()
        for end in (self._woken, self._wakes):
            end.setblocking(False)

    def serve(self) -> None:
        """Until standard input ends; then no bot is left behind."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wakes.fileno())
        with selectors.DefaultSelector() as selector:
            selector.register(self._orders, selectors.EVENT_READ)
            selector.register(self._woken, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is self._woken:
                        self._woken.recv(4096)
                        self._look_after_children()
                    elif line := self._orders.readline():
                        self._bear(Birth(**json.loads(line)))
                    else:
                        return self._end()

    def rehearse(self) -> None:
        """Imports what the first bot imports until it is ready, so that no other has to do it again."""
        birth = Birth(**json.loads(self._orders.readline()))
        reads, writes = os.pipe()
        if (pid := os.fork()) == 0:
            os.set_inheritable(writes, False)
            self._be(birth, lambda **_: _tell_modules(writes))
        os.close(writes)
        with open(reads) as told:
            for name in told.read().split():
                with suppress(ImportError):
                    import_module(name)
        os.waitpid(pid, 0)

    def _bear(self, birth: Birth) -> None:
        if pid := os.fork():
            self._children.add(pid)
            report(event="born", child=pid, slot=birth.slot)
            return
        self._be(birth, report)

    def _be(self, birth: Birth, report: Callable[..., None]) -> Never:
        """In the child: another process altogether, which never comes back from here."""
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        self._woken.close()
        self._wakes.close()
        random.seed()
        status = 1
        try:
            with asyncio.Runner(loop_factory=new_event_loop) as runner:
                runner.run(live(birth, self._board, self._classifier, report))
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _look_after_children(self) -> None:
        while self._children:
            pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            if pid == 0:
                return
            if os.WIFSTOPPED(status):
                report(event="stopped", child=pid)
            else:
                self._children.discard(pid)
                report(event="died", child=pid, status=os.waitstatus_to_exitcode(status))

    def _end(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)


def main(board: Path, slots: int, classifier: Path) -> None:
    telemetry.configure("WARNING")
    zygote = Zygote(Board(board, slots), load_classifier(Settings(home=classifier)))
    zygote.rehearse()
    assert len(os.listdir("/proc/self/task")) == 1, "a thread does not outlive a fork"
    gc.collect()
    gc.freeze()
    report(event="loaded")
    zygote.serve()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
