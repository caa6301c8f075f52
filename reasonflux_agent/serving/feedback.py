"""`POST /v1/feedback`: a run, by the id of its reply, is marked as right or wrong. OpenAI's format has no such request."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, ValidationError

from reasonflux_agent.errors import RecordError
from reasonflux_agent.runs.runner import Runner
from reasonflux_agent.serving.refused import JSON, Refused, read_object
from reasonflux_agent.serving.requests import refusal


class FeedbackRequest(BaseModel):
    """A request's body."""

    model_config = ConfigDict(extra="forbid", strict=True)
    id: str
    """Of a reply (`chatcmpl-RUN`, `resp_RUN`), or of the run (`reasonflux.run` in a reply)."""
    correct: bool
    answer: str | None = None
    """The right answer, if it is known."""
    comment: str = ""


def read_feedback(body: bytes) -> FeedbackRequest:
    """Return the request in `body`. Raises Refused, which names the parameter at fault."""
    try:
        return FeedbackRequest.model_validate(read_object(body))
    except ValidationError as error:
        raise refusal(error, FeedbackRequest) from None


def marked(runner: Runner, asked: FeedbackRequest) -> JSON:
    """Mark the run, and return the mark. Raises Refused if there is no record of it, and InputError as `Runner.feedback`."""
    if not runner.records:
        raise Refused(
            "This server keeps no records, so no run can be marked. Next: its operator starts it with --record DIR.",
            status=404,
            code="records_not_kept",
        )
    run = asked.id.removeprefix("chatcmpl-").removeprefix("resp_")
    try:
        made = runner.feedback(run, correct=asked.correct, answer=asked.answer, comment=asked.comment)
    except RecordError:  # its text names a folder of the server
        text = f"There is no record of the run {run[:100]!r} here. Next: give the id of a reply of this server."
        raise Refused(text, status=404, param="id", code="run_not_found") from None
    return {"id": asked.id, "object": "feedback", **made.model_dump(include={"run", "correct", "answer", "comment", "time"})}
