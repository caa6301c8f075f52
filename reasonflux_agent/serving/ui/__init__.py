"""The run page: runs as they happen and afterwards, past runs, a form for a new problem, and the questions of `review`.

It works from run records (`DIR/*.jsonl`), offline and without a build step. The server writes the pages, with every text
escaped by htpy; page.js shows a run while it happens, and moves the steps of a form.

prose.py     what models and people write: paragraphs, code, LaTeX as MathML
tree.py      a record's events -> attempts, trajectories, steps, tries
view.py      that tree as HTML, in sections
question.py  the form of a question, and the decision that was filled in
trust.py     why to trust an answer
marking.py   the forms that mark an answer as right or wrong
onward.py    the forms that follow a run up, or fork it
pages.py     the pages around them; page.css, page.js
libraries.py the libraries and their reports
runs.py      beginning, stopping, resuming and forking runs; works.py: what this process does for a run
past.py      the list of past runs
routes.py    the HTTP routes
"""

from importlib import import_module

from reasonflux_agent.errors import MissingExtraError

try:
    for name in ("htpy", "latex2mathml.converter", "prometheus_client", "sse_starlette", "starlette", "uvicorn"):
        import_module(name)
except ModuleNotFoundError as error:
    raise MissingExtraError("The run page", str(error.name).partition(".")[0], "ui") from None
