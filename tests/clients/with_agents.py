"""openai-agents against our server, over both formats: `python with_agents.py URL` prints what it got, as JSON."""

import asyncio
import json
import sys

from agents import (
    Agent,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from openai import AsyncOpenAI
from openai.types.responses import ResponseTextDeltaEvent
from openai.types.shared import Reasoning
from pydantic import BaseModel


class Sum(BaseModel):
    value: int


@function_tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def asked(model: object) -> dict[str, object]:
    agent = Agent(name="solver", instructions="Be brief.", model=model, tools=[add])
    whole = await Runner.run(agent, "What is 2 + 3?")
    stream = Runner.run_streamed(agent, "What is 2 + 3?")
    told = ""
    async for event in stream.stream_events():
        if event.type == "raw_response_event" and isinstance(event.data, ResponseTextDeltaEvent):
            told += event.data.delta
    again = await Runner.run(agent, [*whole.to_input_list(), {"role": "user", "content": "What is 40 + 2?"}])
    formed = Agent(
        name="former", model=model, output_type=Sum, model_settings=ModelSettings(reasoning=Reasoning(effort="none"))
    )
    found = await Runner.run(formed, "What is 2 + 3?")
    return {
        "text": whole.final_output,
        "told": told,
        "streamed": stream.final_output,
        "again": again.final_output,
        "formed": found.final_output.value,
        "tokens": whole.context_wrapper.usage.total_tokens,
    }


async def main() -> None:
    client = AsyncOpenAI(base_url=sys.argv[1], api_key="unused")
    kinds = {"responses": OpenAIResponsesModel, "chat": OpenAIChatCompletionsModel}
    print(json.dumps({name: await asked(kind("reasonflux-low", client)) for name, kind in kinds.items()}))


set_tracing_disabled(True)
asyncio.run(main())
