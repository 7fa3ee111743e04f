"""Every app is a starter: a copied folder works, beside the original."""

import json
import shutil

import pytest

from tests.apps.test_contract import INPUTS, inputs_of

IGNORED = shutil.ignore_patterns("__pycache__")

BOTH_LOAD = """
import importlib, pathlib, sys
import keras
for package, run in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    importlib.import_module(f"{package}.model")
    importlib.import_module(f"{package}.predict")
for package, run in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    model = keras.saving.load_model(pathlib.Path(run) / "model.keras")
    own = {type(layer).__module__ for layer in model._flatten_layers()}
    print(sorted(name for name in own if name.startswith("apps.")))
"""


def use(command, package, app):
    """Trains, evaluates, exports and predicts with an app, or its copy."""
    name = package.rpartition(".")[2]
    inputs = inputs_of(app, f"runs/{name}")
    command(f"{package}.train", "--smoke", "--epochs", "1")
    scored = command(f"{package}.evaluate", f"runs/{name}", "--limit", "5")
    assert json.loads(scored.stdout.splitlines()[-1])["examples"] == 5
    command(f"{package}.export", f"runs/{name}")
    return command(f"{package}.predict", f"exports/{name}", *inputs).stdout


@pytest.mark.slow
def test_a_copy_beside_the_original_is_an_app_of_its_own(
    app, tmp_path, make_command, root
):
    shutil.copytree(root / "apps", tmp_path / "apps", ignore=IGNORED)
    shutil.copytree(root / "common", tmp_path / "common", ignore=IGNORED)
    shutil.copytree(tmp_path / "apps" / app, tmp_path / "apps" / "mine")
    command = make_command(tmp_path)
    command(f"apps.{app}.train", "--smoke", "--epochs", "1")
    use(command, "apps.mine", app)
    error = command.error(
        "apps.mine.train", "--smoke", "--run-dir", f"runs/{app}"
    )
    assert f"a run of apps.{app}, not of apps.mine" in error
    (tmp_path / "both.py").write_text(BOTH_LOAD)
    done = command(
        "both",
        *[f"apps.{app}", f"runs/{app}", "apps.mine", "runs/mine"],
    )
    original, copy = done.stdout.splitlines()
    assert f"'apps.{app}.model'" in original
    assert "mine" not in original
    assert "'apps.mine.model'" in copy
    assert f"apps.{app}" not in copy


@pytest.mark.slow
def test_a_copy_in_another_project_needs_only_common(
    app, tmp_path, make_command, root
):
    shutil.copytree(root / "apps" / app, tmp_path / "reviews", ignore=IGNORED)
    shutil.copytree(root / "common", tmp_path / "common", ignore=IGNORED)
    answers = use(make_command(tmp_path), "reviews", app)
    assert len(answers.splitlines()) >= len(INPUTS[app])
