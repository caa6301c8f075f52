"""Serving: the graph behind HTTP.

requests.py  OpenAI's chat-completions format, read: pure functions
replies.py   the same, written
service.py   the runs behind the endpoint: graphs by strategy, a bounded number at once, the client's deadline
guard.py     what holds for every request: key, host, access log, metrics, errors in OpenAI's shape
metrics.py   the numbers for Prometheus
app.py       the routes, put together by `create_app`
server.py    the process: its socket, its signals, its end
mcp.py       the tools and the library for MCP clients
ui/          the run page
"""
