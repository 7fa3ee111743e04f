"""A connection that waits for no client for ever.

Uvicorn has no limit for what comes before a request is complete: a client
that sends its headers byte by byte, or without end, would hold a connection and
memory as long as it likes. And it drops one that closes its side after asking.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER_SECONDS = 20.0
MAX_HEADER_BYTES = 64 * 1024


class Connection(HttpToolsProtocol):
    """One HTTP connection, with limits for headers."""

    _timer: asyncio.TimerHandle | None = None
    _num_bytes = 0
    _is_half_closed = False

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_headers()

    def on_headers_complete(self) -> None:
        self._stop_timer()
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        self._num_bytes += len(data)
        super().data_received(data)
        if self._timer and self._num_bytes > MAX_HEADER_BYTES:
            self.send_400_response(
                f"headers of more than {MAX_HEADER_BYTES} bytes"
            )

    def eof_received(self) -> bool | None:  # type: ignore[override]
        """Keeps the connection open for an answer that is being made."""
        if self.cycle is None or self.cycle.response_complete:
            return None
        self._is_half_closed = True
        return True

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_half_closed:
            self.transport.close()

    def _await_headers(self) -> None:
        self._stop_timer()
        self._num_bytes = 0
        self._timer = self.loop.call_later(HEADER_SECONDS, self._drop)

    def _stop_timer(self) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None

    def _drop(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()
