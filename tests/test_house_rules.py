"""Rules that keep the house habitable, checked on the source itself."""

import ast
import dataclasses
import importlib
import re
import statistics
import subprocess

import pytest

from tests.conftest import ROOT

PACKAGES = ("apps", "common")
SOURCES = sorted(
    path for name in PACKAGES for path in (ROOT / name).rglob("*.py")
)
MAX_FILE_LINES = 310
MAX_FUNCTION_LINES = 45


def tree(path):
    return ast.parse(path.read_text())


def name_of(path):
    return str(path.relative_to(ROOT))


def imported(path):
    """(module, level) of every import in a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, 0) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.level


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_imports_follow_the_rules(path):
    parts = path.relative_to(ROOT).parts
    depth = len(parts) - len(("apps", "APP"))  # Dots that stay in the app.
    for module, level in imported(path):
        assert module.partition(".")[0] != "apps", f"{module}: imports an app"
        if parts[0] == "common":
            assert level == 0, f"{module}: common imports itself by its name"
        assert level <= depth, f"{module}: a relative import leaves the app"


def test_no_app_knows_its_own_name(app):
    for path in (ROOT / "apps" / app).rglob("*.py"):
        strings = [
            node.value
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        for string in strings:
            assert f"apps.{app}" not in string, name_of(path)
            assert string != app, name_of(path)


def test_registered_classes_carry_their_package(app):
    for path in (ROOT / "apps" / app).rglob("*.py"):
        for call in re.findall(
            r"register_keras_serializable\((.*?)\)", path.read_text()
        ):
            assert call == "package=__package__", name_of(path)


def test_every_config_field_is_read(app):
    config = importlib.import_module(f"apps.{app}.config").Config
    read = {
        node.attr
        for path in [
            *(ROOT / "apps" / app).rglob("*.py"),
            ROOT / "common/training/runs.py",
        ]
        if path.name != "config.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Attribute)
    }
    unread = {field.name for field in dataclasses.fields(config)} - read
    assert not unread


def test_every_config_field_has_a_comment_behind_or_above(app):
    path = ROOT / "apps" / app / "config.py"
    lines = path.read_text().splitlines()
    for above, line in zip(lines, lines[1:], strict=False):
        if re.match(r"    \w+: .+ = ", line):
            assert re.search(r"# .+\.$", line) or above.startswith("    # ")


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_files_are_short(path):
    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES


def functions():
    for path in SOURCES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef):
                yield path, node


def num_code_lines(function):
    """Lines of a function's body, without its docstring and signature."""
    body = function.body
    if ast.get_docstring(function, clean=False) is not None:
        body = body[1:]
    return body[-1].end_lineno - body[0].lineno + 1 if body else 0


def test_functions_are_short():
    lengths = {
        f"{name_of(path)}:{node.name}": num_code_lines(node)
        for path, node in functions()
    }
    assert statistics.median(lengths.values()) <= 10
    long = {name: n for name, n in lengths.items() if n > MAX_FUNCTION_LINES}
    assert not long


def test_public_functions_say_their_errors():
    for path, node in functions():
        text = ast.get_docstring(node) or ""
        raises = [
            child
            for child in ast.walk(node)
            if isinstance(child, ast.Raise)
            and isinstance(child.exc, ast.Call)
            and getattr(child.exc.func, "id", "") == "UserError"
        ]
        if raises and not node.name.startswith("_") and node.name != "main":
            assert "UserError" in text, f"{name_of(path)}:{node.name}"


def test_the_repository_speaks_of_the_product_alone():
    words = r"/(work|farm|root)/|\b(TODO|FIXME|XXX)\b|\bissue #?[0-9]+\b"
    found = subprocess.run(
        ["git", "grep", "-nIiE", words, "--", ":!tests/test_house_rules.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert found.stdout == ""
