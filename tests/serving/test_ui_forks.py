"""The run page over HTTP: forks, follow-ups, the queue, the pages of the list, libraries and their reports."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from reasonflux_agent.runs.record import read_record
from reasonflux_agent.schema import Solution, Template
from reasonflux_agent.serving.ui.trust import proof, reasons
from reasonflux_agent.templates import TemplateLibrary
from reasonflux_agent.testing import serve_fake
from tests.serving.servers import until
from tests.serving.test_ui import RECORD, Elements
from tests.serving.ui_server import EVIL, Mathematician, ui_served

CLAIM = {"rows": 30, "right_without": 0, "right_with": 27, "p": 1.5e-8}


def post(to: str, /, **form: object) -> str:
    """Send a form; return the page that the browser is sent to."""
    answer = httpx.post(to, data=form, timeout=60)
    assert answer.status_code == 303, answer.text
    return str(httpx.URL(to).join(answer.headers["location"]))


def solved(url: str, problem: str, **form: object) -> str:
    place = post(url, problem=problem, **form)
    assert until(lambda: "The run has ended" in httpx.get(place).text), httpx.get(place).text
    return place


class Gate(Mathematician):
    """A model that writes nothing until it may."""

    def __init__(self) -> None:
        super().__init__()
        self.opened = threading.Event()

    def __call__(self, prompt: str) -> str:
        self.opened.wait(60)
        return super().__call__(prompt)


@pytest.fixture(scope="module")
def model() -> Mathematician:
    return Mathematician()


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ui") / "runs"


@pytest.fixture(scope="module")
def url(model: Mathematician, records: Path) -> Iterator[str]:
    with serve_fake(model) as upstream, ui_served(records, f"vllm:fake@{upstream}") as address:
        yield address


def test_a_run_is_forked_at_a_step_and_repeats_no_call(url: str, records: Path, model: Mathematician) -> None:
    place = solved(url, "Find a_n.", granularity="step", effort="high")
    page, calls = httpx.get(place).text, model.calls
    assert re.findall(r'value="(attempt \d/\d)"', page) == [f"attempt {n}/{step}" for n in (0, 1) for step in (0, 1, 2)]
    fork = post(f"{place}/fork", place="attempt 0/2", effort="low")
    assert until(lambda: "The run waits for you" in httpx.get(fork).text)
    assert model.calls == calls
    form = Elements(httpx.get(fork).text).fields
    assert [bool(form[f"{n}.work"][0].strip()) for n in (1, 2, 3)] == [True, True, False]
    fields = {**form, "action": ["edit"], "3.purpose": ["Say it another way"]}
    assert httpx.post(f"{fork}/answer", data=fields, timeout=60).status_code == 303
    assert until(lambda: "The run has ended" in httpx.get(fork).text)
    old, new = (read_record(records / f"{at.rpartition('/')[2]}.jsonl") for at in (place, fork))
    assert new.header["forked"] == {"run": old.begin.run, "attempt": "attempt 0", "step": 2}
    assert new.begin.context["effort"] == "low"
    assert {event.run for event in new.events} == {new.begin.run}
    assert new.solution
    assert new.solution.run == new.begin.run
    assert sorted(c.attempt for c in new.solution.candidates) == ["attempt 0", "attempt 1"]
    assert new.solution.plan.steps or new.solution.candidates
    said = [event for event in new.attempts["attempt 0"] if event.type == "decision"]
    assert said
    # what was done before the step is in the record with its calls; only what came after it was asked for
    kept = [call.node for call in new.calls]
    assert kept.count("plan") == [call.node for call in old.calls].count("plan")
    assert new.solution.total.calls == len(new.calls)
    assert 0 < model.calls - calls < len(old.calls)
    assert "A <a" in httpx.get(fork).text
    # the run that was forked stays as it was
    assert read_record(records / f"{old.begin.run}.jsonl").events == old.events


def test_a_fork_of_a_fork(url: str) -> None:
    place = solved(url, "Find b_n.", granularity="step", effort="low")
    first = post(f"{place}/fork", place="attempt 0/1", effort="low")
    assert until(lambda: "The run waits for you" in httpx.get(first).text)
    assert httpx.post(f"{first}/answer", data={**Elements(httpx.get(first).text).fields, "action": ["approve"]}).is_redirect
    assert until(lambda: "The run has ended" in httpx.get(first).text)
    second = post(f"{first}/fork", place="attempt 0/2", effort="medium")
    assert until(lambda: "The run waits for you" in httpx.get(second).text)
    assert second not in (first, place)


def test_what_cannot_be_forked(url: str) -> None:
    place = solved(url, "Find c_n.", granularity="step", effort="low")
    for form in ({"place": "attempt 0/9"}, {"place": "attempt 7/0"}, {"place": "x"}, {}, {"place": "attempt 0/-1"}):
        assert httpx.post(f"{place}/fork", data={"effort": "low", **form}).status_code == 400
    assert httpx.post(f"{place}/fork", data={"effort": "nosuch", "place": "attempt 0/0"}).status_code == 400
    assert httpx.post(f"{url}runs/nosuch/fork", data={"place": "attempt 0/0"}).status_code in (400, 404)
    direct = solved(url, "Find d_n.", strategy="direct")
    assert "Fork the run" not in httpx.get(direct).text
    assert httpx.post(f"{direct}/fork", data={"place": "attempt 0/0", "effort": "low"}).status_code == 400


def test_a_follow_up_is_told_the_conversation(url: str, records: Path) -> None:
    place = solved(url, "What is $3+4$?", effort="low")
    assert httpx.post(f"{place}/follow", data={"problem": " "}).status_code == 400
    follow = post(f"{place}/follow", problem="Now add 10 to that.")
    assert until(lambda: "The run has ended" in httpx.get(follow).text)
    again = post(f"{follow}/follow", problem="And twice that?")
    assert until(lambda: "The run has ended" in httpx.get(again).text)
    first, second, third = (read_record(records / f"{at.rpartition('/')[2]}.jsonl") for at in (place, follow, again))
    assert (second.header["follows"], third.header["follows"]) == (first.begin.run, second.begin.run)
    assert "follows" not in first.header
    asked = "\n".join(message["content"] for message in third.calls[0].messages)
    assert third.calls[0].node == "restate"
    assert asked.index("What is $3+4$?") < asked.index("Now add 10 to that.") < asked.index("And twice that?")
    page = httpx.get(again).text
    assert page.index(first.begin.run) < page.index(second.begin.run) < page.index("And twice that?</p>")


def test_runs_wait_in_a_queue_and_are_cancelled(tmp_path: Path) -> None:
    gate, records = Gate(), tmp_path / "runs"
    with serve_fake(gate) as upstream, ui_served(records, f"vllm:fake@{upstream}") as url:
        places = [post(url, problem=f"Find p_{n}.", effort="low") for n in range(4)]
        assert all("/runs/" in place for place in places)
        waiting = [post(url, problem=f"Find q_{n}. {EVIL}", effort="low") for n in range(2)]
        assert waiting == [f"{url}#runs"] * 2
        page = httpx.get(url).text
        assert page.count(">queued<") == 2
        assert "<script>document" not in page
        thread = re.findall(r'name="thread" value="([^"]+)"', page)
        assert len(thread) == 2
        post(f"{url}drop", thread=thread[1])
        assert httpx.get(url).text.count(">queued<") == 1
        gate.opened.set()
        assert until(lambda: "5 of 5 runs" in (page := httpx.get(url).text) and ">queued<" not in page, seconds=60)
        assert "Find q_1" not in httpx.get(url).text


def test_the_list_has_pages(tmp_path: Path) -> None:
    records = tmp_path / "runs"
    records.mkdir()
    lines = RECORD.read_text().splitlines(keepends=True)
    for n in range(45):
        begun = re.sub(r'"time": [\d.]+', f'"time": {1_700_000_000 + n}', lines[0], count=1)
        (records / f"run{n:02}.jsonl").write_text("".join([begun, *lines[1:]]))
    with ui_served(records, "vllm:fake@http://127.0.0.1:9/v1") as url:
        found = [re.findall(r'href="/ui/runs/(run\d+)"', httpx.get(url, params={"page": n}).text) for n in (1, 2, 3, 4)]
        assert list(map(len, found)) == [20, 20, 5, 0]
        assert [run for page in found for run in page] == [f"run{n:02}" for n in reversed(range(45))]
        page = httpx.get(url, params={"page": 2, "q": "a"}).text
        assert "21 to 40 of 45 runs" in page
        assert '<a href="/ui/?q=a&amp;page=3#runs">Older</a>' in page
        for odd in ("0", "-1", "x", "9" * 30, "²"):
            assert httpx.get(url, params={"page": odd}).status_code == 200


def test_libraries_and_their_reports_are_shown(tmp_path: Path) -> None:
    records = tmp_path / "runs"
    records.mkdir()
    about = {"proven": True, "sealed": True, "claim": CLAIM, "wins": 9, "losses": 0}
    named = {"id": "sorting/words/sort", "name": f"Sort {EVIL}", "chapter": "sorting", "section": "words", "flow": ["x"]}
    template = Template.model_validate({**named, "provenance": about})
    TemplateLibrary((template,)).save(records / "mine.json")
    (records / "mine.report.html").write_text(f"<!doctype html><title>x</title>{EVIL}")
    (records / "none.report.html").write_text("<!doctype html><title>x</title>")
    (tmp_path / "secret.report.html").write_text("secret")
    with ui_served(records, "vllm:fake@http://127.0.0.1:9/v1") as url:
        listed = httpx.get(f"{url}libraries").text
        assert re.findall(r'href="/ui/libraries/([^"]+)"', listed) == ["builtin", "mine", "mine/report", "none", "none/report"]
        page = httpx.get(f"{url}libraries/mine").text
        assert "Proven to help" in page
        assert "0 of 30 problems were right without its library, 27 with it" in page
        assert not {"script", "img"} & set(Elements(page.partition("<main")[2]).names)
        assert "No template helped" in httpx.get(f"{url}libraries/none").text
        report = httpx.get(f"{url}libraries/mine/report")
        assert report.text.endswith(EVIL)
        policy = report.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "sandbox" in policy
        assert "script" not in policy
        assert "Units digit by the cycle of powers" in httpx.get(f"{url}libraries/builtin").text
        for name in ("nosuch", "..%2fsecret", "%2e%2e%2fsecret", "builtin/report"):
            assert httpx.get(f"{url}libraries/{name}{'' if '/' in name else '/report'}").status_code == 404


def test_the_first_page_shows_what_to_type(url: str) -> None:
    page = httpx.get(url).text
    example = html.unescape(re.findall(r'href="/ui/(\?problem=[^"]+)"', page)[0])
    taken = Elements(httpx.get(f"{url}{example}").text).fields["problem"][0]
    assert taken.startswith("Given a sequence $\\{a_n\\}$")
    evil = httpx.get(url, params={"problem": f"</textarea>{EVIL}"}).text
    assert not {"script", "img"} & set(Elements(evil.partition("<main")[2]).names)


def why(template: Template | None = None, **solution: object) -> list[tuple[str, str]]:
    record = read_record(RECORD)
    assert record.solution
    changed = Solution.model_validate({**record.solution.model_dump(), **solution})
    *before, last = record.events
    made = type(record)(record.header, (*before, last.model_copy(update={"solution": changed})))
    return [(kind, said) for kind, said, _ in reasons(made, lambda id: template)]


def test_why_an_answer_is_trusted() -> None:
    assert ("good", "Proven.") in why(certainty="proven", support=1, solutions=1)
    assert ("good", "3 of 4 solutions agree.") in why(certainty="agreed", support=3, solutions=4)
    assert ("warn", "1 of 3 solutions states it.") in why(certainty="single", support=1, solutions=3)
    assert ("warn", "There is one solution.") in why(certainty="single", support=1, solutions=1)
    assert ("bad", "No solution states an answer.") in why(certainty="none", support=0, solutions=0)
    learned = Template(id="x", name="Shifting", provenance={"claim": CLAIM, "proven": True, "sealed": True})
    plan = {"steps": [{"purpose": "Shift", "templates": ["x"]}]}
    assert ("good", "A learned template was followed: Shifting.") in why(learned, plan=plan)
    assert not [said for _, said in why(Template(id="x", name="Shifting"), plan=plan) if "learned" in said]
    assert ("warn", "The run was cut short.") in why(status="exhausted", reason="the deadline of 1 s passed")


def test_the_proof_of_a_learned_template() -> None:
    assert proof({}) is None
    for odd in (None, 3, [], {"rows": 1}, {**CLAIM, "p": "x"}, {**CLAIM, "p": None}):
        assert proof({"claim": odd}) is None
    kind, text = proof({"claim": CLAIM, "proven": True, "sealed": True}) or ("", "")
    assert (kind, "p = 1.5e-08" in text) == ("good", True)
    assert (proof({"claim": CLAIM, "proven": "no"}) or ("",))[0] == "warn"
