"""Serves exported models: `python -m common.serving exports/`."""

import argparse
import contextlib
import os
import shlex
import signal
import socket
import threading
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from common import cli, errors, options
from common.characters import dump_json, printable
from common.errors import UserError
from common.serving.config import (
    Config,
    from_environment,
    parse_labels,
    serving_parser,
)

if TYPE_CHECKING:
    from common.serving.models import Models
    from common.serving.saved_model import SavedModel


def open_socket(host: str, port: int, flag: str = "--port") -> socket.socket:
    """Returns a socket that listens.

    Raises:
        UserError: if the address cannot be had.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"{host}, port {port}: cannot listen there ({reason}): choose"
            f" another {flag} or --host; {flag} 0 takes a free one"
        ) from error


def serve(folder: Path, config: Config) -> None:
    """Serves until Ctrl-C or SIGTERM.

    Args:
        folder: of exports, or one of them.
        config: all options.

    Raises:
        UserError: if there is nothing to serve, or nowhere to listen.
    """
    modules = _import_modules()
    log, metrics = modules.telemetry.Log(), modules.telemetry.Metrics()
    labels = parse_labels(config.label)
    threads, batching = _choose_threads(config)
    models = modules.models.Models(
        folder, config.versions, labels, config.timeout, batching, log
    )
    listener = open_socket(config.host, config.port)
    runner = modules.runner.Runner(threads, config.queue, config.timeout)
    app = modules.routes.Routes(models, runner, metrics, log, config).make_app()
    url = _format_url(listener)

    def load() -> None:
        models.refresh()
        print_models(models, url, config.token)
        models.watch(config.poll)

    loader = threading.Thread(target=load, daemon=True)
    with _serve_rpc(config, threads, models, metrics):
        loader.start()
        with _quiet_signals():
            _make_server(app, modules.uvicorn).run(sockets=[listener])
        models.stop()
        loader.join()
    models.close()
    runner.close()
    log("stopped")


def _choose_threads(config: Config) -> tuple[int, Any]:
    """Returns threads of requests, and how these are put together."""
    processors = os.cpu_count() or 1
    if not config.batch:
        return config.threads or processors, None
    from common.serving.batching import Batching

    batching = Batching(config.batch, config.batch_timeout, processors)
    # All requests of the batches that run wait in a thread each.
    return config.threads or min(2 * config.batch, 256), batching


@contextlib.contextmanager
def _quiet_signals() -> Iterator[None]:
    """Lets a server that was asked to stop end as usual, with status 0.

    Uvicorn answers what it has, then sends itself the signal once more.
    """
    kinds = (signal.SIGINT, signal.SIGTERM)
    before = {
        kind: signal.signal(kind, lambda number, frame: None) for kind in kinds
    }
    try:
        yield
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def _import_modules() -> Any:
    """Imports what serves; Keras and TensorFlow take seconds."""
    try:
        import uvicorn

        from common.serving import models, routes, runner, telemetry
    except ModuleNotFoundError as error:
        raise _missing(error, "serving") from error
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


def _missing(error: ModuleNotFoundError, extra: str) -> Exception:
    """Returns what to say of a package that is not installed."""
    if (error.name or "").partition(".")[0] == "common":
        return error
    return UserError(
        f"it needs {error.name}, which is not installed: pip install -e"
        f' ".[{extra}]" in the folder of rnn-topologies'
    )


def _make_server(app: Any, uvicorn: Any) -> Any:
    from common.serving.connection import Connection

    config = uvicorn.Config(
        app,
        http=Connection,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_keep_alive=75,  # Longer than what stands before it keeps one.
        timeout_graceful_shutdown=30,
        server_header=False,
    )
    return uvicorn.Server(config)


@contextlib.contextmanager
def _serve_rpc(
    config: Config, threads: int, models: "Models", metrics: Any
) -> Iterator[None]:
    """Serves gRPC as well, where it is asked for."""
    if not config.grpc_port:
        yield
        return
    try:
        from common.serving import rpc
    except ModuleNotFoundError as error:
        raise _missing(error, "grpc") from error
    address = (config.host, config.grpc_port)
    open_socket(*address, "--grpc-port").close()
    most = config.max_bytes
    server = rpc.start(
        address, models, metrics, threads, config.queue, most, config.token
    )
    try:
        yield
    finally:
        server.stop(config.timeout).wait()


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


def format_curl(model: "SavedModel", name: str, url: str, token: str) -> str:
    """Returns a line for a shell that asks a model; "" without an example.

    A token is named, not shown: what is printed ends in logs.
    """
    from common import export_usage  # With TensorFlow, which takes seconds.

    example = model.read_example()
    if not example:
        return ""
    body = dump_json(example)
    if len(body) > export_usage.MAX_LENGTH:
        body = f"@{model.folder / export_usage.REQUEST}"
    header = ' -H "Authorization: Bearer $SERVING_TOKEN"' if token else ""
    url = f"{url}/v1/models/{urllib.parse.quote(name, safe='')}:predict"
    return f"curl -d {shlex.quote(body)}{header} {shlex.quote(url)}"


def main() -> None:
    """Serves as the command line says."""
    default = from_environment()
    args = serving_parser(default).parse_args()
    with errors.tell_system_errors(args.folder):
        serve(Path(args.folder), options.override(default, args))


if __name__ == "__main__":
    cli.main(main)
