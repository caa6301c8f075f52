"""Marks of runs: POST /v1/feedback, and the forms of the run page without a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reasonflux_agent import ReasonFlux
from reasonflux_agent.runs.record import read_record
from reasonflux_agent.serving.ui.marking import mark_form
from reasonflux_agent.testing import FakeModel, serve_fake
from tests.serving.servers import served
from tests.serving.test_app import GOOD, Client, error_of
from tests.serving.test_ui import Elements
from tests.serving.ui_server import EVIL, ui_served

PATH = "/v1/feedback"


class Marking(Client):
    """Marks runs, too."""

    def mark(self, body: Any, **headers: str) -> httpx.Response:
        headers = {"Content-Type": "application/json", **headers}
        return self.send("POST", PATH, content=body if isinstance(body, bytes) else json.dumps(body), headers=headers)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("records")


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[Marking]:
    one = Marking(FakeModel(), folder, max_body=100_000)
    yield one
    one.close()


def test_a_reply_is_marked_by_its_id(client: Marking, folder: Path) -> None:
    reply = client.post(GOOD).json()
    run = reply["reasonflux"]["run"]
    assert reply["id"] == f"chatcmpl-{run}"
    done = client.mark({"id": reply["id"], "correct": False, "answer": "6", "comment": "no"})
    assert done.status_code == 200
    time = done.json().pop("time")
    assert time > 1.7e9
    assert done.json() == {
        "id": reply["id"], "object": "feedback", "run": run, "correct": False, "answer": "6", "comment": "no", "time": time
    }  # fmt: skip
    path = folder / f"{run}.jsonl"
    assert read_record(path).feedback.model_dump()["answer"] == "6"  # type: ignore[union-attr]
    assert client.mark({"id": f"resp_{run}", "correct": False}).json()["answer"] is None  # as /v1/responses names it
    assert client.mark({"id": run, "correct": True}).json()["answer"] == "5"
    assert read_record(path).feedback.correct is True  # type: ignore[union-attr]


REFUSED: list[tuple[Any, int, str | None, str]] = [
    (b"", 400, None, "not JSON"),
    ([], 400, None, "JSON list"),
    ({}, 400, "id", "required"),
    ({"id": "x"}, 400, "correct", "required"),
    ({"id": "x", "correct": "no"}, 400, "correct", "boolean"),
    ({"id": 3, "correct": True}, 400, "id", "string"),
    ({"id": "x", "correct": True, "anwser": "7"}, 400, "anwser", "Those that are read: id, correct, answer, comment."),
    ({"id": "nosuch", "correct": True}, 404, "id", "no record of the run 'nosuch' here. Next"),
    ({"id": "../../etc/passwd", "correct": True}, 404, "id", "no record of the run"),
    ({"id": "x" * 5000, "correct": True}, 404, "id", "no record of the run"),
    (b" " * 100_001, 413, None, "larger than 100,000 bytes"),
]


@pytest.mark.parametrize(("body", "status", "param", "says"), REFUSED, ids=[row[3] for row in REFUSED])
def test_a_bad_request_is_told_what_is_wrong(
    client: Marking, folder: Path, body: Any, status: int, param: str | None, says: str
) -> None:
    reply = client.mark(body)
    assert (reply.status_code, error_of(reply)["param"]) == (status, param)
    assert says in error_of(reply)["message"]
    assert str(folder) not in reply.text


def test_what_does_not_fit_the_run_is_refused(client: Marking, folder: Path) -> None:
    run = client.post(GOOD).json()["reasonflux"]["run"]
    before = (folder / f"{run}.jsonl").read_bytes()
    for body in ({"id": run, "correct": False, "answer": "5"}, {"id": run, "correct": True, "answer": "9" * 20_001}):
        reply = client.mark(body)
        assert reply.status_code == 400
        assert "Next: " in error_of(reply)["message"]
    assert (folder / f"{run}.jsonl").read_bytes() == before


def test_a_page_of_another_site_marks_nothing(client: Marking) -> None:
    assert client.mark({"id": "x", "correct": True}, **{"Content-Type": "text/plain"}).status_code == 415
    assert client.send("GET", PATH).status_code == 405
    assert f"POST {PATH}" in error_of(client.send("GET", "/v1/nosuch"))["message"]


def test_it_is_behind_the_key(folder: Path) -> None:
    locked = Marking(FakeModel(), folder, api_key="sesame")
    assert locked.mark({"id": "x", "correct": True}).status_code == 401
    assert locked.mark({"id": "x", "correct": True}, Authorization="Bearer sesame").status_code == 404
    locked.close()


values = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
bodies = st.dictionaries(st.sampled_from(["id", "correct", "answer", "comment", "x"]), values, max_size=5)


@given(bodies)
def test_no_body_makes_the_server_fail(client: Marking, body: Any) -> None:
    reply = client.mark(body)
    assert reply.status_code in (400, 404)
    error_of(reply)


def test_a_server_without_records_says_so() -> None:
    with serve_fake() as upstream, served("--model", f"vllm:fake@{upstream}") as server:
        reply = httpx.post(f"{server.url}/feedback", json={"id": "chatcmpl-x", "correct": True})
    assert reply.status_code == 404
    assert error_of(reply)["code"] == "records_not_kept"
    assert "Next: its operator starts it with --record DIR." in error_of(reply)["message"]


def test_a_server_with_records_takes_marks(tmp_path: Path) -> None:
    with serve_fake() as upstream, served("--model", f"vllm:fake@{upstream}", "--record", str(tmp_path)) as server:
        reply = httpx.post(f"{server.url}/chat/completions", json=GOOD, timeout=60).json()
        marked = httpx.post(f"{server.url}/feedback", json={"id": reply["id"], "correct": True})
    assert (marked.status_code, marked.json()["answer"]) == (200, "5")
    assert [read_record(path).feedback.answer for path in tmp_path.iterdir()] == ["5"]  # type: ignore[union-attr]


# The run page


def test_a_run_that_has_not_ended_cannot_be_marked(tmp_path: Path) -> None:
    run = ReasonFlux(FakeModel(), record=tmp_path, effort="low").solve("What is 3 + 4?").run
    path = tmp_path / f"{run}.jsonl"
    assert "Is the answer right?" in str(mark_form(read_record(path)))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert mark_form(read_record(path)) is None


def test_a_run_without_an_answer_has_no_button_that_calls_it_right(tmp_path: Path) -> None:
    flux = ReasonFlux(FakeModel(respond=lambda _: "A poem."), strategy="direct", record=tmp_path)
    form = str(mark_form(read_record(tmp_path / f"{flux.solve('What is 3 + 4?').run}.jsonl")))
    assert re.findall(r'value="(right|wrong)"', form) == ["wrong"]


def test_the_page_marks_a_run(tmp_path: Path) -> None:
    records = tmp_path / "runs"
    run = ReasonFlux(FakeModel(), record=records, effort="low").solve("What is 3 + 4?").run
    path = records / f"{run}.jsonl"
    with ui_served(records, "vllm:fake@http://127.0.0.1:9/v1") as url:
        place = f"{url}runs/{run}"
        assert "marked" not in httpx.get(url).text
        done = httpx.post(f"{place}/feedback", data={"mark": "wrong", "answer": f" 8 {EVIL} "})
        assert (done.status_code, done.headers["location"]) == (303, f"/ui/runs/{run}#mark-title")
        assert read_record(path).feedback.model_dump()["answer"] == f"8 {EVIL}"  # type: ignore[union-attr]
        page = httpx.get(place).text
        assert "Marked as wrong on " in page
        assert not {"img"} & set(Elements(page).names)
        assert Elements(page).fields["answer"] == [f"8 {EVIL}"]  # to be corrected
        assert "answered" in httpx.get(url).text
        assert "1 of 1 runs" in httpx.get(url, params={"q": "marked wrong"}).text
        assert httpx.post(f"{place}/feedback", data={"mark": "right"}).status_code == 303
        assert "Marked as right on " in httpx.get(place).text
        assert "0 of 1 runs" in httpx.get(url, params={"q": "marked wrong"}).text
        before = path.read_bytes()
        for data, said in (({"mark": "?"}, "does not say"), ({"mark": "wrong", "answer": "7"}, "its own answer")):
            refused = httpx.post(f"{place}/feedback", data=data)
            assert refused.status_code == 400
            assert said in refused.text
        assert httpx.post(f"{url}runs/nosuch/feedback", data={"mark": "right"}).status_code == 404
        elsewhere = httpx.post(f"{place}/feedback", data={"mark": "right"}, headers={"Origin": "http://evil.example"})
        assert elsewhere.status_code == 400
        assert path.read_bytes() == before
