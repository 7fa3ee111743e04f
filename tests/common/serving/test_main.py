"""The command: its flags, its errors, and a process that serves."""

import contextlib
import http.client
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import ovmsclient
import pytest

from common.errors import UserError
from common.serving import __main__ as command
from common.serving.config import Config, from_environment
from common.serving.saved_model import SavedModel
from tests.support import serving
from tests.support.commands import ROOT, error_line

MODULE = "common.serving.__main__"


def test_wrong_commands_are_one_line(tmp_path, made_exports):
    listener = command.open_socket("127.0.0.1", 0)
    port = listener.getsockname()[1]
    exports = str(made_exports)
    wrong = (
        ((tmp_path / "no",), "no such folder; expected exports"),
        ((exports, "--port", port), f"127.0.0.1, port {port}: cannot listen"),
        (
            (exports, "--port", 70000),
            "--port must be at least 0 and below 65536",
        ),
        ((exports, "--host", "no.invalid", "--no-token"), "cannot listen"),
        ((exports, "--host", "0.0.0.0"), "give a --token, such as"),
        ((exports, "--label", "a"), "expected MODEL:LABEL=N, such as"),
        ((exports, "--timeout", 0), "--timeout"),
        ((exports, "--nosuch"), "unknown argument --nosuch"),
    )
    with listener:
        for args, words in wrong:
            line = error_line(MODULE, *args, folder=tmp_path)
            assert words in line, line


def test_both_kinds_of_access_are_refused():
    with pytest.raises(UserError, match="--no-token: there is a --token"):
        Config(token="a", no_token=True)
    assert Config(host="0.0.0.0", no_token=True).token == ""


def test_containers_of_clouds_are_told_where_to_listen(monkeypatch):
    monkeypatch.setenv("SAGEMAKER_BIND_TO_PORT", "8080")
    assert from_environment().port == 8080
    monkeypatch.setenv("AIP_HTTP_PORT", "7080")
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/p")
    assert from_environment() == Config(port=7080, predict_route="/p")


class Asked:
    """A model with an example; its folder is never read."""

    folder = pathlib.Path("exports/a b/1")

    def __init__(self, text):
        self.text = text

    def read_example(self):
        return {"inputs": {"text": [self.text]}}


def test_a_curl_line_quotes_and_shows_no_token():
    line = command.format_curl(Asked("it's"), "a b", "http://h:1", "secret")
    assert "secret" not in line
    assert shlex.split(line) == [
        *("curl", "-d", '{"inputs": {"text": ["it\'s"]}}'),
        *("-H", "Authorization: Bearer $SERVING_TOKEN"),
        "http://h:1/v1/models/a%20b:predict",
    ]
    line = command.format_curl(Asked("long " * 99), "a", "http://h:1", "")
    assert shlex.split(line)[2] == "@exports/a b/1/request.json"


class Server:
    """A process that serves, as a user starts it."""

    def __init__(self, folder, *flags):
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "common.serving", str(folder)),
                *("--port", "0", "--poll", "0.2"),
                *flags,
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        self.printed = []
        self.log = []
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        for line in self.process.stdout:
            self.printed.append(line.rstrip("\n"))
            if line.startswith("Open "):
                break
        self.url = re.search(r"http://[\d.:]+", self.printed[-1])[0]

    def _read_log(self):
        for line in self.process.stderr:
            if line.startswith("{"):  # TensorFlow has its own.
                self.log.append(json.loads(line))

    def post(self, path, body):
        with urllib.request.urlopen(self.url + path, body.encode()) as answer:
            return json.load(answer)

    def stop(self, kind=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(kind)
        status = self.process.wait(60)
        self._reader.join()
        self.process.stdout.close()
        self.process.stderr.close()
        return status


@pytest.fixture(scope="module")
def server(exports):
    server = Server(exports)
    yield server
    server.stop()


@pytest.mark.slow
def test_each_model_is_printed_with_a_line_that_works(server, exports):
    request = {"inputs": {"text": ["it's $HOME"]}}
    assert any(line.startswith("half 1, ready in ") for line in server.printed)
    path = exports / "texts" / "1" / "request.json"
    path.write_text(json.dumps(request))
    model = SavedModel(path.parent)
    line = command.format_curl(model, "texts", server.url, "")
    model.close()
    done = subprocess.run(line, shell=True, capture_output=True, text=True)
    assert json.loads(done.stdout)["outputs"]["label"] == ["<it's $HOME>"]
    assert shlex.split(line)[0] == "curl"


@pytest.mark.slow
def test_an_independent_client_over_http(server):
    client = ovmsclient.make_http_client(server.url.removeprefix("http://"))
    assert client.get_model_status("half")[1]["state"] == "AVAILABLE"
    metadata = client.get_model_metadata("half")
    assert metadata["model_spec"]["version"] == "1"
    answer = client.predict({"x": [1.0, 2.0]}, "half")
    assert answer.tolist() == [3.5, 4.0]


@pytest.mark.slow
def test_clients_that_go_away_hurt_nobody(server):
    host, port = server.url.removeprefix("http://").split(":")
    for part in (
        b"",
        b"POST /v1/models/half:predict HTTP/1.1\r\nHost: a\r\n",
        b"POST /v1/models/half:predict HTTP/1.1\r\nHost: a\r\n"
        b"Content-Length: 100\r\n\r\n{",
        b"GARBAGE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ):
        connection = http.client.HTTPConnection(host, int(port))
        connection.connect()
        connection.sock.sendall(part)
        connection.sock.close()
    answer = server.post("/v1/models/half:predict", '{"instances": [1]}')
    assert answer == {"predictions": [3.5]}


@pytest.mark.slow
def test_a_client_that_closes_its_side_gets_its_answer(server):
    host, port = server.url.removeprefix("http://").split(":")
    body = b'{"instances": [1]}'
    head = b"POST /v1/models/half:predict HTTP/1.1\r\nHost: a\r\n"
    head += b"Content-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection((host, int(port)), 30) as connection:
        connection.sendall(head + body)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()
    assert answer.endswith(b'{"predictions":[3.5]}')


@pytest.mark.slow
def test_a_new_version_is_served_and_a_stop_is_graceful(made_exports, tmp_path):
    shutil.copytree(made_exports / "half", tmp_path / "half")
    shutil.copytree(made_exports / "slow", tmp_path / "slow")
    server = Server(tmp_path)
    serving.copy_version(tmp_path / "half" / "1", 2)
    (tmp_path / "half" / "3").mkdir()
    (tmp_path / "half" / "3" / "saved_model.pb").write_bytes(b"no model")
    answers = []
    while not any(x["event"] == "load_failed" for x in server.log):
        answer = server.post("/v1/models/half:predict", '{"instances": [1]}')
        assert answer == {"predictions": [3.5]}
    # What is asked before the stop is answered after it.
    body = '{"instances": [300000]}'
    client = threading.Thread(
        target=lambda: answers.append(
            server.post("/v1/models/slow:predict", body)
        )
    )
    client.start()
    with contextlib.suppress(OSError):
        while "serving_pending_requests 1.0" not in _metrics(server):
            pass
    assert server.stop() in (0, -signal.SIGTERM)
    client.join()
    assert list(answers[0]) == ["predictions"]
    events = [line["event"] for line in server.log]
    assert events[-1] == "stopped"
    (failed,) = (x for x in server.log if x["event"] == "load_failed")
    assert failed["version"] == 3 and failed["level"] == "error"


def _metrics(server):
    with urllib.request.urlopen(server.url + "/metrics") as answer:
        return answer.read().decode()
