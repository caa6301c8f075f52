"""How a model call fails: which failures are worth another try, and the one typed error that tells of the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasonflux_agent.errors import InputError, ModelError

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel


class ReplyError(Exception):
    """What a server answered is no reply of a model; its text says what it is instead."""


OF_ALL = (401, 403, 404, 407, 408, 409, 429)
"""Of the HTTP statuses by which a server refuses a request, those that do not blame this one."""
TRIES = 3
"""Tries of a call that fails for the server's sake, where the client does not try again by itself."""


def retries_itself(model: BaseChatModel) -> bool:
    """Whether the model's client tries again when its server fails, as most of LangChain's do."""
    return bool(getattr(model, "max_retries", None))


def timed_out(error: BaseException) -> bool:
    """Whether a model call failed by its time limit."""
    import openai

    return isinstance(error, TimeoutError | openai.APITimeoutError) and not unreached(error)


def transient(error: Exception) -> bool:
    """Whether a failed call is worth another try: the connection, a 429, or the server's own trouble; not a time-out."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409, 429) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError | ConnectionError) and not timed_out(error)


def unreached(error: BaseException) -> bool:
    """Whether a call failed before its server had it, so that it may be made at another one."""
    import openai

    # by name, since they are httpx's or httpx2's, as the openai package has it
    kinds = {type(cause).__name__ for cause in causes(error)}
    return isinstance(error, openai.APIConnectionError) and bool(kinds & {"ConnectError", "ConnectTimeout"})


def fault(error: BaseException) -> str:
    """Whose the failure of a run is: `problem` where this one cannot be asked (too long, say), else `server`."""
    status = next((found for cause in causes(error) if (found := getattr(cause, "status_code", None))), 0)
    refused = 400 <= status < 500 and status not in OF_ALL
    return "problem" if isinstance(error, InputError) or refused else "server"


def causes(error: BaseException) -> list[BaseException]:
    """A failure and what it goes back to, the root last: libraries wrap it, and say less of it each time."""
    found = [error]
    while cause := found[-1].__cause__:
        found.append(cause)
    return found


def model_error(model: str | BaseChatModel, error: BaseException) -> ModelError:
    """The one typed error for a call that failed: what was asked, where, how often it was tried, what to do next."""
    import openai

    from reasonflux_agent.models import describe

    name = model if isinstance(model, str) else describe(model)
    urls = getattr(model, "where", "")
    where = f" at {urls}" if urls else ""
    own = getattr(model, "max_retries", None)
    tries = 1 + own if own else TRIES if isinstance(error, Exception) and transient(error) else 1
    # what happened is said by the root of "Connection error." alone
    told = causes(error)[-1] if isinstance(error, openai.APIConnectionError) else error
    text = " ".join(str(getattr(told, "message", "") or str(told) or type(told).__name__).split())[:500]
    what, then = _diagnosis(error, text)
    often = f" (tried {tries} times)" if tries > 1 else ""
    return ModelError(f"The model {name!r}{where} {what}{often}: {text.rstrip('.')}. Next: {then}.")


def _diagnosis(error: BaseException, text: str) -> tuple[str, str]:
    """(what happened, what to do next)."""
    import openai

    status = getattr(error, "status_code", None) or 0
    if timed_out(error):
        return "did not answer in time", "allow more time, ask for fewer tokens, or send fewer calls at once"
    if isinstance(error, ReplyError):
        return "sent what is no reply", "check that the URL is an OpenAI-compatible server's (.../v1), and see its log"
    if isinstance(error, openai.APIConnectionError) and not unreached(error):
        return "broke the connection off", "see the server's log, or send fewer calls at once"
    if isinstance(error, openai.APIConnectionError | ConnectionError):
        return (
            "could not be reached",
            "start the server (a local: one starts anew when its spec is next loaded), or correct the URL",
        )
    if status == 400 and any(word in text for word in ("context", "too long", "maximum model length")):
        return "refused a prompt that its context does not hold", "shorten the problem, or use fewer templates or steps"
    if 300 <= status < 400:
        there = error.response.headers.get("location", "").partition("?")[0]  # type: ignore[attr-defined]
        return f"sends its callers to {there[:200]!r}", "name that server in the spec, if it is meant"
    if status in (401, 403):
        return "refused the key", "set the key that it expects in the environment (vLLM: VLLM_API_KEY)"
    if status == 404:
        return "does not serve this model", "ask the server for its models (GET .../v1/models) and name one of them"
    if status == 429 or status >= 500:
        return f"failed with HTTP {status}", "see the server's log, or send fewer calls at once"
    if status:
        return f"refused the call with HTTP {status}", "correct the option that it names"
    if isinstance(error, openai.APIError):
        return "failed in the middle of its reply", "see the server's log"
    return "failed", "see the error that this one was raised from"
