"""The starter: a project of one's own, outside this repository."""

import ast
import subprocess
import sys

import pytest

from apps import new
from tests.support import commands

NAME = "my_project"


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Makes a project from an app; returns its folder."""

    def make(app):
        folder = tmp_path_factory.mktemp("projects") / app
        done = commands.run_command(
            *["apps.new", folder, "--from", app, "--name", NAME],
            folder=folder.parent,
        )
        assert f"pip install -e . && python -m {NAME}.train" in done.stdout
        return folder

    return make


def imported(path):
    """The top-level packages that a file imports absolutely."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("app", new.APPS)
def test_a_project_stands_alone(make, app):
    project = make(app)
    sources = sorted(project.rglob("*.py"))
    assert len(sources) > 50
    for path in sources:
        compile(path.read_text(), path, "exec")
        assert not {"common", "apps", "benchmarks"} & set(imported(path)), path
    readme = (project / "README.md").read_text()
    assert len(readme.splitlines()) <= 32
    assert f"python -m {NAME}.train" in readme
    assert "{" not in readme
    assert f"apps.{app}" not in (project / NAME / "README.md").read_text()
    assert "tensorflow" in (project / "pyproject.toml").read_text()
    assert "runs/" in (project / ".gitignore").read_text()
    for verb in ("train", "evaluate", "predict", "export"):
        done = commands.run_process(
            f"{NAME}.{verb}", "--help", folder=project, path=project
        )
        assert f"usage: python -m {NAME}.{verb}" in done.stdout


# One app in every build, the others nightly.
@pytest.mark.parametrize(
    "app",
    [
        pytest.param(
            app,
            marks=pytest.mark.slow
            if app == "sentiment"
            else pytest.mark.nightly,
        )
        for app in new.APPS
    ],
)
def test_a_project_trains_predicts_and_exports(make, app):
    project = make(app)

    def run(verb, *args):
        return commands.run_process(
            f"{NAME}.{verb}", *args, folder=project, path=project
        )

    done = run("train", "--smoke", "--epochs", "1")
    assert f"python -m {NAME}.export runs/{NAME}" in done.stdout
    inputs = commands.example_inputs(project / "runs" / NAME)
    answer = run("predict", f"runs/{NAME}", *inputs).stdout
    assert answer.strip()
    run("export", f"runs/{NAME}")
    assert run("predict", f"exports/{NAME}", *inputs).stdout == answer


@pytest.mark.slow
def test_the_tests_of_a_project_pass(make):
    project = make("sentiment")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout


def test_what_cannot_be_made_is_one_line(tmp_path):
    def error(*args):
        return commands.error_line("apps.new", *args, folder=tmp_path)

    (tmp_path / "there").mkdir()
    wrong = {
        ("there", "--from", "sentiment"): "there: exists already",
        ("mine", "--from", "poems"): "--from: invalid choice: 'poems'",
        ("mine",): "--from",
        (
            "mine",
            "--from",
            "sentiment",
            "--name",
            "my-app",
        ): "--name my-app: exp",
        (
            "mine",
            "--from",
            "sentiment",
            "--name",
            "keras",
        ): "--name keras: a pac",
        (
            commands.ROOT / "mine",
            "--from",
            "sentiment",
        ): "inside this repository",
    }
    for args, message in wrong.items():
        assert message in error(*args)
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_name_comes_from_the_folder(tmp_path):
    done = commands.run_command(
        *["apps.new", "My reviews", "--from", "sentiment"], folder=tmp_path
    )
    assert "python -m my_reviews.train" in done.stdout
    assert (tmp_path / "My reviews" / "my_reviews" / "common").is_dir()
