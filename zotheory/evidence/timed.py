"""Timed evidence: ratios of times taken side by side, until they decide what is claimed of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np

from zotheory.context import Context
from zotheory.evidence.compared import Case, Compared, Sample, compare
from zotheory.files import read_json, write_atomically
from zotheory.statistics.intervals import fewest_for_a_median
from zotheory.vocabulary import DRAWN, Check, Evidence, Kind, Statement, Verdict, written

Contenders = Mapping[str, Callable[[], object]]
Seconds = Mapping[str, np.ndarray]  # of every contender, one a round


@dataclass(frozen=True)
class Rounds:
    """Rounds in which every contender is timed once, shared by all claims of a run.

    Attributes:
        name: what is timed; no other rounds are called so.
        contenders: what is called, by name, and what has to be in place meanwhile.
        most: rounds, after which what is still open stays open.
    """

    name: str
    contenders: Callable[[Context], AbstractContextManager[Contenders]]
    most: int


@dataclass(frozen=True)
class Timing:
    """One place at which a formula is judged: what to time, and what that says of the formula.

    `case(statement, context, seconds, ...)`, with the seconds of each of the `rounds`, gives the
    ratios as `compared.median` for every quantity of the formula.
    """

    case: Callable[..., Case]
    rounds: tuple[Rounds, ...]


def timed(*timings: Timing) -> Check:
    """A check that decides relations of ratios with numbers, or with each other, on medians.

    Rounds are taken until the formula is decided, or there are enough of them: the medians'
    intervals hold after every round at once, so that a look at them costs nothing. The error
    probability is shared by all medians; rounds are taken as independent. What is measured is this
    machine: the ledger says so, and figures differ from run to run. Without a model there is
    nothing to time.
    """

    def judge(statement: Statement, context: Context) -> Evidence:
        if context.model is None:
            return Evidence(Kind.TIMED, Verdict.NOT_RUN, "left out: no model was given")
        with ExitStack() as stack:
            places = [
                _Place(
                    timing.case, [stack.enter_context(_Clock(r, context)) for r in timing.rounds]
                )
                for timing in timings
            ]
            found = _decided(statement, places, context)
        cases = list(dict.fromkeys(comparison.case for comparison in found.comparisons))
        rounds = [_rounds(case) for case in cases]
        numbers: dict[str, Any] = {
            case.at: {name: _spread(values) for name, values in of.items()} | dict(case.notes)
            for case, of in zip(cases, rounds, strict=True)
        }
        drawn = {case.at: _rounded(case.drawn) for case in cases if case.drawn}
        if drawn:
            numbers[DRAWN] = drawn
        certificate = {
            "relation": written(statement.formula),
            "medians": found.lines,
            "error probability": context.alpha,
            "rounds": [len(next(iter(of.values()))) for of in rounds],
        }
        return found.evidence(Kind.TIMED, numbers, certificate)

    return Check(Kind.TIMED, judge)


def _decided(statement: Statement, places: Sequence[_Place], context: Context) -> Compared:
    """What the rounds say, after no more of them than that takes."""
    for place in places:
        place.take(1)
    first = [
        value for place in places for value in place.judged(statement, context).values.values()
    ]
    medians = sum(isinstance(value, Sample) for value in first)
    for place in places:
        place.take(fewest_for_a_median(context.alpha / max(1, medians)))
    while True:
        cases = [place.judged(statement, context) for place in places]
        found = compare(statement, cases, context.alpha)
        unsettled = {id(c.case) for c in found.comparisons if c.verdict is Verdict.INCONCLUSIVE}
        going_on = [
            place
            for case, place in zip(cases, places, strict=True)
            if id(case) in unsettled and place.taken < place.most
        ]
        if found.verdict is not Verdict.INCONCLUSIVE or not going_on:
            return found
        for place in going_on:
            place.take(place.taken + 1)


@dataclass
class _Place:
    """A case whose rounds go on together."""

    case: Callable[..., Case]
    clocks: Sequence[_Clock]

    def judged(self, statement: Statement, context: Context) -> Case:
        """The case, by all rounds taken."""
        return self.case(statement, context, *(clock.seconds for clock in self.clocks))

    @property
    def taken(self) -> int:
        """Rounds, the fewest of all."""
        return min(clock.taken for clock in self.clocks)

    @property
    def most(self) -> int:
        """Rounds that there can be."""
        return min(clock.rounds.most for clock in self.clocks)

    def take(self, rounds: int) -> None:
        """Go on until there are so many rounds of each."""
        for clock in self.clocks:
            clock.take(rounds)


class _Clock:
    """Takes rounds, beginning with those that the run has taken already, and keeps them for it."""

    def __init__(self, rounds: Rounds, context: Context) -> None:
        self.rounds, self._context, self._stack = rounds, context, ExitStack()
        self._going: Iterator[dict[str, float]] | None = None
        self._path = context.scratch / "rounds" / f"{rounds.name}.json"
        kept = read_json(self._path) if self._path.is_file() else {}
        self._taken: dict[str, list[float]] = kept

    def __enter__(self) -> _Clock:
        return self

    def __exit__(self, *raised: Any) -> None:
        self._stack.close()

    @property
    def taken(self) -> int:
        """The number of rounds."""
        return len(next(iter(self._taken.values()), ()))

    @property
    def seconds(self) -> Seconds:
        """Of all rounds."""
        return {name: np.array(values) for name, values in self._taken.items()}

    def take(self, rounds: int) -> None:
        """Go on until there are so many rounds. Raises ValueError if so many are not allowed."""
        most = self.rounds.most
        if rounds > most:
            raise ValueError(f"{self.rounds.name}: {rounds} rounds decide at the least, not {most}")
        while self.taken < rounds:
            if self._going is None:
                contenders = self._stack.enter_context(self.rounds.contenders(self._context))
                self._going = in_turn(contenders, self.taken)
            self._tell(f"round {self.taken + 1}")
            for name, seconds in next(self._going).items():
                self._taken.setdefault(name, []).append(seconds)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, json.dumps(self._taken))

    def _tell(self, words: str) -> None:
        self._context.tell(f"{self._context.claim}  timing: {words} of at most {self.rounds.most}")


def in_turn(contenders: Contenders, turn: int = 0) -> Iterator[dict[str, float]]:
    """Rounds without end: the seconds of every contender, after one round that is not counted.

    Each round begins with the next contender, so that none always follows the same one; ratios
    within a round are little disturbed by a machine whose speed drifts. Raises ValueError for no
    contender.
    """
    if not contenders:
        raise ValueError("timing needs contenders")
    names = list(contenders)
    for call in contenders.values():
        call()
    while True:
        first = turn % len(names)
        seconds = {}
        for name in names[first:] + names[:first]:
            start = time.perf_counter()
            contenders[name]()
            seconds[name] = time.perf_counter() - start
        yield {name: seconds[name] for name in names}
        turn += 1


def _rounds(case: Case) -> dict[str, np.ndarray]:
    return {str(s): v.values for s, v in case.values.items() if isinstance(v, Sample)}


def _rounded(rounds: Mapping[str, np.ndarray]) -> dict[str, list[float]]:
    return {name: np.round(values, 5).tolist() for name, values in rounds.items()}


def _spread(rounds: np.ndarray) -> dict[str, float]:
    """Least, quartiles and greatest of the rounds."""
    names = ("min", "lower quartile", "median", "upper quartile", "max")
    return dict(zip(names, np.quantile(rounds, [0, 0.25, 0.5, 0.75, 1]).tolist(), strict=True))
