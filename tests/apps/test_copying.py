"""Every app is a starter: a copied folder works, beside the original."""

import json
import shutil

import pytest

from tests.support import commands

IGNORED = shutil.ignore_patterns("__pycache__")
# Nightly: in every build, `apps.new` copies an app into a project of its own.
NAMES = [package.rpartition(".")[2] for package in commands.PACKAGES]
pytestmark = pytest.mark.nightly

BOTH_LOAD = """
import importlib, pathlib, sys
import keras
for package, run in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    importlib.import_module(f"{package}.predictor")
for package, run in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
    model = keras.saving.load_model(pathlib.Path(run) / "model.keras")
    own = {type(layer).__module__ for layer in model._flatten_layers()}
    print(sorted(name for name in own if name.startswith("apps.")))
"""


def use(package, folder):
    """Trains, evaluates, exports and predicts with an app, or its copy."""

    def run(verb, *args):
        return commands.run_process(
            f"{package}.{verb}", *args, folder=folder, path=folder
        )

    name = package.rpartition(".")[2]
    run("train", "--smoke", "--epochs", "1")
    scored = run("evaluate", f"runs/{name}", "--limit", "5")
    assert json.loads(scored.stdout.splitlines()[-1])["examples"] == 5
    run("export", f"runs/{name}")
    inputs = commands.example_inputs(folder / "runs" / name)
    assert run("predict", f"exports/{name}", *inputs).stdout.strip()


@pytest.mark.parametrize("app", NAMES)
def test_a_copy_beside_the_original_is_an_app_of_its_own(app, tmp_path):
    for name in ("apps", "common"):
        shutil.copytree(commands.ROOT / name, tmp_path / name, ignore=IGNORED)
    shutil.copytree(tmp_path / "apps" / app, tmp_path / "apps" / "mine")

    def run(module, *args, **kwargs):
        return commands.run_process(
            module, *args, folder=tmp_path, path=tmp_path, **kwargs
        )

    run(f"apps.{app}.train", "--smoke", "--epochs", "1")
    run("apps.mine.train", "--smoke", "--epochs", "1")
    wrong = run(
        *["apps.mine.train", "--smoke", "--run-dir", f"runs/{app}"], status=2
    )
    assert f"a run of apps.{app}, not of apps.mine" in wrong.stderr
    (tmp_path / "both.py").write_text(BOTH_LOAD)
    done = run("both", f"apps.{app}", f"runs/{app}", "apps.mine", "runs/mine")
    original, copy = done.stdout.splitlines()
    assert f"'apps.{app}.pipeline'" in original
    assert "mine" not in original
    assert "'apps.mine.pipeline'" in copy
    assert f"apps.{app}" not in copy


@pytest.mark.parametrize("app", NAMES)
def test_a_copy_in_another_project_needs_only_common(app, tmp_path):
    package = commands.ROOT / "apps" / app
    shutil.copytree(package, tmp_path / "reviews", ignore=IGNORED)
    common = commands.ROOT / "common"
    shutil.copytree(common, tmp_path / "common", ignore=IGNORED)
    use("reviews", tmp_path)
