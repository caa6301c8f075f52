"""An OpenAI-compatible server whose model calls tools, as a hosted one does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from reasonflux_agent.testing import mathematician


def reply(body: dict[str, Any]) -> dict[str, Any]:
    """To a person: a call of `reason` with all that they said. To a tool: what the tool said. Without tools: the fake's."""
    last = body["messages"][-1]
    if "tools" not in body:
        return {"role": "assistant", "content": mathematician("\n\n".join(str(m["content"]) for m in body["messages"]))}
    if last["role"] == "tool":
        return {"role": "assistant", "content": f"The tool says: {last['content']}"}
    assert "reason" in {tool["function"]["name"] for tool in body["tools"]}
    call = {"name": "reason", "arguments": json.dumps({"problem": last["content"]})}
    return {"role": "assistant", "content": None, "tool_calls": [{"id": "1", "type": "function", "function": call}]}


@contextmanager
def serve_caller() -> Iterator[str]:
    """Serves it on a loopback port; yields its base URL (".../v1")."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            message = reply(body)
            choice = {"index": 0, "finish_reason": "tool_calls" if "tool_calls" in message else "stop", "message": message}
            answer = {"id": "1", "object": "chat.completion", "created": 0, "model": body["model"], "choices": [choice]}
            data = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
