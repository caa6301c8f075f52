"""The run page: runs as they happen and afterwards, past runs, a form for a new problem, and the questions of `review`.

It works from run records (`DIR/*.jsonl`), offline and without a build step. Pages are written here, with every text escaped;
page.js adds what a page cannot do without it: it shows a run while it happens, and moves the steps of a form.

formulas.py  LaTeX -> MathML
html.py      markup that is escaped by construction; prose with formulas and code
tree.py      a record's lines -> attempts, trajectories, steps, tries
view.py      that tree as HTML, in sections
question.py  the form of a question, and the decision that was filled in
pages.py     the pages around them; page.html, page.css, page.js
runs.py      beginning, stopping and going on with runs
drafts.py    what models are writing
past.py      the list of past runs
routes.py    the HTTP routes
"""
