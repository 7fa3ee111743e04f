"""Starts a project of your own: `python -m apps.new FOLDER --from sentiment`.

The project is one package: the app, and the package `common` inside it under
the project's name, so that no other package called `common` takes its place.
"""

import argparse
import json
import keyword
import re
import shutil
import sys
import tomllib
from importlib import util
from pathlib import Path

from common import atomic, cli
from common.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
APPS = sorted(path.parent.name for path in ROOT.glob("apps/*/train.py"))
# Extras of our pyproject.toml that an app cannot do without.
EXTRAS = {"translation": ["translation"], "video_tagging": ["video"]}
# Those that every project may want: servers and other formats.
SHARED_EXTRAS = ("serving", "grpc", "onnx", "litert")
# Tests that every app passes, and what they stand on.
TESTS = (
    "__init__.py",
    "conftest.py",
    "support/__init__.py",
    "support/commands.py",
)
CONTRACT = "apps/test_contract.py"
_IGNORED = shutil.ignore_patterns("__pycache__", "*.pyc")

# Imports of `common`, and dotted names and strings that begin with it.
_RULES = (
    (r"(?m)^(\s*(?:>>> )?(?:from|import) )common\b", r"\1{name}.common"),
    (r"(?<![\w./-])common\.(?=[a-z_])", r"{name}.common."),
    (r'"common"', r'"{name}.common"'),
)

README = """# {name}

{title}

    pip install -e . && python -m {name}.train       # no download
    pip install -e ".[test]" && pytest               # the tests, no network

Then `python -m {name}.evaluate runs/{name}`, and `predict` and `export` in its
place; `python -m {name}` lists them, each has `--help`. What was exported is
served, with a page to try it, by

    pip install -e ".[serving]" && python -m {name}.common.serving exports/

## Make it yours

- `{name}/datasets/`: where examples come from; the top of its `__init__.py`
  says where yours go. Pages that say `from common` mean `from {name}.common`.
- `{name}/model.py`: the network. `config.py`: a field with a comment behind it
  is an option of the command line at once.
- `{name}/export.py`: the signatures of what you serve; the check of the export
  stays as it is.
- `{name}/common/`: what you need not change: the LSTM, run folders,
  checkpoints, decoding, metrics. `tests/test_contract.py` holds what the
  commands promise.

`{name}/README.md` says what the app does, how it was measured and what it
reached. Made from rnn-topologies {version} (Apache-2.0, see LICENSE).
"""

PYPROJECT = """[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "{project}"
version = "0.1.0"
requires-python = "{python}"
dependencies = [
{dependencies}
]

[project.optional-dependencies]
test = ["pytest>=9", "matplotlib"]
{extras}

[tool.setuptools.package-data]
"{name}.common.serving" = ["page/**"]

[tool.setuptools.packages.find]
include = ["{name}*"]

[tool.pytest.ini_options]
testpaths = ["tests"]
markers = ["slow: minutes rather than seconds; run with --slow"]
"""

GITIGNORE = """__pycache__/
*.egg-info/
.venv/
.pytest_cache/
runs/
exports/
/features/
"""


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = cli.Parser("apps.new", __doc__ or "")
    parser.add_argument("folder", metavar="FOLDER", help="a new folder")
    parser.add_argument(
        "--from",
        dest="app",
        metavar="APP",
        required=True,
        choices=APPS,
        help=f"the app to start from: {', '.join(APPS)}",
    )
    parser.add_argument(
        "--name",
        metavar="NAME",
        default="",
        help="of the package; the folder's name by default",
    )
    return parser.parse_args()


def make_project(folder: Path, app: str, name: str) -> None:
    """Writes a project, whole or not at all.

    Args:
        folder: must not exist.
        app: the name of an app of this repository.
        name: of the project's package.

    Raises:
        UserError: if the folder exists, or the name cannot be a package's.
    """
    _check_folder(folder)
    _check_name(name)
    with atomic.make_folder(folder) as project:
        package = project / name
        shutil.copytree(ROOT / "apps" / app, package, ignore=_IGNORED)
        shutil.copytree(ROOT / "common", package / "common", ignore=_IGNORED)
        for file in TESTS:
            _copy(ROOT / "tests" / file, project / "tests" / file)
        _copy(ROOT / "tests" / CONTRACT, project / "tests/test_contract.py")
        _copy(ROOT / "LICENSE", project / "LICENSE")
        for path in project.rglob("*.py"):
            path.write_text(
                rename_common(path.read_text("utf-8"), name), "utf-8"
            )
        readme = package / "README.md"
        readme.write_text(
            readme.read_text("utf-8").replace(f"apps.{app}", name), "utf-8"
        )
        _write_texts(project, app, name)


def rename_common(source: str, name: str) -> str:
    """Returns Python source in which `common` is a part of a package.

    Example:
        >>> rename_common("from common.data import splits", "mine")
        'from mine.common.data import splits'
    """
    for pattern, replacement in _RULES:
        source = re.sub(pattern, replacement.format(name=name), source)
    return source


def _check_folder(folder: Path) -> None:
    if folder.resolve().is_relative_to(ROOT):
        raise UserError(
            f"{folder}: inside this repository; expected a folder outside of"
            " it, such as ../mine (a copy inside: cp -r apps/APP apps/mine)"
        )


def _check_name(name: str) -> None:
    if not name.isidentifier() or keyword.iskeyword(name):
        raise UserError(
            f"--name {name}: expected letters, digits and underscores, such as"
            " my_app; pass another --name"
        )
    if name in sys.stdlib_module_names or util.find_spec(name):
        raise UserError(
            f"--name {name}: a package of this name is installed already; pass"
            " another --name"
        )


def _copy(path: Path, to: Path) -> None:
    to.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, to)


def _write_texts(project: Path, app: str, name: str) -> None:
    ours = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))[
        "project"
    ]
    dependencies = list(ours["dependencies"])
    extras = ours["optional-dependencies"]
    for extra in EXTRAS.get(app, []):
        dependencies += extras[extra]
    app_readme = (project / name / "README.md").read_text("utf-8")
    values = {
        "name": name,
        "project": name.replace("_", "-"),
        "title": app_readme.split("\n\n")[1].strip(),
        "version": ours["version"],
        "python": ours["requires-python"],
        "dependencies": "\n".join(f'    "{x}",' for x in dependencies),
        "extras": "\n".join(
            f"{extra} = {json.dumps(extras[extra])}" for extra in SHARED_EXTRAS
        ),
    }
    for file, template in (
        ("README.md", README),
        ("pyproject.toml", PYPROJECT),
        (".gitignore", GITIGNORE),
    ):
        text = template.format(**values)
        (project / file).write_text(text, encoding="utf-8")


def main() -> None:
    """Writes the project, and prints what comes next."""
    args = parse_args()
    folder = Path(args.folder)
    name = args.name or re.sub(r"\W+", "_", folder.resolve().name).lower()
    make_project(folder, args.app, name)
    print(
        f"{folder}: a project with the package {name}\n\nNext:\n"
        f"  cd {folder}\n"
        f"  pip install -e . && python -m {name}.train\n"
        f'  pip install -e ".[test]" && pytest'
    )


if __name__ == "__main__":
    cli.main(main)
