"""Serves exported models: `python -m common.serving exports/`."""

import argparse
import os
import secrets
import shlex
import socket
import threading
import urllib.parse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import cli, errors, options
from common.characters import dump_json, printable
from common.errors import UserError

if TYPE_CHECKING:
    from common.serving.models import Models

TOKEN_VARIABLE = "SERVING_TOKEN"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
# A longer request is read from its file.
MAX_CURL = 300


def serving_parser() -> cli.Parser:
    """Returns the command line."""
    parser = cli.Parser(
        "common.serving",
        "Serves exported models over HTTP, as TensorFlow Serving does.",
    )
    count = options.number(int, options.at_least(1))
    seconds = options.number(float, options.above(0))
    add = parser.add_argument
    add(
        "folder",
        metavar="FOLDER",
        nargs="?",
        default=_local_storage(),
        help="of exports, or one of them",
    )
    add(
        "--port",
        type=options.number(int, options.at_least(0)),
        metavar="N",
        default=_read_port(),
        help="of HTTP; 0 for a free one [8501]",
    )
    add(
        "--host",
        metavar="ADDRESS",
        default="127.0.0.1",
        help="0.0.0.0 lets other machines ask [127.0.0.1]",
    )
    add(
        "--grpc-port",
        type=options.number(int, options.at_least(0)),
        metavar="N",
        default=0,
        help="of gRPC as well, such as 8500 [none]",
    )
    access = parser.add_mutually_exclusive_group()
    access.add_argument(
        "--token",
        metavar="TEXT",
        default=os.environ.get(TOKEN_VARIABLE, ""),
        help=f"that requests must carry [${TOKEN_VARIABLE}]",
    )
    access.add_argument(
        "--no-token",
        action="store_true",
        help="lets anybody ask who reaches --host",
    )
    add(
        "--versions",
        type=count,
        metavar="N",
        default=1,
        help="how many of the newest of a model to serve [1]",
    )
    add(
        "--label",
        action="append",
        metavar="MODEL:LABEL=N",
        default=[],
        help="a name for a version, which is served besides; repeatable",
    )
    add(
        "--default-model",
        metavar="NAME",
        default=os.environ.get("TFS_DEFAULT_MODEL_NAME", ""),
        help="that /invocations asks [the only one]",
    )
    add(
        "--threads",
        type=count,
        metavar="N",
        default=os.cpu_count() or 1,
        help="requests that are answered at one time [processors]",
    )
    add(
        "--queue",
        type=options.number(int, options.at_least(0)),
        metavar="N",
        default=256,
        help="requests that may wait; others get status 429 [256]",
    )
    add(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        default=30.0,
        help="of a request; later ones get status 504 [30]",
    )
    add(
        "--max-bytes",
        type=count,
        metavar="N",
        default=64 * 2**20,
        help="of a request; larger ones get status 413 [67108864]",
    )
    add(
        "--max-streams",
        type=options.number(int, options.at_least(0)),
        metavar="N",
        default=16,
        help="WebSockets at one time [16]",
    )
    add(
        "--poll",
        type=seconds,
        metavar="SECONDS",
        default=1.0,
        help="between two looks for new versions [1]",
    )
    add(
        "--log-requests",
        action="store_true",
        help="log each request, as JSON on standard error",
    )
    return parser


def _local_storage() -> str:
    """Returns the folder that a cloud's container finds its models in."""
    return os.environ.get("MODEL_BASE_PATH", "exports")


def _read_port() -> int:
    """Returns the port that a cloud wants, or TensorFlow Serving's."""
    for name in ("AIP_HTTP_PORT", "SAGEMAKER_BIND_TO_PORT"):
        if (value := os.environ.get(name, "")).isdecimal():
            return int(value)
    return 8501


