"""Serving: the graph behind HTTP.

requests.py    OpenAI's chat-completions format, read: pure functions
replies.py     the same, written
middleware.py  what every request passes: key, host, access log, metrics, errors in OpenAI's shape
metrics.py     the numbers for Prometheus
app.py         the routes, put together by `create_app` over a `runs.runner.Runner`
server.py      the process: its socket, its signals, its end
mcp.py         the tools and the library for MCP clients
ui/            the run page
"""
