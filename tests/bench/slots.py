"""What the embedded server writes in all, by the number of requests that it decodes at once.

`python -m tests.bench.slots`, in a process of its own for each number: the server has as many slots as $REASONFLUX_SLOTS says.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Any

from reasonflux_agent.models import CallOptions, call_kwargs, load_model, read_reply
from reasonflux_agent.prompts.direct import DIRECT
from tests.bench.prefix import MODEL
from tests.bench.timing import Row, printed

SLOTS, TOKENS = (1, 8, 32), 64


async def measure(repeats: int) -> list[Row]:
    """Tokens a second, of replies of `TOKENS` tokens to different problems; `repeats` is not used."""
    return [{"at_once": slots, **printed("tests.bench.slots", REASONFLUX_SLOTS=str(slots))} for slots in SLOTS]


async def _ask(count: int) -> Row:
    model = load_model(MODEL)
    options = call_kwargs(model, CallOptions(max_tokens=TOKENS, temperature=0.0, logprobs=True))

    async def one(number: int) -> Any:
        problem = f"A shop has {number + 12} boxes of {number + 3} pens, and sells {number + 2} pens a day. For how many days?"
        return read_reply(await model.ainvoke(DIRECT.render(problem=problem), **options))

    await one(count)  # the first call waits for the server to warm up
    started = time.monotonic()
    replies = await asyncio.gather(*(one(number) for number in range(count)))
    seconds = time.monotonic() - started
    written = sum(reply.completion_tokens for reply in replies)
    return {"completion_tokens_per_s": round(written / seconds, 1), "seconds_a_reply": round(seconds, 1)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_ask(int(os.environ["REASONFLUX_SLOTS"])))))
