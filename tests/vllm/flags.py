"""What vLLM's own parser says of argument lists; run by the interpreter of vLLM's environment.

Reads [[argument, ...], ...] as JSON; prints {"flags": [...], "refused": [...], "tools": [...], "reasoning": [...]} as JSON.
"""

import contextlib
import io
import json
import sys


def main() -> None:
    from vllm.entrypoints.launchers.cli_args import make_arg_parser
    from vllm.reasoning import ReasoningParserManager
    from vllm.tool_parsers import ToolParserManager
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = make_arg_parser(FlexibleArgumentParser())
    refused = []
    for arguments in json.load(sys.stdin):
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said):
                parser.parse_args(arguments)
        except SystemExit:
            refused.append([arguments, said.getvalue()[-300:]])
    flags = sorted(option for action in parser._actions for option in action.option_strings)
    known = {"tools": ToolParserManager.list_registered(), "reasoning": ReasoningParserManager.list_registered()}
    print(json.dumps({"flags": flags, "refused": refused, **{name: sorted(values) for name, values in known.items()}}))


if __name__ == "__main__":
    main()
