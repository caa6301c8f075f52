"""What one run may vary: models, effort, limits. The one table of what each effort sets is `EFFORTS`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from typing_extensions import TypedDict

from reasonflux_agent.environment import variable, warn_of_unknown
from reasonflux_agent.errors import InputError, SpecError
from reasonflux_agent.models.specs import check_spec, without_password

Effort = Literal["low", "medium", "high", "auto"]
Granularity = Literal["whole", "step"]


class Setting(NamedTuple):
    """What an effort stands for; a field of the same name in the Context overrides it."""

    direct_samples: int
    """Direct solutions beside the plans: the first reasons in text, the second is a program, the third text again ..."""
    trajectories: int
    """Planned attempts at most; sampling stops early once the leader cannot be overtaken."""
    templates: int
    """Templates at most: those that fit the problem and the steps together best."""
    refine: bool
    """Whether the navigator rewrites the trajectory with the templates that were found."""
    reviews: int
    """Reviews per trajectory at most (`whole`) or per step (`step`)."""
    llm_review: bool
    """Whether the navigator also judges a solution that passes all verifiers. It always judges the steps of a trajectory."""


EFFORTS: dict[Effort, Setting] = {
    "low": Setting(direct_samples=0, trajectories=1, templates=1, refine=False, reviews=0, llm_review=False),
    "medium": Setting(direct_samples=2, trajectories=1, templates=1, refine=False, reviews=3, llm_review=False),
    "high": Setting(direct_samples=2, trajectories=3, templates=2, refine=True, reviews=1, llm_review=True),
    "auto": Setting(direct_samples=2, trajectories=3, templates=1, refine=False, reviews=0, llm_review=False),
}


RENAMED = {"drafts": "direct_samples", "opinions": "llm_review"}
"""Names of fields in records, threads and commands of older versions -> their names now."""


class Settings(TypedDict, total=False):
    """The fields of `Context` without the models, as keyword arguments."""

    effort: Effort
    granularity: Granularity
    direct_samples: int | None
    trajectories: int | None
    templates: int | None
    refine: bool | None
    reviews: int | None
    llm_review: bool | None
    early_stop: bool
    ask_at_reviews: bool
    stream_calls: bool
    programs: bool
    max_steps: int
    max_tokens: int
    token_budget: int | None
    deadline: float | None
    temperature: float
    greedy: bool
    seed: int | None


class RunSettings(Settings, total=False):
    """All fields of `Context`, as keyword arguments."""

    navigator: str | None
    solver: str | None


class Context(BaseModel):
    """The run-time context of the graph: pass it, or a dict of its fields, as `context=` to invoke, stream or batch."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True)

    navigator: str | None = Field(None, title="Navigator", description="Model spec of the planner; empty: the graph's.")
    """Spec of the model that plans, refines and reviews; None: the one that the graph was created with."""
    solver: str | None = Field(None, title="Solver", description="Model spec of the solver; empty: the graph's.")
    """Spec of the model that carries steps out; None: the one that the graph was created with."""
    effort: Effort = Field("medium", title="Effort", description="How much to spend; see the table of efforts.")
    """low | medium | high | auto: sets all fields of `Setting` at once."""
    granularity: Granularity = Field("whole", title="Granularity", description="One solver call, or one per step.")
    """`whole`: one solver call carries out the trajectory; `step`: one call a step (the paper's way)."""
    direct_samples: int | None = Field(None, ge=0, le=64, title="Direct samples")
    """Overrides the effort's number of direct solutions."""
    trajectories: int | None = Field(None, ge=0, le=64, title="Trajectories")
    """Overrides the effort's number of planned attempts."""
    templates: int | None = Field(None, ge=0, le=20, title="Templates")
    """Overrides the effort's number of templates; 0: retrieve nothing."""
    refine: bool | None = Field(None, title="Refine")
    """Overrides whether the trajectory is rewritten with the templates that were found."""
    reviews: int | None = Field(None, ge=0, le=20, title="Reviews")
    """Overrides the effort's number of reviews."""
    llm_review: bool | None = Field(None, title="LLM review")
    """Overrides whether the navigator judges a solution that passes all verifiers."""
    early_stop: bool = Field(True, title="Early stop", description="Stop sampling when the leader cannot be overtaken.")
    """Whether sampling stops once the leading answer cannot be overtaken; False: all trajectories are sampled."""
    ask_at_reviews: bool = Field(False, title="Ask at reviews", description="Graph `review`: ask a person at each review too.")
    """Whether the graph of `agents.review` asks a person at each review, and not only after planning."""
    stream_calls: bool = Field(False, title="Stream calls", description="Mode `messages`: stream the model calls, too.")
    """Whether the stream mode `messages` shows the model calls. By default it shows the message of the final answer alone."""
    programs: bool = Field(True, title="Programs", description="Run Python that a solver writes, in isolation.")
    """Whether solver programs are run (in an isolated interpreter)."""
    max_steps: int = Field(6, ge=1, le=100, title="Steps at most")
    """Steps of a trajectory at most; a longer plan is cut."""
    max_tokens: int = Field(1536, ge=16, le=200_000, title="Tokens per reply", description="Tokens of one reply at most.")
    """Completion tokens of one solver reply at most."""
    token_budget: int | None = Field(None, ge=1, title="Token budget")
    """Prompt and completion tokens of the whole run at most; when they are spent, no further call starts."""
    deadline: float | None = Field(None, gt=0, title="Deadline (seconds)")
    """Seconds of model time along the longest branch at most. Time while a stopped run waits to resume does not count."""
    temperature: float = Field(0.7, ge=0, le=2, title="Temperature")
    """Sampling temperature of second and later samples; the first of each kind is greedy."""
    greedy: bool = Field(True, title="Greedy first", description="The first sample of each kind is greedy.")
    """Whether the first sample of each kind is greedy. False: it is sampled like the others, for a repeat of a run."""
    seed: int | None = Field(None, title="Seed")
    """For models that take a seed. Sample n of a kind (0, 1 ...) gets seed + n: servers repeat a reply for equal seeds."""

    @model_validator(mode="before")
    @classmethod
    def _of_an_older_version(cls, given: Any) -> Any:
        return {RENAMED.get(name, name): value for name, value in given.items()} if isinstance(given, dict) else given

    @field_validator("navigator", "solver")
    @classmethod
    def _without_password(cls, spec: str | None) -> str | None:
        return spec and without_password(spec)

    @property
    def setting(self) -> Setting:
        """The setting of the effort, with the fields that this context overrides."""
        base = EFFORTS[self.effort]
        given = {name: value for name in base._fields if (value := getattr(self, name)) is not None}
        return base._replace(**given)

    def overlaid(self, given: object) -> Context:
        """Return this context with the fields that `given` sets: a Context, or a dict of its fields. Raises InputError.

        A field that is set to None is set. What is no context, the one of a host's graph, sets nothing.
        """
        if isinstance(given, dict) and given.keys() <= Context.model_fields.keys() | RENAMED.keys():
            given = Context.of(**given)
        if not isinstance(given, Context):
            return self
        return self.model_copy(update={name: getattr(given, name) for name in given.model_fields_set})

    def of_strategy(self, strategy: str) -> Context:
        """Return the context of a strategy's runs: only the navigator makes the direct samples of an effort unasked."""
        own = strategy == "navigator" or self.direct_samples is not None
        return self if own else self.model_copy(update={"direct_samples": 0})

    @classmethod
    def of(cls, **fields: Any) -> Context:
        """Return a context of plain values. Raises InputError, which names every field that does not fit."""
        try:
            return cls(**fields)
        except ValidationError as error:
            raise InputError(_explain(error)) from None

    @classmethod
    def from_env(cls, **fields: Any) -> Context:
        """As `of`, with what `fields` leaves out taken from REASONFLUX_<FIELD>, converted to the field's type; both models also
        from REASONFLUX_MODEL. Raises InputError naming the variable of a bad value; warns of variables that nothing reads."""
        warn_of_unknown(cls.model_fields)
        given = {name: value for name, value in fields.items() if value is not None}
        found = {name: named for name in cls.model_fields if name not in given and (named := _set_variable(name))}
        try:
            context = cls(**{name: os.environ[named] for name, named in found.items()}, **given)
        except ValidationError as error:
            raise InputError(_explain(error, found)) from None
        for role in found.keys() & _ROLES:
            _check_spec(found[role], getattr(context, role))
        return context


_ROLES = ("navigator", "solver")


def _set_variable(field: str) -> str:
    """Return the environment variable that sets a field; empty if there is none."""
    names = [variable(field), *(["REASONFLUX_MODEL"] if field in _ROLES else [])]
    return next((name for name in names if os.environ.get(name)), "")


def _check_spec(named: str, spec: str) -> None:
    try:
        check_spec(spec, here=True)
    except SpecError as error:
        raise SpecError(f"{named}: {error}") from None


def _explain(error: ValidationError, variables: Mapping[str, str] = MappingProxyType({})) -> str:
    lines = []
    for item in error.errors(include_url=False, include_context=False):
        field = ".".join(map(str, item["loc"])) or "context"
        if item["type"] == "extra_forbidden":
            lines.append(f"no field {field!r}; the fields are {', '.join(sorted(Context.model_fields))}")
        else:
            secret = field.partition(".")[0] in ("navigator", "solver")  # a spec may hold a password
            given = "" if secret else f" = {item['input']!r}"
            lines.append(f"{variables.get(field, field)}{given}: {item['msg']}")
    return "The run's context does not fit. " + "; ".join(lines) + "."
