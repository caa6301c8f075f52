"""The run page without a browser: what is escaped, what a record is shown as, what a form means, and the server itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import htpy as h
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from reasonflux_agent import ReasonFlux
from reasonflux_agent.agents.review import Decision, DraftStep, Question
from reasonflux_agent.cli import app
from reasonflux_agent.events import Reviewed
from reasonflux_agent.runs.record import Record, read_record
from reasonflux_agent.schema import Template
from reasonflux_agent.serving.ui.prose import formula, mathml, prose, render
from reasonflux_agent.serving.ui.question import question_form, read_decision
from reasonflux_agent.serving.ui.tree import branches, usage
from reasonflux_agent.serving.ui.view import sections
from reasonflux_agent.testing import FakeModel, serve_fake
from tests.serving.servers import served, until
from tests.serving.ui_server import EVIL, Mathematician, ui_served

RECORD = Path(__file__).parents[2] / "docs" / "records" / "replacement.jsonl"


class Elements(HTMLParser):
    """The elements of a page, each with its attributes, and the fields of its forms as a browser would send them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: list[str] = []
        self.attributes: set[str] = set()
        self.fields: dict[str, list[str]] = {}
        self._area: str | None = None
        self._hidden = 0
        self.feed(page)

    def handle_starttag(self, name: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.names.append(name)
        self.attributes |= given.keys()
        self._hidden += name == "template"
        if self._hidden:
            return
        if name == "input" and (given.get("type") != "checkbox" or "checked" in given):
            self.fields.setdefault(given["name"] or "", []).append(given.get("value") or "")
        if name == "textarea":
            self._area = given["name"]
            self.fields.setdefault(self._area or "", []).append("")

    def handle_endtag(self, name: str) -> None:
        self._area = None if name == "textarea" else self._area
        self._hidden -= name == "template"

    def handle_data(self, data: str) -> None:
        if self._area:
            self.fields[self._area][-1] += data.removeprefix("\n")


def test_what_is_not_markup_is_escaped() -> None:
    made = render(h.p(title='"><script>')[EVIL, [EVIL, None, h.b["x"]]])
    assert Elements(made).names == ["p", "b"]
    assert made.endswith("<b>x</b></p>")


@given(st.text(alphabet=st.sampled_from(list("<>&\"'$\\{}[]()^_`#*\n ab1=/")), max_size=80))
def test_prose_holds_no_element_of_the_writer(text: str) -> None:
    """Whatever is written: the markup is well formed, and has no element or attribute but ours."""
    tree = ElementTree.fromstring(re.sub(r"<math xmlns=\S+", "<math", prose(text).replace("<br>", "")))
    known = {"div", "p", "span", "strong", "code", "pre", "figure", "figcaption"}
    assert all(e.tag in known or e.tag.startswith("m") for e in tree.iter())
    assert not any(name.startswith("on") or name in ("href", "src", "style") for e in tree.iter() for name in e.attrib)


@pytest.mark.parametrize(
    ("latex", "holds"),
    [
        (r"\frac{1}{2}", "<mfrac>"),
        (r"\begin{aligned} a &= b \\ c &= d \end{aligned}", "<mtable"),
        (r"x < y", "&lt;"),
        (r"\text{<script>alert(1)</script>}", "&lt;script&gt;"),
        (r"\href{javascript:alert(1)}{x}", "<mi>x</mi>"),
        (r"\boxed{7}", '<menclose notation="box">'),
    ],
)
def test_a_formula_is_mathml_without_what_could_act(latex: str, holds: str) -> None:
    made = mathml(latex)
    assert holds in made
    assert "<script" not in made
    assert "javascript" not in made


@pytest.mark.parametrize("latex", [r"\nosuchcommand{x}", "{" * 400, "x" * 3000, r"\begin{nosuch}", ""])
def test_a_formula_that_cannot_be_drawn_is_shown_as_written(latex: str) -> None:
    assert mathml(latex) == ""
    if latex:
        assert render(h.code(".formula")[latex]) in prose(f"so \\({latex}\\).")


def test_an_answer_is_a_formula_only_if_it_looks_like_one() -> None:
    assert "<msup>" in formula("8*2^{n-1}")
    assert formula("<b>42") == "&lt;b&gt;42"
    assert "<math" not in formula("the value of x_1 is big")


def test_code_and_prices_are_no_formulas() -> None:
    made = prose("Costs $5 and $6.\n```python\nprint('$x$ <b>')\n```\n```output\n3\n```")
    assert "<math" not in made
    assert "Costs $5 and $6." in made
    assert made.count("<pre") == 2
    assert "<figcaption>Output</figcaption>" in made


def test_a_record_of_a_replacement_is_a_tree() -> None:
    (attempt,) = branches(read_record(RECORD))
    first, *_, last = attempt.trajectories
    assert len(attempt.trajectories) > 1
    said = [v for tries in first.tries.values() for t in tries for v in t.verdicts]
    assert isinstance(said[-1], Reviewed)
    assert said[-1].review.verdict == "replace"
    assert last.tries
    assert attempt.candidates


def test_attempts_and_drafts_are_told_apart(tmp_path: Path) -> None:
    ReasonFlux(FakeModel(), record=tmp_path).solve("What is 3 + 4?", effort="high", granularity="step")
    record = read_record(next(tmp_path.glob("*.jsonl")))
    found = {branch.attempt: branch for branch in branches(record)}
    assert sorted(found) == ["attempt 0", "attempt 1", "draft 0", "draft 1"]
    assert [len(t) for t in found["attempt 0"].trajectories[-1].tries.values()] == [1, 1]
    # Three equal votes of four end the run: which draft is then still without its program is a matter of timing.
    outputs = [program.output.strip() for name in ("draft 0", "draft 1") for program in found[name].programs]
    assert outputs
    assert set(outputs) == {"7"}
    solution = record.solution
    assert solution
    assert {node: row.calls for node, row in usage(record).items()} == {n: u.calls for n, u in solution.usage.items()}


OLD = sorted((Path(__file__).parents[1] / "record" / "version1").glob("*.jsonl"))


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_a_record_of_version_1_is_shown(path: Path) -> None:
    record = read_record(path)
    assert record.header["version"] == 1
    assert record.solution
    assert sum(row.calls for row in usage(record).values()) == len(record.calls)
    assert sum(len(branch.candidates) for branch in branches(record)) == len(record.solution.candidates)
    shown = sections(record, lambda id: None, [])
    assert all(shown[name] for name in ("tree", "answer", "usage"))


def test_a_run_is_shown_at_every_moment() -> None:
    whole = read_record(RECORD)
    held = Template(id="x", name="name of it", description=EVIL)
    moments = [Record(whole.header, whole.events[: n + 1]) for n in range(len(whole.events))]
    pages = [sections(moment, lambda id: held, [("plan", EVIL)]) for moment in moments]
    assert pages[0]["tree"] == pages[0]["answer"] == ""
    assert "name of it" in pages[-1]["tree"]
    assert "Tokens and seconds per node" in pages[-1]["usage"]
    assert "answer" in pages[-1]["answer"]
    for page in pages:
        assert not {"script", "img"} & set(Elements("".join(page.values())).names)


QUESTION = Question(
    question="review",
    actions=("approve", "edit", "redo", "stop"),
    problem="x",
    abstraction="k",
    steps=(
        DraftStep(purpose=f"First {EVIL}", query="q & <r>", templates=("a/b", "c/d"), work="\nline 1\nline 2"),
        DraftStep(purpose="Second", templates=()),
        DraftStep(purpose="Third", query="look"),
    ),
    templates={"a/b": "text"},
)


def test_an_untouched_form_is_the_trajectory_as_asked() -> None:
    form = Elements(question_form("id", QUESTION.model_dump(mode="json"), "/answer", {}, "attempt 0")).fields
    decision = Decision.model_validate(read_decision({**form, "action": ["edit"]}))
    expected = [step.model_copy(update={"work": step.work.strip()}) for step in QUESTION.steps]
    assert list(decision.steps) == expected


def test_a_form_moves_deletes_adds_and_swaps() -> None:
    form = {
        "action": ["edit"],
        "step": ["3", "1", "new1", "2"],
        "1.purpose": ["One"],
        "1.template": ["a/b", " x/y ", ""],
        "2.purpose": ["  "],
        "3.purpose": ["Three\r\nlines"],
        "3.lookup": ["1"],
        "3.template": ["a/b"],
        "new1.purpose": ["New"],
        "new1.work": ["done"],
    }
    decision = Decision.model_validate(read_decision(form))
    assert [step.purpose for step in decision.steps] == ["Three\nlines", "One", "New"]
    assert [step.templates for step in decision.steps] == [None, ("a/b", "x/y"), ()]
    assert decision.steps[2].work == "done"
    assert read_decision({"action": ["redo"], "feedback": [" wrong "], "step": ["1"], "1.purpose": ["x"]}) == {
        "action": "redo",
        "steps": [],
        "feedback": "wrong",
    }


def colours(css: str) -> dict[str, str]:
    return {name: value * 2 if len(value) == 3 else value for name, value in re.findall(r"--([\w-]+): #([0-9a-f]{3,6})", css)}


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground(scheme: int) -> None:
    """WCAG 2.2, success criterion 1.4.3 (level AA): 4.5 to 1."""
    css = (Path(__file__).parents[2] / "reasonflux_agent/serving/ui/page.css").read_text()
    found = colours(css.split("@media (prefers-color-scheme: dark)")[scheme].split("* {")[0])
    pairs = [(ink, ground) for ink in ("ink", "soft", "accent", "good", "bad", "warn", "wait") for ground in ("page", "card")]
    for ink, ground in [*pairs, ("ink", "faint"), ("soft", "faint"), ("on-accent", "accent")]:
        high, low = sorted((luminance(found[ink]), luminance(found[ground])), reverse=True)
        assert (high + 0.05) / (low + 0.05) >= 4.5, (ink, ground)


def test_a_question_survives_the_death_of_the_server(tmp_path: Path) -> None:
    model, records = Mathematician(), tmp_path / "runs"
    with serve_fake(model) as upstream:
        spec = f"vllm:fake@{upstream}"
        with ui_served(records, spec) as url:
            asked = {"problem": "Find a_n.", "ask": "plan", "granularity": "step"}
            begun = httpx.post(url, data=asked, timeout=60)
            assert begun.status_code == 303, begun.text
            place = httpx.URL(url).join(begun.headers["location"])
            assert until(lambda: "The run waits for you" in httpx.get(place).text)
        calls = model.calls
        with ui_served(records, spec) as url:
            place = httpx.URL(url).copy_with(path=place.path)
            assert "open" in httpx.get(url).text
            page = httpx.get(place).text
            form = Elements(page).fields
            assert form["1.purpose"] == ["Find the fixed point"]
            form |= {"action": ["edit"], "step": ["1"], "1.purpose": ["Find it at once"]}
            assert httpx.post(f"{place}/answer", data=form).status_code == 303
            again = httpx.post(f"{place}/answer", data=form)
            assert until(lambda: "The run has ended" in httpx.get(place).text)
            assert again.status_code == 400
            assert "Find it at once" in httpx.get(place).text
            assert httpx.post(f"{place}/resume").status_code == 400
            assert "2^{n+2}-5" in httpx.get(f"{place}/events").text
    record = read_record(next(records.glob("*.jsonl")))
    assert record.solution
    assert [call.node for call in record.calls].count("plan") == 1
    assert model.calls == calls + len(record.calls) - 1


def test_a_run_is_stopped_and_goes_on(tmp_path: Path) -> None:
    model = Mathematician(seconds=0.4)
    with serve_fake(model) as upstream, ui_served(tmp_path / "runs", f"vllm:fake@{upstream}") as url:
        begun = httpx.post(url, data={"problem": "Find a_n.", "granularity": "step"}, timeout=60)
        place = httpx.URL(url).join(begun.headers["location"])
        assert until(lambda: "Step 1" in httpx.get(place).text)
        assert httpx.post(f"{place}/stop").status_code == 303
        assert "was stopped before its end" in httpx.get(place).text
        assert httpx.post(f"{place}/resume").status_code == 303
        assert until(lambda: "The run has ended" in httpx.get(place).text), httpx.get(place).text


def test_what_is_refused(tmp_path: Path) -> None:
    records = tmp_path / "runs"
    with ui_served(records, "vllm:fake@http://127.0.0.1:9/v1") as url:
        page = httpx.get(url)
        assert "default-src 'self'" in page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
        elsewhere = httpx.post(url, data={"problem": "x"}, headers={"Origin": "http://evil.example"})
        assert (elsewhere.status_code, list(records.glob("*.jsonl"))) == (400, [])
        assert httpx.post(url, data={"problem": "x"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 400
        assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 403
        for name in ("nosuch", "..%2f..%2fetc%2fpasswd", ".hidden"):
            assert httpx.get(f"{url}runs/{name}").status_code == 404
        empty = httpx.post(url, data={"problem": " "})
        assert empty.status_code == 400
        assert "There is no problem to solve" in empty.text
        for fields in ({"strategy": "nosuch"}, {"effort": "nosuch"}, {"strategy": "direct", "ask": "plan"}):
            refused = httpx.post(url, data={"problem": f"kept {EVIL}", **fields})
            assert refused.status_code == 400
            assert "kept &lt;script&gt;" in refused.text
        assert httpx.post(url, content=b"problem=" + b"x" * 1_100_000).status_code == 400
        # a model's server that is gone: the run says so, and can go on
        place = httpx.URL(url).join(httpx.post(url, data={"problem": "x"}, timeout=60).headers["location"])
        assert until(lambda: 'role="alert"' in httpx.get(place).text, seconds=60)
        assert "Go on" in httpx.get(place).text


def test_past_runs_are_listed_and_searched(tmp_path: Path) -> None:
    records = tmp_path / "runs"
    flux = ReasonFlux(FakeModel(), record=records, effort="low")
    for n in (1, 2, 3):
        flux.solve(f"What is {n} + {n}? {EVIL}")
    (records / "torn.jsonl").write_bytes(b'{"format": "reasonf')
    (records / "other.jsonl").write_text('{"a": 1}\n[]\n')
    with ui_served(records, "vllm:fake@http://127.0.0.1:9/v1") as url:
        page = httpx.get(url).text
        assert "3 of 3 runs" in page
        assert [page.index(f"What is {n} + {n}?") for n in (3, 2, 1)] == sorted(
            page.index(f"What is {n} + {n}?") for n in (1, 2, 3)
        )
        assert "1 of 3 runs" in httpx.get(url, params={"q": "2 + 2"}).text
        assert "0 of 3 runs" in httpx.get(url, params={"q": EVIL + "?"}).text
        assert httpx.get(f"{url}runs/other").status_code == 404


def test_the_server_for_openai_clients_serves_the_page_too(tmp_path: Path) -> None:
    with serve_fake() as upstream, served("--ui", "--record", str(tmp_path), "--model", f"vllm:fake@{upstream}") as server:
        asked = {"model": "reasonflux-navigator-low", "messages": [{"role": "user", "content": "What is 3 + 4?"}]}
        done = httpx.post(f"{server.url}/chat/completions", json=asked, timeout=60).json()
        assert done["reasonflux"]["run"] in httpx.get(f"{server.root}/ui/").text
        page = httpx.get(f"{server.root}/ui/runs/{done['reasonflux']['run']}").text
        assert "The run has ended" in page
        for name in re.findall(r'"(/ui/page\.\w+)"', page):
            assert httpx.get(f"{server.root}{name}").status_code == 200


def test_the_page_is_not_served_behind_a_key() -> None:
    result = CliRunner().invoke(app, ["serve", "--ui", "--api-key", "secret", "--model", "vllm:x"])
    assert isinstance(result.exception, Exception)
    assert "A browser sends no key" in str(result.exception)
