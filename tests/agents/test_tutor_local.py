"""The tutor with real embedded models. They call no tools, and the tutor must not let them teach."""

from __future__ import annotations

import pytest

from reasonflux_agent.agents.tutor import create_tutor
from reasonflux_agent.errors import ModelError
from reasonflux_agent.models import load_model
from tests.graph.fakes import Shelf

pytestmark = pytest.mark.local_model


def test_a_model_that_solves_by_itself_is_refused() -> None:
    model = load_model("local:smollm2-135m").model_copy(update={"max_tokens": 48, "temperature": 0.0})
    agent = create_tutor(model, retriever=Shelf())
    with pytest.raises(ModelError, match=r"asked 'local:smollm2-135m' for a tool call.* called none: '.{20}"):
        agent.invoke({"messages": [("human", "What is the remainder when 7^2026 is divided by 5?")]})
