"""Every error that the package raises on purpose. Each says what was asked, what was tried, what exists, what to do next."""


class ReasonFluxError(Exception):
    """Base of all errors below; the CLI prints its text and no traceback."""


class InputError(ReasonFluxError, ValueError):
    """A problem, limit or option that cannot be used; raised before any model is called."""


class SpecError(InputError):
    """A model, embedder or strategy name that nothing here understands."""


class LibraryError(InputError):
    """A template library that cannot be read as one."""


class MissingExtraError(ReasonFluxError, ImportError):
    """An optional dependency is not installed; the text holds the pip line."""

    def __init__(self, what: str, package: str, extra: str) -> None:
        super().__init__(f"{what} needs {package}, which is not installed. Next: pip install 'reasonflux-agent[{extra}]'")


class DownloadError(ReasonFluxError):
    """A model file could not be fetched by any way that is known for it."""


class ModelError(ReasonFluxError):
    """A model's server failed (gone, timed out, refused), after the retries that were due."""


class PluginError(ReasonFluxError):
    """A plugin that cannot be loaded, or two that register one name."""


class RecordError(InputError):
    """A run record that cannot be read."""


class ThreadError(InputError):
    """A thread that is unknown, under way in another process or unfinished, or whose database cannot be used."""
