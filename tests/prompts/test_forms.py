"""The forms in which models write a plan and a review's verdict, as a table: what each means is read, and nothing else."""

from __future__ import annotations

import pytest

from reasonflux_agent.prompts import ParseError
from reasonflux_agent.prompts.original import ADJUST, LAY_OUT
from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.prompts.propose import PROPOSE
from reasonflux_agent.prompts.refine import REFINE
from reasonflux_agent.prompts.review import REVIEW, TASK
from reasonflux_agent.prompts.steps import write_steps

PLANS = [
    # JSON
    '{"Problem": "p", "General Knowledge Category": "Algebra", "Specific Direction": "sums", "Applied Method": "m",'
    ' "Examined Knowledge": ["tag one", "tag two"], "reason_flow": ["add", "check"]}',
    '{"template_name": "n", "knowledge_tag": ["t"], "application_scenario": ["s"], "reasoning_flow": ["Step 1: add", "check"]}',
    '{"plan": {"steps": ["add", "check"]}}',
    '{"steps": [{"step": 1, "description": "add"}, {"step": 2, "description": "check"}]}',
    '{"steps": [{"id": 1, "task": "add", "find": "sums"}, {"id": 2, "task": "check", "find": null}]}',
    '{"thought": "[so be it]", "tags": ["a", "b"], "solution_plan": ["add", "check"]}',
    '{"plan": "1. add\\n2. check"}',
    'Here is the plan: {"steps": ["add", "check"]}',
    'For $x \\in [0, 1]$ and {x}:\n```json\n{\n  "steps": [\n    "1. add",\n    "2. check"\n  ]\n}\n```\nGood luck!',
    'Sure!\n\n["add", "check"]',
    # numbers, and what stands around them
    "0. add\n1. check",
    "01. add\n02. check",
    "1.add\n2.check",
    "1: add\n2: check",
    "1 - add\n2 - check",
    "1 – add\n2 – check",
    "1\\. add\n2\\. check",
    "(1) add\n(2) check",
    "[1] add\n[2] check",
    "1、add\n2、check",
    "1．add\n2．check",
    "１. add\n２. check",
    "### 1. add\nwords\n### 2. check\nwords",
    "> 1. add\n> 2. check",
    "- 1. add\n- 2. check",
    "__1.__ add\n__2.__ check",
    "**1. add**\n**2. check**",
    "1) **add**\n2) **check**",
    "1. add\n2) check",
    "1. add\n\n1. check",
    "\t1. add\n\t2. check",
    # steps by name
    "### Step 1: add\n### Step 2: check",
    "### Step 1\n\nadd\n\n### Step 2\ncheck",
    "**Step 1**\n- add\n**Step 2**\n- check",
    "Step 1 (sums): add\nStep 2 (end): check",
    "Step 1 of 2: add\nStep 2 of 2: check",
    "- **Step 1**: add\n- **Step 2**: check",
    "**Step 1: add**\n**Step 2: check**",
    "Step 1 - add\nStep 2 - check",
    "Step 1 → add\nStep 2 → check",
    "Step 1. add\nStep 2. check",
    "STEP 1) add\nSTEP 2) check",
    "Step #1: add\nStep #2: check",
    "Phase 1: add\nPhase 2: check",
    # bullets
    "- add\n- check",
    "• add\n• check",
    "\\begin{enumerate}\n\\item add\n\\item check\n\\end{enumerate}",
    # numbers inside numbers
    "1. add\n  1.1 name it\n  1.2 count it\n2. check",
    "1. add\n1.1. name it\n1.2. count it\n2. check",
    "1. add\n   a) name\n   b) count\n2. check",
    "1. add\n   1. name\n   2. count\n2. check\n   1. once\n   2. twice",
    "1. add\n   - name\n   - count\n2. check",
    "Step 1: add\n1. name\n2. count\nStep 2: check",
    "Step 1: add\n  Step 1.1: name\nStep 2: check",
    # numbers that count nothing
    "1. add\n3.5 km is the distance\n10:30 is the start\n2. check",
    "3.5 km is the distance\n10:30 is the start\n2:1 is the ratio\n3 - x is left\n1. add\n2. check",
    "2.5 times as much\n0.75 of it\n- add\n- check",
    # what to look up, on a line of its own
    "1. add\n   find: sums\n2. check",
    "1. add\n   - **Find:** sums\n2. check",
    "1.) add\n2.) check",
    "Step (1): add\nStep (2): check",
    "Plan:\n1. add\n2. check\n\nSolution:\n1. 3 + 4 = 7\n2. It is 7",
]


