"""What is said of a model call that failed: one typed error, and whose fault it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reasonflux_agent.errors import InputError, ModelError
from reasonflux_agent.models.retries import TRIES, causes, timed_out, transient, unreached

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

OF_ALL = (401, 403, 404, 407, 408, 409, 429)
"""HTTP statuses by which a server refuses requests of any problem, not this one."""


class ReplyError(Exception):
    """A server's answer is not a model's reply; the text says what it is instead."""


def fault(error: BaseException) -> str:
    """Whose fault a failed run is: `problem` if this problem cannot be asked (too long, say), else `server`."""
    status = next((found for cause in causes(error) if (found := getattr(cause, "status_code", None))), 0)
    refused = 400 <= status < 500 and status not in OF_ALL
    return "problem" if isinstance(error, InputError) or refused else "server"


def describe(model: BaseChatModel) -> str:
    """A short name for records: the spec if the model has one, else class and model name."""
    if spec := getattr(model, "spec", None):
        return str(spec)
    name = getattr(model, "model_name", None) or getattr(model, "model", None)
    return f"{type(model).__name__}({name})" if name else type(model).__name__


def model_error(model: str | BaseChatModel, error: BaseException) -> ModelError:
    """The typed error for a failed call: which model, where, how often it was tried, what happened, what to do next."""
    import openai

    name = model if isinstance(model, str) else describe(model)
    where = f" at {urls}" if (urls := getattr(model, "where", "")) else ""
    own = getattr(model, "max_retries", None)
    tries = 1 + own if own else TRIES if isinstance(error, Exception) and transient(error) else 1
    often = f" (tried {tries} times)" if tries > 1 else ""
    told = causes(error)[-1] if isinstance(error, openai.APIConnectionError) else error  # which says "Connection error." alone
    text = " ".join(str(getattr(told, "message", "") or str(told) or type(told).__name__).split())[:500]
    what, then = _diagnosis(error, text)
    return ModelError(f"The model {name!r}{where} {what}{often}: {text.rstrip('.')}. Next: {then}.")


def _diagnosis(error: BaseException, text: str) -> tuple[str, str]:
    """(what happened, what to do next)."""
    import openai

    if timed_out(error):
        return "did not answer in time", "allow more time, ask for fewer tokens, or send fewer calls at once"
    if isinstance(error, ReplyError):
        return "sent what is no reply", "check that the URL is an OpenAI-compatible server's (.../v1), and see its log"
    if isinstance(error, openai.APIConnectionError) and not unreached(error):
        return "broke the connection off", "see the server's log, or send fewer calls at once"
    if isinstance(error, openai.APIConnectionError | ConnectionError):
        next_step = "start the server (a local: one starts anew when its spec is next loaded), or correct the URL"
        return "could not be reached", next_step
    if not (status := getattr(error, "status_code", None) or 0):
        if isinstance(error, openai.APIError):
            return "failed in the middle of its reply", "see the server's log"
        return "failed", "see the error that this one was raised from"
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
    return f"refused the call with HTTP {status}", "correct the option that it names"
