"""Labels: where in a run an event or a model call happens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict

PREFIX = "reasonflux_"
"""Begins the name of every callback event and metadata label of this package."""


class Labels(BaseModel):
    """Where in a run something happens. Model calls carry these fields as callback metadata, with `PREFIX` before each name."""

    model_config = ConfigDict(frozen=True)

    run: str
    """Id of the run; its record has the same name."""
    attempt: str = ""
    """`draft 0`, `attempt 2`: the branch of the run; empty for the run's own nodes."""
    node: str = ""
    """Name of the node."""
    unit: str = ""
    """One pass through the node. A resumed run that repeats the pass gives it the same name."""
    call: str = ""
    """Id of the model call that this is, or that it follows from; empty if there was none in this pass."""


def labels_of(metadata: Mapping[str, Any] | None) -> Labels | None:
    """Return the labels that a model call carries in its callback metadata; None for a call outside a run of ours."""
    given = metadata or {}
    found = {name: given[PREFIX + name] for name in Labels.model_fields if PREFIX + name in given}
    return Labels(**found) if found.get("run") else None