@pytest.mark.parametrize("reply", PLANS)
def test_the_steps_are_the_steps(reply: str) -> None:
    for exchange in (PLAN, REFINE, LAY_OUT, ADJUST, PROPOSE):
        plan = exchange.parse(reply)
        assert [step.purpose for step in plan.steps] == ["add", "check"]
        assert [step.query for step in plan.steps] in (["sums", ""], ["", ""])


@pytest.mark.parametrize(
    ("reply", "purposes"),
    [
        ("1. 3.5 km is the distance\n2. 10:30 is the start", ["3.5 km is the distance", "10:30 is the start"]),
        ("1. **Setup**: name x\n2. **Solve:** for x", ["Setup: name x", "Solve: for x"]),
        ("1. a ** b, then **\n2. 'x' and {y}", ["a ** b, then", "'x' and {y}"]),
        ('1. Use ["a", "b"]\n2. Read {"steps": ["c"]}', ['Use ["a", "b"]', 'Read {"steps": ["c"]}']),
        ("1. Add | find: sums\n1. Check | find: proofs", ["Add", "Check"]),
        ('{"steps": ["use \\frac{a}{b}", "say \\"so\\"\\nand go on"]}', ["use \\frac{a}{b}", 'say "so" and go on']),
        ('{"steps": ["3.5 km is the distance", "2. 10:30 is the start"]}', ["3.5 km is the distance", "10:30 is the start"]),
        ("5. Go on\n6. End", ["Go on", "End"]),
    ],
)  # fmt: skip
def test_the_words_of_a_step_are_kept(reply: str, purposes: list[str]) -> None:
    assert [step.purpose for step in PLAN.parse(reply).steps] == purposes


@pytest.mark.parametrize(
    "reply",
    [
        "3.5 km is the distance",
        "10:30 is the start",
        "3 - x is positive",
        "2: 1",
        "I. Newton",
        "A. Einstein said so",
        "- Looks good",
        "The interval [0, 1] and {x}",
        '{"tags": ["a", "b"]}',
        "{'steps': []}",
        "[1, 2, 3]",
        "{a, b}",
        "Stepwise 1: no",
    ],
)
def test_what_is_no_plan_is_none(reply: str) -> None:
    with pytest.raises(ParseError):
        PLAN.parse(reply)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (PLANS[0], "sums"),
        ('{"plan": {"kind": "sums", "steps": ["add"]}}', "sums"),
        ("### **Kind**: sums\n1. add", "sums"),
        ("Kind: the list ['a', 'b']\n1. add", "the list ['a', 'b']"),
    ],
)
def test_the_kind_is_kept(reply: str, kind: str) -> None:
    assert PLAN.parse(reply).abstraction == kind


def test_a_plan_of_json_has_a_line_for_each_step_when_it_is_written() -> None:
    reply = '{"kind": "a\\nsum", "steps": [{"purpose": "add\\n1. the\\u2028numbers", "find": "sums\\nand more"}, "check"]}'
    plan = PLAN.parse(reply)
    assert plan.steps[0].purpose == "add 1. the numbers"
    assert PLAN.parse(write_steps(plan)) == plan


