"""Medians with their spread, rates with their confidence: nothing is printed without either."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

_Z95 = 1.959964


@dataclass(frozen=True)
class Spread:
    """Median and interquartile range of `n` measurements."""

    median: float
    iqr: float
    n: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise measurements, at least one."""
        first, median, third = np.percentile(values, [25, 50, 75])
        return cls(float(median), float(third - first), len(values))


@dataclass(frozen=True)
class Rate:
    """How often something happened, with its 95 % Wilson score interval (Wilson 1927)."""

    hits: int
    n: int
    low: float
    high: float

    @classmethod
    def of(cls, hits: int, n: int) -> Rate:
        """Estimate the rate behind `hits` of `n`, at least one."""
        share, z = hits / n, _Z95
        centre = share + z * z / (2 * n)
        reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
        scale = 1 + z * z / n
        return cls(hits, n, max(0.0, (centre - reach) / scale), min(1.0, (centre + reach) / scale))


def at_most(n: int) -> float:
    """Upper 95 % bound of a rate after `n` trials without a single hit: the rule of three."""
    return min(1.0, 3 / n)


@dataclass(frozen=True)
class Gumbel:
    """What the largest of many trials is distributed like (Gumbel 1935): `mode` and `scale`."""

    mode: float
    scale: float

    @classmethod
    def of(cls, maxima: Sequence[float] | NDArray[np.float64]) -> Gumbel:
        """Fit by maximum likelihood to maxima that are not all alike."""
        values = np.asarray(maxima, np.float64)
        offset, mean = values.min(), values.mean()
        scale = float(values.std()) * math.sqrt(6) / math.pi  # by moments, to begin with
        for _ in range(200):
            weights = np.exp((offset - values) / scale)
            wanted = float(mean - weights @ values / weights.sum())
            if math.isclose(wanted, scale, rel_tol=1e-9):
                break
            scale = (scale + wanted) / 2
        return cls(float(offset - scale * math.log(weights.mean())), scale)

    def beyond(self, level: float) -> float:
        """Return the probability that another maximum exceeds `level`."""
        return -math.expm1(-math.exp((self.mode - level) / self.scale))


_BLOCKS = 100


def beyond(values: Sequence[float], level: float, rng: Generator) -> tuple[float, float]:
    """Extrapolate how often a level is exceeded that never was, and the upper 95 % bound of that.

    A Gumbel distribution is fitted to the maxima of a hundred blocks drawn from the values, so the
    more there are the deeper in the tail it is fitted. The bound is the bootstrap's (Efron 1979),
    with 200 samples.
    """
    size = max(1, len(values) // _BLOCKS)
    drawn = rng.permutation(np.asarray(values, np.float64))
    maxima = drawn[: len(drawn) // size * size].reshape(-1, size).max(axis=1)

    def rate(some: NDArray[np.float64]) -> float:
        return Gumbel.of(some).beyond(level) / size

    again = [rate(rng.choice(maxima, len(maxima))) for _ in range(200)]
    return rate(maxima), float(np.percentile(again, 95))


@dataclass(frozen=True)
class Times:
    """Seconds of one action, one entry a round."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    def ratio(self, base: Times, *, cpu: bool = False) -> Spread:
        """How many times as long as `base`, round by round: what else ran slowed down both."""
        one, other = (self.cpu, base.cpu) if cpu else (self.wall, base.wall)
        return Spread.of([a / b for a, b in zip(one, other, strict=True)])

    def milliseconds(self, *, cpu: bool = False) -> Spread:
        """Median and spread in ms."""
        return Spread.of([1e3 * seconds for seconds in (self.cpu if cpu else self.wall)])


def with_children() -> float:
    """Return the CPU seconds of this process and of all those it has waited for."""
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(used.ru_utime + used.ru_stime for used in both)


def interleaved(
    actions: Mapping[str, Callable[[], object]],
    rounds: int,
    *,
    warm_up: bool = True,
    clock: Callable[[], float] = time.process_time,
) -> dict[str, Times]:
    """Time several actions in turn, so that a busy spell of the machine meets all of them.

    Every other round goes backwards: a machine that slows down does not harm the last one most.
    `clock` counts CPU seconds.
    """
    wall: dict[str, list[float]] = {name: [] for name in actions}
    cpu: dict[str, list[float]] = {name: [] for name in actions}
    for index in range(rounds + warm_up):
        for name, action in list(actions.items())[:: -1 if index % 2 else 1]:
            begin, begin_cpu = time.perf_counter(), clock()
            action()
            end_cpu, end = clock(), time.perf_counter()
            if index >= warm_up:
                wall[name].append(end - begin)
                cpu[name].append(end_cpu - begin_cpu)
    return {name: Times(tuple(wall[name]), tuple(cpu[name])) for name in actions}
