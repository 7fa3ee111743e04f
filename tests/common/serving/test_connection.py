"""Limits of what comes before a request, by a clock that a test moves."""

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState

from common.serving import connection


class Transport(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self):
        super().__init__()
        self.written = b""
        self.is_closed = False

    def get_extra_info(self, name, default=None):
        return default

    def write(self, data):
        self.written += data

    def close(self):
        self.is_closed = True

    def is_closing(self):
        return self.is_closed


@pytest.fixture
def opened(monkeypatch):
    """A connection, its transport, and the timers that it has set."""
    loop = asyncio.new_event_loop()
    timers = []

    def call_later(seconds, function, *args):
        timers.append((seconds, function))
        return loop.call_soon(lambda: None)

    monkeypatch.setattr(loop, "call_later", call_later)

    async def app(scope, receive, send):
        raise AssertionError("there is no request")

    config = uvicorn.Config(app, log_config=None, ws="none", lifespan="off")
    config.load()
    made = connection.Connection(config, ServerState(), {}, _loop=loop)
    transport = Transport()
    made.connection_made(transport)
    yield made, transport, timers
    made.connection_lost(None)
    loop.close()


def test_a_client_that_sends_no_request_is_dropped(opened):
    made, transport, timers = opened
    made.data_received(b"GET / HTTP/1.1\r\na: ")
    seconds, drop = timers[-1]
    assert seconds == connection.HEADER_SECONDS
    assert not transport.is_closed
    drop()
    assert transport.is_closed


def test_headers_without_end_are_refused(opened):
    made, transport, _ = opened
    made.data_received(b"GET / HTTP/1.1\r\n")
    while not transport.is_closed:
        made.data_received(b"a: b\r\n" * 1000)
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert b"headers of more than" in transport.written


def test_a_client_that_leaves_without_a_request_is_not_waited_for(opened):
    made, _, _ = opened
    assert made.eof_received() is None
