"""The server's numbers, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from reasonflux_agent.schema import Solution

SECONDS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics:
    """The collectors of one app, in a registry of its own."""

    def __init__(self) -> None:
        own = self._registry = CollectorRegistry()
        self.requests = Counter("reasonflux_requests", "HTTP requests by model and status.", ["model", "status"], registry=own)
        self.in_flight = Gauge("reasonflux_requests_in_flight", "HTTP requests under way.", registry=own)
        self.seconds = Histogram(
            "reasonflux_request_seconds", "Seconds of a completion.", ["model"], buckets=SECONDS, registry=own
        )
        self._tokens = Counter("reasonflux_tokens", "Tokens of model calls by node and kind.", ["node", "kind"], registry=own)

    def count(self, solution: Solution) -> None:
        """Add what a run has spent."""
        for node, usage in solution.usage.items():
            self._tokens.labels(node, "prompt").inc(usage.prompt_tokens)
            self._tokens.labels(node, "cached").inc(usage.cached_tokens)
            self._tokens.labels(node, "completion").inc(usage.completion_tokens)

    def text(self) -> bytes:
        """Return Prometheus's exposition format."""
        return generate_latest(self._registry)
