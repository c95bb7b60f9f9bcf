"""Processor times of sides that take turns in one process."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

#: what computes the states, and what computes the derivatives
Pass = tuple[Callable[[], Any], Callable[[], Any]]


def least_times(
    sides: Mapping[str, Pass], repeats: int, seldom: Collection[str] = ()
) -> dict[str, tuple[float, float]]:
    """Least processor times of forward and backward of each side [s], in this thread.

    The sides take turns, so that other work on the machine meets all of them. A first turn, which
    compiles and touches the memory, does not count. The sides in ``seldom``, which take long, are
    measured in two of five turns.
    """
    best = dict.fromkeys(sides, (math.inf, math.inf))
    for repeat in range(repeats + 1):
        for name, calls in sides.items():
            if name in seldom and repeat % 5 > 1:
                continue
            times = []
            for call in calls:
                begin = time.thread_time()
                call()
                times.append(time.thread_time() - begin)
            if repeat:
                best[name] = (min(best[name][0], times[0]), min(best[name][1], times[1]))
    return best
