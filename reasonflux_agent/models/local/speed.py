"""Tells a user that the embedded server has become far slower than it was, and what to do."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)

FEWEST = 32
"""Tokens of the shortest reply whose speed counts."""
SLOWER = 10
"""How many times slower than the best reply so far is far slower."""


class Speed:
    """The speed of one server, by its replies. It warns once, until the speed is back."""

    def __init__(self) -> None:
        self.best = 0.0
        """Tokens a second, of all requests at once."""
        self._told = False

    def note(self, tokens: int, seconds: float, at_once: int) -> None:
        """Take in a reply of so many tokens, written in so many seconds beside `at_once` - 1 others."""
        if tokens < FEWEST or seconds <= 0:
            return
        now = tokens / seconds * at_once
        self.best = max(self.best, now)
        if now * SLOWER > self.best:
            self._told = self._told and now * 2 < self.best
        elif not self._told:
            self._told = True
            logger.warning(
                "The embedded model writes about %.2g tokens a second, and it wrote %.2g before. Another program probably uses "
                "the processor. Next: wait for it, or leave it a core: REASONFLUX_THREADS=1.",
                now,
                self.best,
            )
