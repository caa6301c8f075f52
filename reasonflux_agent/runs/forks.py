"""Forks: a thread, copied up to a checkpoint of one of its attempts, and put before the question of `agents.review` there.

The copy is a run of its own, with its own record: what was done before the checkpoint is not done again, and a person may
change what is left.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from langgraph.types import Send

from reasonflux_agent.errors import ThreadError
from reasonflux_agent.events import AnyEvent, Begin, Concluded, Feedback

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver, CheckpointTuple

Places = dict[tuple[str, int], "CheckpointTuple"]
"""(Attempt, index of a step) -> the checkpoint before this step was carried out."""
DUE = {"branch:to:solve_step", "branch:to:approve"}
"""Channels of an attempt in which a checkpoint says that a step is due."""


class Fork(NamedTuple):
    """A copy that was made."""

    attempt: str
    until: str
    """When its checkpoint was written, ISO 8601."""
    began: str
    """When the attempts began that were made at once with it."""
    beside: frozenset[str]
    """These other attempts."""

    def keeps(self, event: AnyEvent, time: float, began: float) -> bool:
        """Return whether an event of the run belongs to what was copied. time, began: `until` and `began` in seconds."""
        if isinstance(event, Begin | Concluded | Feedback):
            return False
        return event.time <= (time if event.attempt == self.attempt else began) or event.attempt in self.beside


async def history(saver: BaseCheckpointSaver[Any], thread: str) -> list[CheckpointTuple]:
    """Return the checkpoints of a thread and of its attempts, oldest first."""
    found = [each async for each in saver.alist({"configurable": {"thread_id": thread}})]
    return sorted(found, key=lambda each: str(each.checkpoint["id"]))


def places(checkpoints: Iterable[CheckpointTuple]) -> Places:
    """Return where a run can be forked: at each step of a trajectory in force; of a step that was redone, at its first try."""
    found: Places = {}
    for each in checkpoints:
        state = each.checkpoint["channel_values"]
        redone = [row["verdict"] for row in state.get("reviews") or ()][-1:] == ["redo"]
        if DUE & state.keys() and "plan" in state and not redone:
            attempt, step = state["attempt"], state["step"]
            found = {place: kept for place, kept in found.items() if place[0] != attempt or place[1] < step}
            found[attempt, step] = each
    return found


async def copy(
    saver: BaseCheckpointSaver[Any],
    thread: str,
    place: tuple[str, int],
    to: str,
    run: str,
    metadata: dict[str, str],
    graph: Any,
) -> Fork:
    """Copy a thread `to` another one whose run is `run`, up to a place of it, where `graph` asks a person.

    metadata: what the checkpoints of the copy say besides. Raises ThreadError for a place that is not kept.
    """
    checkpoints = await history(saver, thread)
    cut = places(checkpoints).get(place)
    if cut is None:
        raise ThreadError(
            f"The step {place[1] + 1} of {place[0]} is not kept. Next: reload the run's page, and choose another."
        )
    space, task = cut.config["configurable"]["checkpoint_ns"], cut.config["configurable"]["checkpoint_ns"].rpartition(":")[2]
    root, sent = _above(cut), list[Send]()
    for each in checkpoints:
        own, id = each.config["configurable"]["checkpoint_ns"], str(each.checkpoint["id"])
        if (_above(each) if own else id) > root or (own == space and id > cut.checkpoint["id"]):
            continue
        values: dict[str, Any] = {**each.checkpoint["channel_values"]}
        values |= {"run": run} if "run" in values else {}
        if sends := [Send(send.node, {**send.arg, "run": run}) for send in values.get("__pregel_tasks") or ()]:
            values["__pregel_tasks"] = sends
            sent = sends if id == root else sent
        before = (each.parent_config or {"configurable": {}})["configurable"].get("checkpoint_id")
        at: Any = {"configurable": {"thread_id": to, "checkpoint_ns": own, "checkpoint_id": before}}
        checkpoint, said = cast(Any, {**each.checkpoint, "channel_values": values}), cast(Any, {**each.metadata, **metadata})
        kept = await saver.aput(at, checkpoint, said, each.checkpoint["channel_versions"])
        written: dict[str, list[tuple[str, Any]]] = {}
        for by, channel, value in (each.pending_writes or ()) if id != cut.checkpoint["id"] else ():
            if id != root or by != task:  # what the attempt came to, and what was done at the checkpoint, is to be done again
                written.setdefault(by, []).append((channel, run if channel == "run" else value))
        for by, writes in written.items():
            await saver.aput_writes(kept, writes, by)
    due: Any = {"configurable": {"thread_id": to, "checkpoint_ns": space}, "metadata": metadata}
    await graph.copy({"checkpointer": saver}).aupdate_state(due, {"feedback": ""}, as_node="refine")
    began = next(each.checkpoint["ts"] for each in checkpoints if each.checkpoint["id"] == root)
    beside = frozenset(str(send.arg["attempt"]) for send in sent if send.node in graph.nodes) - {place[0]}
    return Fork(place[0], cut.checkpoint["ts"], began, beside)


def _above(checkpoint: CheckpointTuple) -> str:
    """Return the id of the run's own checkpoint that an attempt's checkpoint belongs to."""
    return str(cast(Any, checkpoint.metadata)["parents"][""])