def test_the_conditions_of_a_proposal_are_read_in_bold_as_well() -> None:
    assert PROPOSE.parse("**Kind:** sums\n- **Conditions:** a is 3\n1. add").abstraction == "sums Conditions: a is 3"


REVIEWS = [
    ("ACCEPT", "accept", ""),
    ("ACCEPT.", "accept", ""),
    ("ACCEPTED: fine", "accept", "fine"),
    ("**ACCEPT**", "accept", ""),
    ("✅ ACCEPT", "accept", ""),
    ("- ACCEPT", "accept", ""),
    ("> ACCEPT — fine", "accept", "fine"),
    ("ACCEPT -- fine", "accept", "fine"),
    ("ACCEPT the work is right", "accept", "the work is right"),
    ("ACCEPT: not a single error", "accept", "not a single error"),
    ("$\\boxed{\\text{ACCEPT}}$", "accept", ""),
    ("### Verdict\nACCEPT", "accept", ""),
    ("Accept.", "accept", ""),
    ("redo", "redo", ""),
    ("Verdict: ACCEPT", "accept", ""),
    ("Verdict: accept", "accept", ""),
    ("The verdict is ACCEPT.", "accept", ""),
    ("**Final Verdict: ACCEPT**", "accept", ""),
    ("**Verdict:** REDO - the sign", "redo", "the sign"),
    ("verdict: Redo, 3 is right", "redo", "3 is right"),
    ("Overall assessment: REDO. 3", "redo", "3"),
    ("Decision: FINISH", "finish", ""),
    ("1. REDO: the sum is 12", "redo", "the sum is 12"),
    ("Step 2: REDO: the sum is 12", "redo", "the sum is 12"),
    ("Redo: the sign is wrong", "redo", "the sign is wrong"),
    ("[REDO] the sum", "redo", "the sum"),
    ("`REDO`: the sum", "redo", "the sum"),
    ("REDO: -3 is the root", "redo", "-3 is the root"),
    ("REDO: $x$ is 3", "redo", "$x$ is 3"),
    ("REDO: \\frac12", "redo", "\\frac12"),
    ("REDO (the sum is 12)", "redo", "(the sum is 12)"),
    ("REDO\nThe sum is 12", "redo", "The sum is 12"),
    ("REDO: Finish by adding 3.", "redo", "Finish by adding 3."),
    ("REDO: it is 12.\nFinish by adding 3.", "redo", "it is 12.\nFinish by adding 3."),
    ("REDO: it is 12.\nAccept nothing else.", "redo", "it is 12.\nAccept nothing else."),
    ("REDO: it is 12.\nFINISH the sum again", "redo", "it is 12.\nFINISH the sum again"),
    ("Finish by adding 3.\nREDO: it is 12", "redo", "it is 12"),
    ("Accept x = 3 as a root.\nREDO: x = 4", "redo", "x = 4"),
    ("Replace x by 3.\n3 + 4 = 7\nACCEPT", "accept", ""),
    ("ACCEPT\nREDO: 3 is right", "redo", "3 is right"),
    ("REDO: no.\nOn second thought it is right.\nACCEPT", "accept", ""),
    ("REDO\nACCEPT", "redo", ""),
    ("REDO: 3 is right.\n\nACCEPT", "redo", "3 is right."),
    ("REDO: 3 is right.\nWith 3 the sum is 12.\nFINISH\nIt is 12.", "redo", "3 is right.\nWith 3 the sum is 12."),
    ("REDO: no.\nACCEPT the work is right", "redo", "no."),
    ("ACCEPT\nREDO: 3 is right.\nACCEPT", "redo", "3 is right."),
    ("Redo: the sign is wrong.\nAccept.", "redo", "the sign is wrong."),
    ("REDO: 3 is right.\nFinal verdict: ACCEPT", "accept", ""),
    ("REDO: 3 is right.\nThe answer is FINISHED", "redo", "3 is right."),
    ("REDO? No, 3 + 4 is 7.\nACCEPT", "accept", ""),
    ("REDO: not needed.\nREPLACE: not needed.\nFINISH: 7", "finish", "7"),
    ("REDO: 3 is right.\nREDO: 4 is right.\nACCEPT", "redo", "4 is right."),
    ('{"verdict": "ACCEPT"}', "accept", ""),
    ('{\n  "verdict": "finish"\n}', "finish", ""),
    ("<verdict>REDO: 3</verdict>", "redo", "3</verdict>"),
]


