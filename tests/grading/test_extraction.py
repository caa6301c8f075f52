r"""Final answers as public graders' prompts ask for them, and as models state them."""

from __future__ import annotations

import pytest

from reasonflux_agent.verify.grading import equivalent, extract_answer
from tests.verifiers import measure

STATED = [
    # Minerva, lm-evaluation-harness, GSM8K, MMLU-Pro, BIG-Bench Hard
    ("Final Answer: The final answer is $5$. I hope it is correct.", "$5$"),
    ("so $x=5$.\nFinal Answer: The final answer is $\\frac{1}{2}$. I hope it is correct.", r"$\frac{1}{2}$"),
    ("Final Answer: The final answer is $(-\\infty, 2) \\cup (3, 4]$. I hope it is correct.", r"$(-\infty, 2) \cup (3, 4]$"),
    ("Final Answer: The final answer is $\\text{(B)}$. I hope it is correct.", r"$\text{(B)}$"),
    ("He has 5 - 2 = 3 left.\n#### 3", "3"),
    ("He has 5 - 2 = 3 left.\n#### $1,234.50", "$1,234.50"),
    ("He has 5 - 2 = 3 left.\n####-7", "-7"),
    ("It does.\n#### yes", "yes"),
    ("So.\n#### (B)", "(B)"),
    ("So.\n#### x = 5", "x = 5"),
    ("So.\n#### 12 apples and 3 pears", "12 apples and 3 pears"),
    ("So.\n#### **42**", "42"),
    ("So.\n#### Final Answer: 42", "42"),
    ("So.\n#### Answer\n42", "42"),
    ("So.\n#### The answer is 42", "42"),
    ("#### Step 2: Solve for $x$\nThe answer is 7.", "7"),
    ("#### Step 2: Solve for 3 unknowns", None),
    ("#### 2. Compute the sum of 3 and 4", None),
    ("#### Case 1: $x > 0$\nThen $x = 4$.", None),
    ("#### Solution:\nWe add.", None),
    ("##### 42", None),
    ("So.\n#### No solution", "No solution"),
    ("So.\n#### All real numbers but 2", "All real numbers but 2"),
    ("#### Combine both results\n\nThey add up.", None),
    ("#### Let us add 3 and 4", None),
    ("#### 42\n\n#### Check\n\nIt holds.", "42"),
    ("Let's think step by step. The answer is (B).", "(B)"),
    ("So the answer is valid", "valid"),
    ("so the answer is True.", "True"),
    ("the answer is No.\n", "No"),
    ("The answer is B: because it is red.", "B: "[:1]),
    ("The correct answer is (C), since 3 > 2.", "(C)"),
    ("Therefore, the correct option is (D).", "(D)"),
    ("Therefore, the correct choice is E", "E"),
    ("Answer: (B)", "(B)"),
    ("Answer: (B) because 3 > 2", "(B)"),
    ("ANSWER: C", "C"),
    ("Ans: 42", "42"),
    ("Answer：42", "42"),
    # Qwen, DeepSeek, Llama
    ("Thus \\[\\boxed{42}\\]", "42"),
    ("**Final Answer**\n\n\\[\\boxed{\\dfrac{3}{4}}\\]", r"\dfrac{3}{4}"),
    ("**Final Answer**\n\n42", "42"),
    ("**Final Answer:**\n$$\n\\frac{3}{4}\n$$", r"\frac{3}{4}"),
    ("### Final Answer\n\nThe probability is $\\frac{1}{6}$.", r"$\frac{1}{6}$"),
    ("### **Final Answer:** **42**", "42"),
    ("The final answer is: $\\boxed{42}$", "42"),
    ("The final answer is: \\( 42 \\)", r"\( 42 \)"),
    ("<think>\\boxed{1}?</think>\n<answer>42</answer>", "42"),
    ("<answer>\\boxed{42}</answer>", "42"),
    ("<answer> The answer is 42. </answer>", "42"),
    ("<answer>your answer here</answer>\n<answer>7</answer>", "7"),
    ("<ANSWER>\n(B)\n</ANSWER>", "(B)"),
    ("<final_answer>12</final_answer>", "12"),
    # where the answer stands below
    ("The answer is\n\\[\n42\n\\]", "42"),
    ("The answer is:\n\n$$\\frac{1}{2}$$\n", r"\frac{1}{2}"),
    ("The answer is\n\\[\n\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}.\n\\]", r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}"),
    ("The answer is $\\begin{pmatrix} 1 \\\\\n2 \\end{pmatrix}$.", "$\\begin{pmatrix} 1 \\\\\n2 \\end{pmatrix}$"),
    ("The answer is:\n```\n42\n```", "42"),
    ("**Answer**\n```output\n42\n```", "42"),
    ("The answer is:\n- 42", "42"),
    ("Answer:\n* 42\n", "42"),
    ("The answers are:\n- $2$\n- $3$\n\nThese are all.", "$2$, $3$"),
    ("The answers are:\n1. x = 2\n2. x = 3", "x = 2, x = 3"),
    ("The answer is:\n-42", "-42"),
    ("## Answer\n\n42", "42"),
    ("Answer\n42", "42"),
    # wordings and wrappers
    ("**Answer:** 42", "42"),
    ("**Answer**: 42", "42"),
    ("*Answer:* 42", "42"),
    ("Answer: `42`", "42"),
    ("Answer: __42__", "42"),
    ("Answer: *42*", "42"),
    ('The answer is "42".', "42"),
    ("The answer is **42** apples.", "42"),
    ("The answer is therefore 42.", "42"),
    ("The answer is, therefore, 42.", "42"),
    ("The answer, therefore, is 42.", "42"),
    ("The answer must be 42.", "42"),
    ("The answer in simplest form is 3/4.", "3/4"),
    ("The answer (rounded to one place) is 3.5.", "3.5"),
    ("My final answer would be 42.", "42"),
    ("The answer comes out to 42.", "42"),
    ("The answer is = 42", "42"),
    ("Answer = 42", "42"),
    ("The answers are 2 and 3.", "2 and 3"),
    ("The answer is approximately 3.14.", "3.14"),
    ("The answer is $5$ dollars.", "$5$ dollars"),
    ("The answer is $5. He pays $10 in all.", "$5"),
    ("The answer is 42 (since 6 times 7 is 42).", "42"),
    ("The answer is 42 — as we wanted.", "42"),
    ("The answer is 42!", "42"),
    ("The answer is 42! Hooray.", "42"),
    ("The answer is $5!$.", "$5!$"),
    ("The answer is 5!.", "5!"),
    ("The answer is 5! = 120.", "5! = 120"),
    ("The answer is 10! ways.", "10! ways"),
    (r"\boxed{5!}", "5!"),
    ("#### 42!", "42"),
    ("The answer is all real numbers except $x = 2$.", "all real numbers except $x = 2$"),
    ("The answer is Paris.", "Paris"),
    ("The answer is the empty set.", "the empty set"),
    # boxes
    (r"I write \boxed{?} first. The answer is 42.", "42"),
    (r"Put it in \boxed{}. The answer is 42.", "42"),
    (r"Use \boxed{\text{answer}}. So it is \boxed{42}.", "42"),
    (r"\boxed{42} and as a template: \boxed{your answer here}", "42"),
    (r"The answer is \boxed{...}. Final answer: 42", "42"),
    (r"\boxed{= 42}", "42"),
    (r"\boxed{\boxed{42}}", "42"),
    (r"\boxed{-42}", "-42"),
    ("the answer is boxed{42}", "42"),
    ("the answer is \x08oxed{42}", "42"),
    (r"$x = \boxed{2}$ or $x = \boxed{-3}$.", "2, -3"),
    (r"\boxed{2}, \boxed{3}, and \boxed{5}", "2, 3, 5"),
    (r"$\boxed{2} \text{ and } \boxed{3}$", "2, 3"),
    (r"$a = \boxed{2}$ and $b = \boxed{3}$", "a = 2, b = 3"),
    (r"This is $\boxed{2-b}$ or $\boxed{-b+2}$.", "-b+2"),
    (r"\boxed{2}, that is, \boxed{2}", "2"),
    ("\\boxed{42}\n\nThus the answer is:\n\\boxed{42}", "42"),
    (r"First \boxed{2}. No, a sign was wrong: \boxed{-2}", "-2"),
    (r"Step 1 gives \boxed{5}. Final Answer: The final answer is $7$. I hope it is correct.", "$7$"),
    (r"\boxed{42}. The final answer is in the box above.", "42"),
    (r"\boxed{42}. So the answer is right.", "42"),
    ("\\boxed{5} by the first way.\n#### 7", "7"),
    # brackets that close nothing, in a box
    (r"So it is \boxed{> ) } ]} as needed.", "> ) } ]"),
    (r"The final answer is $\boxed{\text{] } ]}}$.", "] } ]"),
    (r"\boxed{ } ] ) }", "} ] )"),
    (r"{\boxed{}}", None),
    # what stands around it
    ("The answer is 8.</s>", "8"),
    ("The answer is 8<|eot_id|>", "8"),
    ("The answer is 8.\n\nProblem: What is 2 + 2?\nThe answer is 4.", "8"),
    ("The answer is 42.\nNote: the answer is always positive.", "42"),
    ("**Final answer:** The ball costs **$0.05**.", "$0.05"),
    ("## Answer\n\nThe total is **42**.", "42"),
    ("The answer is St. Louis.", "St. Louis"),
    ("The answer is 8, as required.", "8"),
    ("The answer is the letter B.", "B"),
    ('{"answer": 8}', "8"),
    ('```json\n{"answer": "8"}\n```', "8"),
    ("[ANSWER] 8 [/ANSWER]", "8"),
    ("See [answer](page) below.", None),
    ("Answer (integer): 42", "42"),
    ("Hence, the final result is 8.", "8"),
    ("Thus, 42 is the answer.", "42"),
    ("Therefore, option (D) is the correct answer.", "(D)"),
    ("Option D is correct.", "D"),
    ("What is the answer?", None),
    ("It is not sure that 5 is the answer", None),
    (r"\boxed{28} or \boxed{28_9}", "28_9"),
    (r"\boxed{20:34} or \boxed{8:34 p.m.}", "8:34 p.m."),
    # what is no answer
    ("The answer is not 5.", None),
    ("Is the answer 5? The answer is wrong.", None),
    ("The answer is 5. Let me check that the answer is correct.", "5"),
    ("The answer is found by adding 2 and 3.", None),
    ("Answer: Let's think step by step. First we add 2 and 3.", None),
    ("What is the answer: is it 5?", None),
    ("The answer choices are (A) 5 and (B) 6.", None),
    ("```python\nanswer = 6 * 7\nprint('The answer is', answer)\n```", None),
    ("```python\nprint('\\\\boxed{x}')\n```\n```output\n42\n```\nThe answer is 42.", "42"),
    ("```output\n42\n```", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "answer"), STATED)
