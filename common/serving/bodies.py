"""Bodies of requests: read in time, of a size, and no more than fit."""

import asyncio
import contextlib
import zlib
from collections.abc import AsyncIterator

from starlette.requests import Request

from common.serving.failures import RequestError

# Bodies of the greatest size that are held at one time: a queue of small ones
# may be long, one of large ones would fill the memory.
MAX_BODIES = 8


class Bodies:
    """Reads bodies, and counts the bytes of all that are held.

    Args:
        max_bytes: of one body, unpacked too.
        seconds: in which it must have come.

    Attributes:
        num_bytes: of all that are held.
    """

    def __init__(self, max_bytes: int, seconds: float) -> None:
        self._max_bytes = max_bytes
        self._seconds = seconds
        self.num_bytes = 0

    @contextlib.asynccontextmanager
    async def hold(self, request: Request) -> AsyncIterator[bytes]:
        """Yields the body of a request, whose bytes count meanwhile.

        Raises:
            RequestError: if it is too slow, too large or damaged, or if the
                others leave no room for it.
        """
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise _too_large(self._max_bytes)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._seconds):
                async for part in request.stream():
                    parts.append(part)
                    size += len(part)
                    self.num_bytes += len(part)
                    self._check(size)
            encoding = request.headers.get("content-encoding", "").lower()
            yield unpack(b"".join(parts), encoding, self._max_bytes)
        except TimeoutError:
            raise RequestError(
                f"the body did not come in {self._seconds:g} seconds",
                "DEADLINE_EXCEEDED",
                status=408,
            ) from None
        finally:
            self.num_bytes -= size

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise _too_large(self._max_bytes)
        if self.num_bytes > MAX_BODIES * self._max_bytes:
            raise RequestError(
                "the bodies of other requests fill the memory: ask again later",
                "UNAVAILABLE",
            )


def unpack(body: bytes, encoding: str, most: int) -> bytes:
    """Unpacks the body of a request.

    Args:
        body: as it came.
        encoding: "gzip", "identity" or "".
        most: bytes of the result.

    Raises:
        RequestError: if it is packed in another way, damaged, or larger.

    Example:
        >>> import gzip
        >>> unpack(gzip.compress(b"{}"), "gzip", 100)
        b'{}'
    """
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise RequestError(
            f"Content-Encoding {encoding[:40]}: expected gzip or none",
            status=415,
        )
    reader = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        result = reader.decompress(body, most + 1)
    except zlib.error as error:
        raise RequestError(f"body is no gzip: {error}") from None
    if len(result) > most:
        raise _too_large(most)
    if not reader.eof:
        raise RequestError("body is no gzip: it is cut")
    return result


def _too_large(most: int) -> RequestError:
    return RequestError(
        f"expected at most {most:,} bytes in one request: split it",
        status=413,
    )
