"""Serving: the graph behind HTTP.

refused.py       errors in OpenAI's shape, and the reading of JSON: pure functions
messages.py      the messages of a request, read: pure functions
requests.py      OpenAI's chat-completions format, read: pure functions
replies.py       the same, written
responses.py     OpenAI's Responses format, read and written: pure functions
housekeeping.py  whether a request is a chat client's own task
answer.py        the answer's text while it is written: pure functions
telling.py       what a run tells its client, by event
schemas.py       whether a value follows a client's JSON schema: pure functions
completing.py    one request, carried out: events in, pieces of a reply out
middleware.py    what every request passes: key, host, access log, metrics, errors
metrics.py       the numbers for Prometheus
app.py           the routes, put together by `create_app` over a `runs.runner.Runner`
server.py        the process: its socket, its signals, its end
mcp.py           the tools and the library for MCP clients
ui/              the run page
"""
