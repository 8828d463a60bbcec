"""What Prometheus may know: counts and durations. No text, no id, no path that a client made up."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)


class Metrics:
    """The measures of one service, in a registry of its own: two services in one process do not mix."""

    def __init__(self, model: str, version: str, queue: int, taken: Callable[[], int]) -> None:
        """Make the measures.

        Args:
            model: Name of the student.
            version: Start of the SHA-256 of its weights.
            queue: Requests that may wait.
            taken: Tells how many requests are in hand.
        """
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self.requests = Counter(
            "carabin_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self.request_seconds = Histogram(
            "carabin_request_seconds", "From a request to its answer.", ("route",), buckets=_SECONDS, registry=registry
        )
        self.wait_seconds = Histogram(
            "carabin_queue_wait_seconds", "Spent in the queue.", buckets=_SECONDS, registry=registry
        )
        self.annotate_seconds = Histogram(
            "carabin_annotate_seconds", "Spent annotating one request.", buckets=_SECONDS, registry=registry
        )
        self.documents = Counter("carabin_documents", "Documents annotated.", registry=registry)
        self.characters = Counter("carabin_characters", "Code points annotated.", registry=registry)
        self.entities = Counter("carabin_entities", "Entities given out.", ("label",), registry=registry)
        self.abandoned = Counter(
            "carabin_abandoned_requests", "Given up before their answer.", ("cause",), registry=registry
        )
        in_hand = Gauge("carabin_requests_in_hand", "Being received, waiting or being annotated.", registry=registry)
        in_hand.set_function(taken)
        Gauge("carabin_queue_limit", "Requests that may wait.", registry=registry).set(queue)
        info = Gauge("carabin_model_info", "The student that answers.", ("model", "version"), registry=registry)
        info.labels(model, version).set(1)

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests.labels(method, route, str(status)).inc()
        self.request_seconds.labels(route).observe(seconds)

    def page(self) -> bytes:
        """Return all measures in Prometheus's text form."""
        return generate_latest(self.registry)
