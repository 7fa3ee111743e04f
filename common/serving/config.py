"""All options of the server, which are also its command line."""

import dataclasses
import hmac
import os
import secrets

from common import cli, options
from common.errors import UserError

LOOPBACK = ("127.0.0.1", "::1", "localhost")
MAX_PORT = 65535


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of the server."""

    # --- where ---
    host: str = "127.0.0.1"  # 0.0.0.0 lets other machines ask.
    port: int = 8501  # Of HTTP; 0 takes a free one.
    grpc_port: int = 0  # Of gRPC as well, such as 8500; 0: none.
    health_route: str = ""  # Another path of /ping; $AIP_HEALTH_ROUTE.
    predict_route: str = ""  # Another of /invocations; $AIP_PREDICT_ROUTE.

    # --- who may ask ---
    token: str = ""  # That requests must carry; $SERVING_TOKEN.
    no_token: bool = False  # Let anybody ask who reaches the host.

    # --- models ---
    versions: int = 1  # Newest versions of each model that are served.
    label: tuple[str, ...] = ()  # MODEL:LABEL=N, names of versions to serve.
    default_model: str = ""  # That /invocations asks; "" for the only one.
    poll: float = 1.0  # Seconds between two looks for new versions.

    # --- batches ---
    batch: int = 0  # Rows of requests that run as one, on a GPU; 0: none.
    batch_timeout: float = 2.0  # Milliseconds that the first of them waits.

    # --- limits ---
    threads: int = 0  # Requests answered at one time; 0: by the processors.
    queue: int = 256  # Requests that may wait; others get status 429.
    timeout: float = 30.0  # Seconds of a request; then it gets status 504.
    max_bytes: int = 64 * 2**20  # Of a request; larger ones get status 413.
    max_streams: int = 16  # WebSockets at one time.
    stream_timeout: float = 60.0  # Seconds without a frame that close one.

    # --- output ---
    log_requests: bool = False  # Log each request: JSON, on standard error.

    def __post_init__(self) -> None:
        """Refuses values that cannot work, naming the flag."""
        port = options.between(0, MAX_PORT + 1)
        positive, count = options.above(0), options.at_least(1)
        options.check_fields(
            self,
            port=port,
            grpc_port=port,
            versions=count,
            poll=positive,
            batch=options.at_least(0),
            batch_timeout=options.at_least(0),
            threads=options.at_least(0),
            queue=options.at_least(0),
            timeout=positive,
            max_bytes=count,
            max_streams=options.at_least(0),
            stream_timeout=positive,
        )
        if self.token and self.no_token:
            raise UserError("--no-token: there is a --token; give one of both")
        if not (self.token or self.no_token or self.host in LOOPBACK):
            raise UserError(
                f"--host {self.host} lets other machines ask: give a --token,"
                f" such as {secrets.token_hex(16)}, or say --no-token"
            )
        parse_labels(self.label)


def from_environment() -> Config:
    """Returns the defaults, as containers of clouds are told them.

    Of Vertex AI (AIP_*), SageMaker (SAGEMAKER_*) and TensorFlow Serving.
    """
    read = os.environ.get
    port = read("AIP_HTTP_PORT") or read("SAGEMAKER_BIND_TO_PORT") or ""
    return Config(
        port=int(port) if port.isdecimal() else Config.port,
        token=read("SERVING_TOKEN", ""),
        default_model=read("TFS_DEFAULT_MODEL_NAME", ""),
        health_route=read("AIP_HEALTH_ROUTE", ""),
        predict_route=read("AIP_PREDICT_ROUTE", ""),
    )


def serving_parser(default: Config) -> cli.Parser:
    """Returns the command line."""
    parser = cli.Parser(
        "common.serving",
        "Serves exported models over HTTP, as TensorFlow Serving does.",
    )
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        nargs="?",
        default=os.environ.get("MODEL_BASE_PATH", "exports"),
        help="of exports, or one of them [exports]",
    )
    names = [field.name for field in dataclasses.fields(Config)]
    options.add_fields(parser, default, *names)
    return parser


def is_allowed(authorization: str, token: str) -> bool:
    """Returns True for a request that carries the token of the server.

    Args:
        authorization: its header: "Bearer TOKEN", or the token alone.
        token: of the server; "" lets everybody ask.

    Example:
        >>> is_allowed("Bearer a", "a"), is_allowed("", "a"), is_allowed("", "")
        (True, False, True)
    """
    sent = authorization.removeprefix("Bearer ").strip()
    # In a time that tells nothing of the token.
    return not token or hmac.compare_digest(
        sent.encode("utf-8", "replace"), token.encode()
    )


def parse_labels(texts: tuple[str, ...]) -> dict[str, dict[str, int]]:
    """Returns the versions of labels, by model and label.

    Raises:
        UserError: if one is none.

    Example:
        >>> parse_labels(("sentiment:stable=3", "sentiment:canary=4"))
        {'sentiment': {'stable': 3, 'canary': 4}}
    """
    result: dict[str, dict[str, int]] = {}
    for text in texts:
        left, _, number = text.rpartition("=")
        model, _, label = left.rpartition(":")
        if not (model and label and number.isdecimal()):
            raise UserError(
                f"--label {text}: expected MODEL:LABEL=N, such as"
                " sentiment:stable=3"
            )
        result.setdefault(model, {})[label] = int(number)
    return result
