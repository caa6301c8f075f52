"""The errors of the package. Each says what was asked, what was tried, what exists, what to do next.

They quote specs, URLs and what a server says, all of it through `redacted`: no error tells a secret.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

_NAMES = re.compile(r"(?:KEY|TOKEN|SECRET|PASSWORD|PASSWD)$", re.IGNORECASE)
_SHORTEST = 8
"""Characters of an environment variable's value that can be a secret; a shorter one may be an ordinary word."""
_FORMS = (
    (re.compile(r"(?<=://)([^/?#\s:@]*):\S+@"), r"\1:***@"),
    (re.compile(r"\b(password|passwd|api[_-]?key|access_token)=[^&\s'\"]+", re.IGNORECASE), r"\1=***"),
    (re.compile(r"\b(bearer|authorization: basic) [\w.~+/=-]{8,}", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"\bsk-[\w-]{16,}"), "sk-***"),
)
"""What is secret anywhere: a password in a URL, a key among its parameters, a header, a key of OpenAI's form."""


def redacted(text: str) -> str:
    """Return `text` without the values of *_KEY, *_TOKEN and the like in the environment, and without keys and passwords."""
    for name, value in os.environ.items():
        if len(value) >= _SHORTEST and value in text and _NAMES.search(name):
            text = text.replace(value, "***")
    for form, shown in _FORMS:
        text = form.sub(shown, text)
    return text


@contextmanager
def discreet() -> Iterator[None]:
    """Redact an error that passes, and those that it was raised from: a server may quote the key that it was sent."""
    try:
        yield
    except Exception as error:
        each: BaseException | None = error
        while each:
            each.args = tuple(redacted(part) if isinstance(part, str) else part for part in each.args)
            each = each.__cause__ or each.__context__
        raise


class ReasonFluxError(RuntimeError):
    """Base of all errors below: the CLI prints its text alone. A RuntimeError: `langgraph dev` hides the text of others."""

    def __init__(self, text: str) -> None:
        super().__init__(redacted(text))


class InputError(ReasonFluxError, ValueError):
    """A problem, limit or option that cannot be used; raised before any model is called."""


class SpecError(InputError):
    """A name that is no known model, embedder or strategy."""


class LibraryError(InputError):
    """A template library that cannot be read, or an id that it does not hold."""


class MissingExtraError(ReasonFluxError, ImportError):
    """An optional dependency is not installed; the text has the pip line."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}, which is not installed. Next: pip install 'reasonflux-agent[{extra}]'")


class DownloadError(ReasonFluxError):
    """A model file could not be downloaded from any of its known places."""


class ModelError(ReasonFluxError):
    """A model's server failed (gone, timed out, refused), after all retries."""


class RetrieverError(ReasonFluxError):
    """The caller's retriever, or the store behind it, failed in a search."""


@contextmanager
def searching(retriever: object, query: str) -> Iterator[None]:
    """Raise what a retriever raises as a RetrieverError; an error of the package passes unchanged."""
    try:
        yield
    except ReasonFluxError:
        raise
    except Exception as error:
        kind, asked = type(retriever), " ".join(query.split())
        raise RetrieverError(
            f"The retriever {kind.__module__}.{kind.__qualname__} failed in a search for {asked[:80]!r}: "
            f"{type(error).__name__}: {' '.join(str(error).split())[:300].rstrip('.')}. Next: call its invoke() with this "
            "query and correct what it raises, or leave `retriever` out, which searches the library."
        ) from error


class PluginError(ReasonFluxError):
    """A plugin that cannot be loaded, or two that register the same name."""


class RecordError(InputError):
    """A run record that cannot be read."""


class ThreadError(InputError):
    """A thread that is unknown, unfinished or held by another process, or whose database cannot be used."""
