"""The navigator's prompts that can be trained, and the option that chooses one."""

from __future__ import annotations

import argparse

from reasonflux_agent.prompts import Prompt
from reasonflux_agent.prompts.plan import PLAN
from reasonflux_agent.prompts.propose import PROPOSE
from reasonflux_agent.schema import Plan

PROMPTS: dict[str, Prompt[Plan]] = {"plan": PLAN, "propose": PROPOSE}


def add_prompt(parser: argparse.ArgumentParser) -> None:
    """Add the option --prompt; --exchange is its former name."""
    says = "whose prompt: plan (v1), propose (v2, without a library)"
    parser.add_argument("--prompt", choices=PROMPTS, default="plan", help=says)
    parser.add_argument("--exchange", choices=PROMPTS, dest="prompt", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
