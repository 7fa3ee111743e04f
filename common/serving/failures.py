"""Refused requests, with a status that both HTTP and gRPC have."""

import re
from typing import Any

# Names and numbers of gRPC's status codes, and what TensorFlow Serving answers
# over HTTP (http_server.cc, ToHTTPStatusCode).
HTTP_STATUS = {
    "CANCELLED": 499,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
    "UNAUTHENTICATED": 401,
}
MAX_LENGTH = 500
# An assertion of a graph: its message, and where it stands.
_ASSERTION = re.compile(r"assertion failed: \[(.*?)\](?: \[|\s*$)", re.DOTALL)
_PLACE = re.compile(r"\s*\[\[\{\{node .*", re.DOTALL)


class RequestError(Exception):
    """A request that gets no answer, told in a sentence.

    Args:
        message: what was expected, and what came.
        code: a name of HTTP_STATUS. Default "INVALID_ARGUMENT".
        status: of HTTP, where it is not the code's. Default: the code's.
    """

    def __init__(
        self,
        message: str,
        code: str = "INVALID_ARGUMENT",
        status: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status or HTTP_STATUS[code]


def from_tensorflow(error: Any) -> RequestError:
    """Converts an error of a graph, keeping its code.

    What a graph asserts of its inputs becomes the sentence alone; of others
    the first line stays, without the place inside the graph.

    Args:
        error: a `tf.errors.OpError`.
    """
    message = str(error.message)
    match = _ASSERTION.search(message)
    text = match[1] if match else _PLACE.sub("", message)
    text = " ".join(text.split()) or type(error).__name__
    code = type(error).__name__.removesuffix("Error")
    code = re.sub("(?<!^)(?=[A-Z])", "_", code).upper()
    if code not in HTTP_STATUS:
        code = "INTERNAL"
    if code == "DEADLINE_EXCEEDED":
        text = "the model took too long: send less at one time"
    return RequestError(shorten(text), code)


def shorten(text: str) -> str:
    """Cuts a message that shows too much of a request.

    Example:
        >>> len(shorten("a" * 1000))
        500
    """
    if len(text) <= MAX_LENGTH:
        return text
    return f"{text[: MAX_LENGTH - 4]} ..."
