"""The files of deploy/: what they name is there, and is spelled so."""

import json
import os
import re
import shlex
import subprocess

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config import monitoring_config_pb2

from common import export_folder
from common.serving.config import Config, serving_parser
from tests.support.commands import ROOT

DEPLOY = ROOT / "deploy"


def read(name):
    return yaml.safe_load((DEPLOY / name).read_text())


def test_tensorflow_serving_is_given_what_export_writes():
    service = read("compose.yaml")["services"]["serving"]
    flags = dict(x.removeprefix("--").split("=") for x in service["command"])
    models, batching = export_folder.MODELS, export_folder.BATCHING
    assert flags["model_config_file"] == f"/models/{models}"
    assert flags["batching_parameters_file"] == f"/models/{batching}"
    assert "../exports:/models:ro" in service["volumes"]
    assert (DEPLOY / "monitoring.config").is_file()


def test_monitoring_is_the_official_message():
    text = (DEPLOY / "monitoring.config").read_text()
    config = text_format.Parse(text, monitoring_config_pb2.MonitoringConfig())
    assert config.prometheus_config.enable
    paths = (ROOT / "common" / "serving" / "routes.py").read_text()
    assert f'"{config.prometheus_config.path}"' in paths


def test_the_embedded_server_is_built_from_what_is_there():
    service = read("embedded.yaml")["services"]["serving"]
    assert (ROOT / service["build"]["dockerfile"]).is_file()
    for line in (DEPLOY / "Dockerfile").read_text().splitlines():
        if line.startswith("COPY "):
            *sources, _ = line.split()[1:]
            assert all((ROOT / source).exists() for source in sources), line


@pytest.mark.parametrize("words", [(), ("serve",), ("--no-token",)])
def test_the_entry_point_of_the_image(words, tmp_path):
    """Its shell is run, with `python` that says what it was given."""
    text = (DEPLOY / "Dockerfile").read_text()
    entry = json.loads(re.search(r"ENTRYPOINT (\[.*\])", text)[1])
    fake = tmp_path / "python"
    fake.write_text('#!/bin/sh\nprintf "%s " "$@"\n')
    fake.chmod(0o755)
    done = subprocess.run(
        [*entry, *words],
        env={
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "MODEL_BASE_PATH": "/models",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    command = shlex.split(done.stdout)
    assert command[:3] == ["-m", "common.serving", "/models"]
    args = serving_parser(Config()).parse_args(command[2:])
    assert args.host == "0.0.0.0"
    assert args.port == (8080 if words == ("serve",) else None)
    assert args.no_token is (True if words else None)


def test_kserve_takes_the_versions_of_one_model():
    service = read("kserve.yaml")
    assert service["kind"] == "InferenceService"
    model = service["spec"]["predictor"]["model"]
    assert model["modelFormat"] == {"name": "tensorflow"}
    assert model["protocolVersion"] == "v1"
