"""Chat models: from a spec string (`load`), what a call asks (`options`), its reply (`replies`) and its failure (`failures`).

Forms of a spec: `local:NAME`, `local:/path.gguf`, `local:OWNER/REPO/FILE.gguf`, `vllm:NAME[@URL[,URL...]]`,
`hf:DIR_OR_ID`, and `PROVIDER:NAME` for whatever LangChain's `init_chat_model` knows.
"""

from reasonflux_agent.models.failures import describe, model_error
from reasonflux_agent.models.load import aload_model, load_model, reads_errors, unload
from reasonflux_agent.models.options import CallOptions, call_kwargs
from reasonflux_agent.models.replies import Reply, read_reply
from reasonflux_agent.models.retries import TRIES, retries_itself, retry_policy, timed_out, transient
from reasonflux_agent.models.specs import check_spec

__all__ = [
    "TRIES",
    "CallOptions",
    "Reply",
    "aload_model",
    "call_kwargs",
    "check_spec",
    "describe",
    "load_model",
    "model_error",
    "read_reply",
    "reads_errors",
    "retries_itself",
    "retry_policy",
    "timed_out",
    "transient",
    "unload",
]
