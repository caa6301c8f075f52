"""The text of an answer while its model writes it: what can be told of it now, since nothing will take it back. No I/O."""

from __future__ import annotations

from collections.abc import Iterable

from reasonflux_agent.strategies.candidates import printed

THOUGHT, END, PROGRAM, FENCE = "<think>", "</think>", "```python", "```"
_MARKS = {"thought": (END, "start"), "text": (PROGRAM, "program"), "program": (FENCE, "behind")}
"""State of a reply -> the mark that ends it, and the next state."""
BROKEN = "\n\n[The reply above broke off. What follows replaces it.]\n\n"


def cut_at(text: str, stops: Iterable[str]) -> str:
    """Return the text up to the first of the strings that end it."""
    return text[: min((at for stop in stops if (at := text.find(stop)) >= 0), default=len(text))]


def kept(text: str, words: Iterable[str]) -> int:
    """Return how many characters at the end of a text may begin one of the words."""
    return max((size for word in words for size in range(1, len(word)) if text.endswith(word[:size])), default=0)


class Answer:
    """Follows one attempt's solver, reply by reply, as `strategies.candidates.solve` puts its replies together.

    programs: whether a reply is cut behind its first program, which is run. stops: strings that end what the client gets.
    """

    def __init__(self, *, programs: bool, stops: tuple[str, ...] = ()) -> None:
        self._programs, self._stops = programs, stops
        self._state, self._new = "start", ""
        """`start`, `thought`, `text`, `program`, or `behind` a program; and what was read and is not told."""
        self._text, self._blank = "", ""
        """The answer as far as it is known, without the blanks that end it."""
        self._tail, self._stopped, self._broken = "", False, False
        self.told = False
        """Whether some of it was told."""

    def token(self, text: str) -> tuple[str, str]:
        """Return (thought, content) that can be told after a piece of the reply."""
        thought = content = ""
        self._new += text
        while self._new and not self._broken and self._state != "behind":
            if self._state == "start":
                begins = self._new.lstrip()
                if begins != THOUGHT and THOUGHT.startswith(begins):  # blanks, or what may become the mark
                    break
                thinks = begins.startswith(THOUGHT)
                self._state = "thought" if thinks else "text"
                self._new = begins[len(THOUGHT) :] if thinks else self._new
                continue
            mark, following = _MARKS[self._state]
            if mark == PROGRAM and not self._programs:
                told, found, self._new = self._new, "", ""
            else:
                told, found, rest = self._new.partition(mark)
                hold = 0 if found else kept(told, [mark])
                told, self._new = (told, rest) if found else (told[: len(told) - hold], told[len(told) - hold :])
            if self._state == "thought":
                thought += told
                self._new = self._new.lstrip() if found else self._new
            else:
                content += self._release(told + found)
            if not found:
                break
            self._state = following
        return thought, content

    def call_ended(self) -> str:
        """Return the content that can be told at the end of a reply."""
        content = self._release(self._new) if self._state in ("text", "program") and not self._broken else ""
        self._state, self._new = "start", ""
        return content

    def printed(self, output: str, error: str | None) -> str:
        """Return the content that can be told when a program of the reply was run."""
        return "" if self._broken else self._release(printed(output, error))

    def fail(self) -> None:
        """A call failed: what it wrote is not the answer, and what is told of it stays."""
        self._broken = self._broken or bool(self._text)
        self._state, self._new = "start", ""

    def end(self, final: str) -> str:
        """Return the content that is left, so that the whole is `final`, cut at a stop.

        If what was told is neither the beginning of `final` nor ends in it, `final` follows below a line that says so.
        """
        final = final.strip()
        if final.startswith(self._text):
            rest = final[len(self._text) :]
        else:
            rest = "" if self._text.endswith(final) else f"{BROKEN}{final}"
        self._text += rest
        return self._cut(rest, last=True)

    def _release(self, text: str) -> str:
        text = self._blank + text
        known = text.rstrip()
        if known and "\ud800" <= known[-1] <= "\udbff":  # half of a pair
            known = known[:-1]
        self._blank = text[len(known) :]
        if not self._text:
            known = known.lstrip()
        known = known.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        self._text += known
        return self._cut(known)

    def _cut(self, text: str, *, last: bool = False) -> str:
        """What a client gets of a text that follows: nothing behind a stop, and nothing that may begin one."""
        if self._stopped:
            return ""
        whole = self._tail + text
        before = cut_at(whole, self._stops)
        self._stopped = before != whole
        hold = 0 if last or self._stopped else kept(whole, self._stops)
        self._tail = whole[len(whole) - hold :] if hold else ""
        told = before if self._stopped else whole[: len(whole) - hold]
        self.told = self.told or bool(told)
        return told
