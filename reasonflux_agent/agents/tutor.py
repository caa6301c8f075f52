"""tutor: a chat agent that leads a student through a problem, and states the answer only when the student asks for it.

Its model cannot give away what it has not read: `reason` shows it the trajectory and the names of the templates, and
`check_answer` says whether the student's answer is right; only `show_solution` puts the solution into the chat.
"""

from __future__ import annotations

from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import ToolMessage
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.graph.state import CompiledStateGraph
from langgraph.prebuilt import ToolRuntime
from langgraph.types import Checkpointer

from reasonflux_agent.context import Context
from reasonflux_agent.graph import create_reasonflux
from reasonflux_agent.parts import DEFAULT_MODEL
from reasonflux_agent.prompts.steps import write_steps
from reasonflux_agent.schema import Plan, Solution
from reasonflux_agent.toolkit import Text, input_errors_told
from reasonflux_agent.verify.grading import equivalent

PROMPT = """You are a patient tutor of mathematics. When the student brings a problem, call reason on it first; never solve
it yourself. Then explain the first step of the way, in a few sentences, and ask the student to carry it out; go on step by
step with what the student answers. When the student states a final answer, call check_answer. Call show_solution only when
the student asks for the answer or the solution. search_templates finds methods to explain. For anything else call talk, then
reply. Do not state the final answer before show_solution was called, nor work that leads straight to it."""
UNKNOWN = "No problem was worked out in this chat yet. Call reason with the student's problem first."
TALK = "Reply to the student in a few sentences. Do not state the final answer."
TUTORED = "A solution is ready behind the scenes. The way, without its results:"


def create_tutor(
    model: BaseChatModel | str | None = None,
    *,
    retriever: BaseRetriever | None = None,
    context: Context | None = None,
    checkpointer: Checkpointer = None,
) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Return the compiled agent: messages in, messages out.

    `model` (a chat model that can call tools, or a spec) chats and solves; None means the context's navigator, else the
    embedded default, which calls no tools (docs/langchain.md lists models that do). `retriever` finds templates. `context`
    sets what a chat's own context leaves open.
    Raises SpecError for a spec that names no model, and MissingExtraError without the default retriever's packages. A chat
    raises ModelError if its model answers the student without a tool call.
    """
    from langchain.agents import create_agent

    from reasonflux_agent.agents.middleware import TutorMiddleware
    from reasonflux_agent.templates import TemplateRetriever, template_search_tool

    defaults = context or Context()
    model = model or defaults.navigator or DEFAULT_MODEL
    defaults = defaults.model_copy(update={"navigator": None})
    retriever = retriever or TemplateRetriever.from_library()
    return create_agent(
        cast(BaseChatModel, None),  # the middleware sets it for each call, so that nothing is loaded before the first
        [*_tools(model, retriever, defaults), template_search_tool(retriever)],
        system_prompt=PROMPT,
        middleware=[TutorMiddleware(model)],
        context_schema=Context,
        checkpointer=checkpointer,
        name="tutor",
    )


def _tools(model: BaseChatModel | str, retriever: BaseRetriever, defaults: Context) -> list[BaseTool]:
    """Return the tools that know the solution: the artifact of the last `reason` call."""
    graph = create_reasonflux(navigator=model, solver=defaults.solver or model, retriever=retriever, context=defaults).compile()
    config: Any = {"tags": ["nostream"]}  # keeps the solver's tokens out of the chat's stream

    def reason(problem: str, runtime: ToolRuntime[Any, Any]) -> tuple[str, dict[str, Any]]:
        """Work the student's problem out behind the scenes. Give the whole problem, as the student wrote it."""
        with input_errors_told():
            return _outline(graph.invoke({"problem": problem}, config, context=runtime.context)["solution"])

    async def areason(problem: str, runtime: ToolRuntime[Any, Any]) -> tuple[str, dict[str, Any]]:
        with input_errors_told():
            return _outline((await graph.ainvoke({"problem": problem}, config, context=runtime.context))["solution"])

    def check_answer(answer: Text, runtime: ToolRuntime[Any, Any]) -> str:
        """Check the student's final answer. Says whether it is right, and nothing more."""
        solution = _solution(runtime)
        if solution is None:
            return UNKNOWN
        if solution.answer is None:
            return "No answer was found behind the scenes either, so this one cannot be checked. Say so."
        right = equivalent(answer, solution.answer, problem=solution.problem)
        return "It is right." if right else "It does not agree with the solution found."

    def show_solution(runtime: ToolRuntime[Any, Any]) -> str:
        """The worked solution with its answer. Call this only when the student has asked for the answer."""
        solution = _solution(runtime)
        return str(solution) if solution else UNKNOWN

    def talk() -> str:
        """None of the other tools is needed: a greeting, a question about a step, a step that the student carried out."""
        return TALK

    return [
        StructuredTool.from_function(reason, areason, response_format="content_and_artifact", handle_tool_error=True),
        StructuredTool.from_function(check_answer),
        StructuredTool.from_function(show_solution),
        StructuredTool.from_function(talk),
    ]


def _outline(solution: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return what the tutor may read of a solution (the trajectory and the names of its templates), and the solution."""
    plan = Plan(**solution["plan"])
    used = dict.fromkeys(id for step in plan.steps for id in step.templates)
    methods = f"\nMethods: {', '.join(used)}" if used else ""
    return f"{TUTORED}\n{write_steps(plan) or '(no plan was made; explain with search_templates)'}{methods}", solution


def _solution(runtime: Any) -> Solution | None:
    """Return the solution of the last problem in this chat, if there is one."""
    for message in reversed(runtime.state["messages"]):
        if isinstance(message, ToolMessage) and message.name == "reason" and message.artifact:
            return Solution.model_validate(message.artifact)
    return None