@pytest.mark.parametrize(("reply", "verdict", "feedback"), REVIEWS)
def test_a_verdict_is_the_capitalised_word_at_the_head_of_a_line(reply: str, verdict: str, feedback: str) -> None:
    review = REVIEW.parse(reply)
    assert (review.verdict, review.feedback) == (verdict, feedback)


@pytest.mark.parametrize(
    "reply",
    [
        "ACCEPT? No.",
        "ACCEPT: no",
        "FINISH: no",
        "ACCEPT = no",
        "ACCEPT: false",
        "ACCEPT: the work is not right",
        "ACCEPT, but the sum should be 14.",
        "ACCEPT except that the last value is wrong",
        "ACCEPT once the sum is corrected to 14.",
        "ACCEPT after fixing the sum.",
        "ACCEPT the first part; the second is wrong.",
        "FINISH THE CALCULATION",
        "FINISH the calculation by adding 3",
        "FINISH: the final answer is there, but it is wrong.",
        "❌ ACCEPT",
        "Finish by adding 3.",
        "FINISH by adding 3.",
        "To finish, add 3.",
        "Finished adding, but the sum is wrong.",
        "Accept, but the sum is wrong.",
        "Accept that x = 3; then the rest is wrong.",
        "accept: the sum",
        "I ACCEPT",
        "NOT ACCEPT",
        "Verdict: not ACCEPT",
        "Verdict: not accepted",
        "ACCEPT is not possible.",
        "ACCEPT would be wrong.",
        "ACCEPT can't be given.",
        "ACCEPT cannot be given.",
        "ACCEPTABLE work",
        "REJECT: wrong",
        "ACCEPT/REDO",
        "ACCEPT or REDO",
        "ACCEPT, REDO, REPLACE or FINISH?",
        "- ACCEPT: if the work is right",
        "ACCEPT\nREDO\nREPLACE\nFINISH",
        TASK,
    ],
)
def test_a_sentence_that_names_a_verdict_is_none(reply: str) -> None:
    with pytest.raises(ParseError):
        REVIEW.parse(reply)


@pytest.mark.parametrize(
    ("reply", "feedback", "purposes"),
    [
        ("REPLACE\n1. Add\n2. FINISH the sum", "", ["Add", "FINISH the sum"]),
        ("REPLACE: a dead end\n1. ACCEPT the roots that fit\n2. Add", "a dead end", ["ACCEPT the roots that fit", "Add"]),
        ("REPLACE\n- Step 1: Add\n- Step 2: Finish", "", ["Add", "Finish"]),
        ('REPLACE: a dead end\n{"steps": ["Add", "Finish"]}', "a dead end", ["Add", "Finish"]),
        ('REPLACE\n```json\n["Add", "Finish"]\n```', "", ["Add", "Finish"]),
        ("1. REPLACE: a dead end\n2. Add\n3. Finish", "a dead end", ["Add", "Finish"]),
        ("Verdict: REPLACE\nNew plan:\n1. Add\n2. Finish", "New plan:", ["Add", "Finish"]),
        ("REPLACE: a dead end\n1. Add\n2. Finish\nACCEPT", "a dead end", ["Add", "Finish"]),
    ],
)
def test_the_steps_of_a_replacement_are_steps(reply: str, feedback: str, purposes: list[str]) -> None:
    review = REVIEW.parse(reply)
    assert (review.verdict, review.feedback) == ("replace", feedback)
    assert [step.purpose for step in review.steps] == purposes
