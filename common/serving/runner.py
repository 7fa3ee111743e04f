"""A few threads that answer, and a queue with an end.

A queue that may grow answers everybody late; a full one is told at once, and
whoever asks can ask elsewhere.
"""

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from common.serving.failures import RequestError

Answer = TypeVar("Answer")


class Runner:
    """Threads for requests.

    Args:
        num_threads: requests that are answered at one time.
        max_waiting: requests that may wait besides.
        seconds: from when a request is read to its answer.
    """

    def __init__(
        self, num_threads: int, max_waiting: int, seconds: float
    ) -> None:
        self._pool = concurrent.futures.ThreadPoolExecutor(
            num_threads, thread_name_prefix="request"
        )
        self._most = num_threads + max_waiting
        self._seconds = seconds
        self._lock = threading.Lock()
        self.num_pending = 0

    async def run(self, function: Callable[..., Answer], *args: Any) -> Answer:
        """Calls a function in a thread.

        Raises:
            RequestError: if too many wait already, or it takes too long.
        """
        if self.num_pending >= self._most:
            raise RequestError(
                f"{self._most} requests are waiting: ask again later, or ask"
                " another server",
                "RESOURCE_EXHAUSTED",
            )
        with self._lock:
            self.num_pending += 1
        future = self._pool.submit(function, *args)
        future.add_done_callback(self._finish)
        try:
            return await asyncio.wait_for(
                asyncio.wrap_future(future), self._seconds
            )
        except TimeoutError:
            raise RequestError(
                f"no answer in {self._seconds:g} seconds: send less at one"
                " time, or ask again later",
                "DEADLINE_EXCEEDED",
            ) from None

    def _finish(self, _: concurrent.futures.Future) -> None:
        """A request that nobody waits for counts until its thread is free."""
        with self._lock:
            self.num_pending -= 1

    def close(self) -> None:
        """Ends the threads; what waits is dropped."""
        self._pool.shutdown(wait=False, cancel_futures=True)
