"""How often a call is tried, on which failures, and how long it waits in between. docs/models.md has the table."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langgraph.types import RetryPolicy

T = TypeVar("T")
TRIES = 3
"""Tries of a model call, runs of a row of a batch, and processes of a cluster that one row may end: the first one included."""
DOWNLOAD_TRIES = 4
"""Connections for one model file; each goes on where the one before it broke off."""
WAIT, FACTOR, LONGEST = 0.5, 2.0, 60.0
"""Seconds before the second try, the factor for each later wait, and the seconds of a batch's pause at most."""
OVERLOADED = (429, 502, 503, 504, 529)
"""HTTP statuses by which servers, gateways and providers turn calls away for now."""


def call_with_retries(function: Callable[[], T], tries: int = TRIES) -> T:
    """Call `function` until it returns, at most `tries` times, and return its result.

    The waits between tries double, from WAIT seconds on; each is up to twice as long, at random. Raises what the last call
    raised, and at once an error that is not `transient`.
    """
    for attempt in range(tries - 1):
        try:
            return function()
        except Exception as error:
            if not transient(error):
                raise
        time.sleep(WAIT * FACTOR**attempt * random.uniform(1, 2))
    return function()


def retry_policy() -> RetryPolicy:
    """The same rules for LangGraph, for a task whose model's client does not retry by itself."""
    from langgraph.types import RetryPolicy

    return RetryPolicy(max_attempts=TRIES, retry_on=transient, initial_interval=WAIT, backoff_factor=FACTOR)


def retries_itself(model: BaseChatModel) -> bool:
    """Whether the model's client retries when its server fails, as most of LangChain's do."""
    return bool(getattr(model, "max_retries", None))


def transient(error: Exception) -> bool:
    """Whether a failed call is worth another try: the connection, a 429, or the server's own trouble; not a time-out."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError | ConnectionError) and not timed_out(error)


def timed_out(error: BaseException) -> bool:
    """Whether a model call failed by its time limit."""
    import openai

    return isinstance(error, TimeoutError | openai.APITimeoutError) and not unreached(error)


def unreached(error: BaseException) -> bool:
    """Whether a call failed before its server had it, so that it may be sent to another server."""
    import openai

    # by name: they are classes of httpx, or of httpx2 from version 3 of the openai package on
    kinds = {type(cause).__name__ for cause in causes(error)}
    return isinstance(error, openai.APIConnectionError) and bool(kinds & {"ConnectError", "ConnectTimeout"})


def causes(error: BaseException) -> list[BaseException]:
    """An error and the errors that it was raised from; the root, which says most, is the last one."""
    found = [error]
    while cause := found[-1].__cause__:
        found.append(cause)
    return found