def test_the_answer_as_it_is_stated(text: str, answer: str | None) -> None:
    assert extract_answer(text) == answer


@pytest.mark.skipif(not measure.DATA.is_dir(), reason="needs the training rows")
@pytest.mark.parametrize("source", measure.SOURCES)
def test_gold_is_extracted_from_gold_solutions(source: str) -> None:
    """Where a solution boxes several values, the published answer has the last one alone."""
    lost = measure.unextracted(measure.rows(source, 2_000))
    assert len(lost) <= 3
    assert all(str(extract_answer(row["solution"])).endswith(f", {row['answer']}") for row in lost)


FORMS = (
    "Final Answer: The final answer is ${}$. I hope it is correct.",
    "The answer is ${}$.",
    "**Answer:** ${}$",
    "**Final Answer**\n\n$${}$$",
    "The answer is\n\\[\n{}\n\\]",
    "<answer>{}</answer>",
    "<answer>${}$</answer>",
    "Thus \\(\\boxed{{{}}}\\).",
    "### Answer:\n\n- ${}$",
    "The final answer is therefore $\\displaystyle {}$, since nothing else is possible.",
)


@pytest.mark.skipif(not measure.DATA.is_dir(), reason="needs the training rows")
def test_gold_is_extracted_in_every_form() -> None:
    read = measure.rows("math_train", 400)
    lost = [
        (form, row["answer"])
        for form in FORMS
        for row in read
        if not equivalent(extract_answer(form.format(row["answer"])) or "", row["answer"])
    ]
    assert lost == []
