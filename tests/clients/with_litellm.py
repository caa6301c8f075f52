"""litellm against our server: `python with_litellm.py URL` prints what it got, as JSON."""

import asyncio
import json
import sys

import litellm

ASK = [{"role": "user", "content": "Add 2 and 3."}]
FORM = {"type": "object", "properties": {"value": {"type": "integer"}}, "required": ["value"], "additionalProperties": False}
HOW = {"model": "openai/reasonflux-low", "api_base": sys.argv[1], "api_key": "unused", "messages": ASK}

whole = litellm.completion(**HOW, top_p=0.9, reasoning_effort="low", max_tokens=5)
chunks = list(litellm.completion(**HOW, stream=True, stream_options={"include_usage": True}))
schema = {"type": "json_schema", "json_schema": {"name": "sum", "schema": FORM, "strict": True}}
formed = litellm.completion(**HOW, response_format=schema)
response = litellm.responses(model=HOW["model"], api_base=sys.argv[1], api_key="unused", input="Add 2 and 3.")


async def streamed() -> str:
    parts = [part async for part in await litellm.acompletion(**HOW, stream=True)]
    return "".join(part.choices[0].delta.content or "" for part in parts)


print(
    json.dumps(
        {
            "text": whole.choices[0].message.content,
            "reasoning": whole.choices[0].message.reasoning_content,
            "tokens": whole.usage.total_tokens,
            "streamed": "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices),
            "streamed reasoning": "".join(
                getattr(chunk.choices[0].delta, "reasoning_content", None) or "" for chunk in chunks if chunk.choices
            ),
            "asynchronous": asyncio.run(streamed()),
            "formed": formed.choices[0].message.content,
            "response": response.output[-1].content[0].text,
        }
    )
)
