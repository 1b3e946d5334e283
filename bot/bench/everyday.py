"""Everyday questions of the demo shop's customers."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import chain
from random import Random

import yaml

from bot.domain.vocabulary import CustomerId


@dataclass(frozen=True, slots=True)
class Everyday:
    customers: tuple[CustomerId, ...]
    questions: tuple[str, ...]

    def asked(self, seed: int) -> Iterator[str]:
        """Questions without end, each as often as the others; the same ones for the same seed."""
        chance = Random(seed)  # noqa: S311  # nobody is to be kept from guessing
        while True:
            yield from chance.sample(self.questions, len(self.questions))


@cache
def everyday() -> Everyday:
    given = yaml.safe_load(files(__package__).joinpath("everyday.yml").read_text("utf-8"))
    return Everyday(
        tuple(map(CustomerId, given["customers"])), tuple(chain.from_iterable(given["questions"]))
    )
