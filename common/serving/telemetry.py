"""Metrics for Prometheus, and logs of one JSON object a line."""

import contextlib
import datetime
import sys
from typing import Any, TextIO

import prometheus_client

from common.characters import dump_json

# Seconds: from a small model to a long video.
BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
)
CONTENT_TYPE = prometheus_client.CONTENT_TYPE_LATEST


class Log:
    """A log of one JSON object a line: `{"time": ..., "event": ..., ...}`.

    Args:
        stream: where it goes. Default: standard error.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    def __call__(self, event: str, level: str = "info", **facts: Any) -> None:
        """Writes a line.

        Args:
            event: its name.
            level: "info", "warning" or "error".
            **facts: values of JSON.
        """
        now = datetime.datetime.now(datetime.UTC)
        line = {
            "time": now.isoformat(timespec="milliseconds"),
            "level": level,
            "event": event,
        }
        stream = self._stream or sys.stderr
        # A log that nobody reads, or a full disk, stops no server.
        with contextlib.suppress(OSError):
            stream.write(dump_json(line | facts) + "\n")
            stream.flush()


class Metrics:
    """Counts and durations of one server."""

    def __init__(self) -> None:
        self.registry = prometheus_client.CollectorRegistry()
        self._requests = prometheus_client.Counter(
            "serving_requests",
            "Requests by model, method and status of HTTP or gRPC.",
            ["model", "method", "status"],
            registry=self.registry,
        )
        self._seconds = prometheus_client.Histogram(
            "serving_request_seconds",
            "Seconds from a request to its answer, its wait included.",
            ["model", "method"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._pending = prometheus_client.Gauge(
            "serving_pending_requests",
            "Requests that wait or are answered.",
            registry=self.registry,
        )
        self._versions = prometheus_client.Gauge(
            "serving_version_available",
            "1 for each version that answers.",
            ["model", "version"],
            registry=self.registry,
        )
        prometheus_client.ProcessCollector(registry=self.registry)

    def count(
        self, model: str, method: str, status: int | str, seconds: float
    ) -> None:
        """Counts a request.

        Args:
            model: its name; "" if there is none of the name that was asked.
            method: such as "predict".
            status: of HTTP, or gRPC's name.
            seconds: to its answer.
        """
        self._requests.labels(model, method, str(status)).inc()
        self._seconds.labels(model, method).observe(seconds)

    def format(
        self, num_pending: int, versions: list[tuple[str, int]]
    ) -> bytes:
        """Returns all metrics as Prometheus reads them.

        Args:
            num_pending: requests that wait or are answered.
            versions: names and numbers of those that answer.
        """
        self._pending.set(num_pending)
        self._versions.clear()
        for model, version in versions:
            self._versions.labels(model, str(version)).set(1)
        return prometheus_client.generate_latest(self.registry)