def parse_labels(texts: Sequence[str]) -> dict[str, dict[str, int]]:
    """Reads the flags --label.

    Raises:
        UserError: if one is none.

    Example:
        >>> parse_labels(["sentiment:stable=3", "sentiment:canary=4"])
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


def choose_token(args: argparse.Namespace) -> str:
    """Returns the token that requests must carry; "" for none.

    Raises:
        UserError: if other machines may ask, and nothing is said of a token.
    """
    if args.no_token:
        return ""
    if not args.token and args.host not in LOOPBACK:
        raise UserError(
            f"--host {args.host} lets other machines ask: give a --token, such"
            f" as {secrets.token_hex(16)}, or say --no-token"
        )
    return args.token


def open_socket(host: str, port: int, flag: str = "--port") -> socket.socket:
    """Returns a socket that listens.

    Raises:
        UserError: if the address cannot be had.
    """
    if port > 65535:
        raise UserError(f"{flag} {port}: expected 0 to 65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{host}, port {port}: cannot listen there ({reason}): choose"
            f" another {flag} or --host; {flag} 0 takes a free one"
        ) from error


def serve(args: argparse.Namespace) -> None:
    """Serves until Ctrl-C or SIGTERM.

    Raises:
        UserError: if there is nothing to serve, or nowhere to listen.
    """
    token = choose_token(args)
    labels = parse_labels(args.label)
    modules = _import_modules()
    listener = open_socket(args.host, args.port)
    log = modules.telemetry.Log()
    metrics = modules.telemetry.Metrics()
    models = modules.models.Models(
        Path(args.folder), args.versions, labels, args.timeout, log
    )
    runner = modules.runner.Runner(args.threads, args.queue, args.timeout)
    routes = modules.routes.Routes(
        models, runner, metrics, log, _make_options(args, token, modules)
    )
    server = _make_server(routes.make_app(), modules)
    url = _format_url(listener)

    def load() -> None:
        models.refresh()
        print_models(models, url, token)
        models.watch(args.poll)

    loader = threading.Thread(target=load, daemon=True)
    loader.start()
    rpc_server = None
    if args.grpc_port:
        rpc_server = _start_rpc(args, models, metrics, token)
    try:
        server.run(sockets=[listener])
    finally:
        if rpc_server:
            rpc_server.stop(grace=args.timeout).wait()
        loader.join()
        models.close()
        runner.close()
        log("stopped")


def _import_modules() -> Any:
    """Imports what serves; Keras and TensorFlow take seconds."""
    try:
        import uvicorn

        from common.serving import models, routes, runner, telemetry
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "common":
            raise
        raise UserError(
            f"serving needs {error.name}, which is not installed: pip install"
            ' "rnn-topologies[serving]", or pip install -e ".[serving]" in its'
            " folder"
        ) from error
    import tensorflow as tf

    # It advises another way of loading, which keeps memory for ever.
    tf.get_logger().setLevel("ERROR")
    return argparse.Namespace(
        uvicorn=uvicorn,
        models=models,
        routes=routes,
        runner=runner,
        telemetry=telemetry,
    )


def _make_options(args: argparse.Namespace, token: str, modules: Any) -> Any:
    return modules.routes.Options(
        token=token,
        max_bytes=args.max_bytes,
        body_seconds=args.timeout,
        max_streams=args.max_streams,
        default_model=args.default_model,
        health_route=os.environ.get("AIP_HEALTH_ROUTE", ""),
        predict_route=os.environ.get("AIP_PREDICT_ROUTE", ""),
        log_requests=args.log_requests,
    )


def _make_server(app: Any, modules: Any) -> Any:
    config = modules.uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,
        timeout_graceful_shutdown=30,
        h11_max_incomplete_event_size=64 * 1024,
        server_header=False,
    )
    return modules.uvicorn.Server(config)


def _start_rpc(
    args: argparse.Namespace, models: Any, metrics: Any, token: str
) -> Any:
    try:
        from common.serving import rpc
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] == "common":
            raise
        raise UserError(
            f"--grpc-port needs {error.name}, which is not installed: pip"
            ' install -e ".[grpc]"'
        ) from error
    address = (args.host, args.grpc_port)
    open_socket(*address, "--grpc-port").close()
    return rpc.start(
        address,
        models,
        metrics,
        args.threads,
        args.queue,
        args.max_bytes,
        token,
    )


def _format_url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def print_models(models: "Models", url: str, token: str) -> None:
    """Prints each model with a request that works when pasted."""
    for name in models.names():
        for version in models.statuses(name):
            if not version.model:
                print(printable(f"{name} {version.number}: {version.error}"))
                continue
            seconds = f"{version.seconds:.1f} s"
            print(printable(f"{name} {version.number}, ready in {seconds}"))
            curl = format_curl(version.model, name, url, token)
            print(printable(f"  {curl}" if curl else "  no request.json"))
    print(f"Open {url}/ to try them; Ctrl-C stops.", flush=True)


def format_curl(model: Any, name: str, url: str, token: str) -> str:
    """Returns a line for a shell that asks a model; "" without an example."""
    example = model.read_example()
    if not example:
        return ""
    body = dump_json(example)
    if len(body) > MAX_CURL:
        body = f"@{model.folder / 'request.json'}"
    words = ["curl", "-d", body]
    if token:
        words += ["-H", f"Authorization: Bearer {token}"]
    words.append(f"{url}/v1/models/{urllib.parse.quote(name, safe='')}:predict")
    return shlex.join(words)


def main() -> None:
    """Serves as the command line says."""
    args = serving_parser().parse_args()
    with errors.tell_system_errors(args.folder):
        serve(args)


if __name__ == "__main__":
    cli.main(main)
