"""An OpenAI-compatible server that answers every call after the same time; `python -m tests.bench.replay SECONDS`.

One event loop that reads requests by hand, so that as little as possible of the processor goes into it.
"""

from __future__ import annotations

import asyncio
import json
import sys

PLAN, SOLVED = "1. Add them", "So it is \\boxed{7}."


async def serve(seconds: float) -> None:
    """Prints the port, then serves until it is killed."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                await asyncio.sleep(seconds)
                writer.write(REPLIES[b"Do not solve" in body])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def _response(text: str) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    body = json.dumps(
        {"id": "1", "object": "chat.completion", "created": 0, "model": "replay", "choices": [choice], "usage": usage}
    ).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body


REPLIES = {True: _response(PLAN), False: _response(SOLVED)}

if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
