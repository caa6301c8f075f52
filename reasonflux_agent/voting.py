"""Voting over complete solutions: candidates with equivalent answers are a group, weighted by the verifiers. No I/O."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from reasonflux_agent.schema import PROOF, Candidate

FAILED_CHECK = 0.5
"""Factor of a candidate's weight for each verifier that it fails."""


PROVEN = {PROOF: 4.0}
"""Factor of a candidate's weight for passing a verifier that proves its answer."""


class Tally(NamedTuple):
    """The state of a vote."""

    leader: int | None
    """Index of the candidate that represents the leading group; None if no candidate has an answer."""
    weight: float
    """Weight of the leading group."""
    runner_up: float
    """Weight of the second group."""
    total: float
    """Weight of all groups."""
    members: tuple[int, ...] = ()
    """Indices of the candidates of the leading group."""


NO_VOTES = Tally(None, 0.0, 0.0, 0.0)


def weight(candidate: Candidate) -> float:
    """Return 1, halved for each failed verifier, times 4 for one that proves the answer; 0 without an answer."""
    if candidate.answer is None:
        return 0.0
    proven = (PROVEN.get(name, 1.0) for name, passed in candidate.checks.items() if passed)
    return math.prod(proven, start=FAILED_CHECK ** sum(not passed for passed in candidate.checks.values()))


def heaviest(candidates: Sequence[Candidate]) -> float:
    """Return the most that another candidate for the same problem can weigh, given the verifiers that applied so far."""
    return math.prod(factor for name, factor in PROVEN.items() if any(name in c.checks for c in candidates))


Same = Callable[[str, str], Awaitable[bool]]
"""Whether two answers are equivalent."""


async def grouped(candidates: Sequence[Candidate], same: Same) -> list[list[int]]:
    """Return the indices of the candidates that have an answer; those whose answers are equivalent are one group."""
    groups: list[list[int]] = []
    for index, candidate in enumerate(candidates):
        if candidate.answer is None:
            continue
        for group in groups:
            other = candidates[group[0]].answer
            if other == candidate.answer or await same(other or "", candidate.answer):
                group.append(index)
                break
        else:
            groups.append([index])
    return groups


async def tally(candidates: Sequence[Candidate], same: Same) -> Tally:
    """Return how the votes stand.

    Ties go to the higher mean log-probability of the group's best member, then to the group that came first.
    """

    def standing(group: list[int]) -> tuple[float, float]:
        logprobs = [p for i in group if (p := candidates[i].logprob) is not None]
        return sum(weight(candidates[i]) for i in group), max(logprobs, default=float("-inf"))

    # sorted() is stable: among equals the group that came first stays first
    ranked = sorted(await grouped(candidates, same), key=standing, reverse=True)
    if not ranked:
        return NO_VOTES
    # the heaviest member represents the group; among equals one with a plan, so that plan and text belong together
    leader = max(ranked[0], key=lambda i: (weight(candidates[i]), candidates[i].plan is not None))
    weights = [standing(group)[0] for group in ranked]
    return Tally(leader, weights[0], weights[1] if len(weights) > 1 else 0.0, sum(weights), tuple(ranked[0]))


def settled(tally: Tally, remaining: float) -> bool:
    """Return whether further candidates that weigh `remaining` together can no longer overtake the leader."""
    return tally.leader is not None and tally.weight > tally.runner_up + remaining


def wave(tally: Tally, remaining: int) -> int:
    """Return how many attempts to launch next: the fewest that can settle the vote, if all of them agree with the leader."""
    lead = tally.weight - tally.runner_up
    for count in range(1, remaining + 1):
        if lead + count > remaining - count:
            return count
    return remaining
