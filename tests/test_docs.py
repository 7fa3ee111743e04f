"""The pages: links, commands and flags in them exist, and numbers are true."""

import importlib
import re
import runpy

import pytest

from common import shapes
from tests.support.commands import ROOT
from tests.support.house import APPS

PAGES = [
    *[ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"],
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *[app / "README.md" for app in APPS],
]
# The changelog names modules that are gone.
CURRENT = [page for page in PAGES if page.name != "CHANGELOG.md"]
MAX_LINES = {"README.md": 120, "CONTRIBUTING.md": 60}

LINK = re.compile(r"\]\((?!https?://)([^)#\s]*)#?([^)\s]*)\)")
MODULE = re.compile(r"python -m\s+((?:apps|common|benchmarks)(?:\.\w+)*)")
# Up to a comment, another command, or the end of the code.
COMMAND = re.compile(r"python -m apps\.(\w+)\.(\w+)([^`|;&>#\n]*)")
# A sentence that a page asks a model of the generated data, and its answer.
TYPED = re.compile(r'python -m apps\.(\w+)\.predict +runs/\w+ "([^"\n]+)"')
SHOWN = re.compile(rf"(?m)^    \$ {TYPED.pattern}[^\n]*\n    (.+)$")
FILE = re.compile(r"(?<![\w/])((?:apps|common|docs|tests)/[\w/]+\.\w+)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
COPY = "apps.mine"  # In examples, a copy of sentiment.


def headings(page):
    """The anchors of a page, as GitHub makes them."""
    titles = re.findall(r"(?m)^#+ (.+)$", page.read_text("utf-8"))
    return {
        re.sub(r"[^\w -]", "", title).lower().replace(" ", "-")
        for title in titles
    }


def path_of(module):
    """The file that `python -m MODULE` runs; None if there is none."""
    path = ROOT.joinpath(*module.replace(COPY, "apps.sentiment").split("."))
    names = [path.with_suffix(".py"), path / "__main__.py"]
    if path.parent == ROOT / "apps":  # `python -m apps.sentiment` lists it.
        names.append(path / "__init__.py")
    return next((name for name in names if name.is_file()), None)


def flags_of(app, *verbs):
    """The flags of an app's commands."""
    config = importlib.import_module(f"apps.{app}.config")
    texts = [
        getattr(config, f"{verb}_parser")().format_help() for verb in verbs
    ]
    return set(FLAG.findall("\n".join(texts)))


def verbs_of(app):
    verbs = ["train", "evaluate", "predict", "export", "features"]
    return [verb for verb in verbs if (app / f"{verb}.py").exists()]


def shown_answers():
    """Sentences and their answers, by app."""
    answers = {}
    for page in CURRENT:
        for app, text, answer in SHOWN.findall(page.read_text("utf-8")):
            answers.setdefault(app, {})[text] = answer
    return answers


def split_off_numbers(line):
    return re.sub(r"\b0\.\d+", "", line).split()


def test_links_lead_somewhere():
    wrong = []
    for page in PAGES:
        for target, anchor in LINK.findall(page.read_text("utf-8")):
            path = (page.parent / target).resolve() if target else page
            if not path.is_file() or (anchor and anchor not in headings(path)):
                wrong.append(f"{page.relative_to(ROOT)}: {target}#{anchor}")
    assert not wrong


def test_files_that_pages_name_exist():
    wrong = {
        name
        for page in CURRENT
        for name in FILE.findall(page.read_text("utf-8"))
        if not (ROOT / name).is_file()
    }
    assert not wrong


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_the_readme_of_an_app_names_its_files(app):
    table = re.findall(
        r"(?m)^\| (`.+)$", (app / "README.md").read_text("utf-8")
    )
    named = set(re.findall(r"`(\w+\.py)`", "\n".join(table)))
    assert named <= {path.name for path in app.rglob("*.py")}
    tops = {path.name for path in app.glob("*.py")}
    assert tops - named == {"__init__.py"}


def test_a_copied_readme_links_to_nothing_outside_its_folder():
    for app in APPS:
        for target, _ in LINK.findall((app / "README.md").read_text("utf-8")):
            assert ".." not in target, app.name


def test_modules_of_commands_exist():
    modules = {
        module
        for page in CURRENT
        for module in MODULE.findall(page.read_text("utf-8"))
    }
    assert len(modules) > 20
    assert not [module for module in modules if not path_of(module)]


@pytest.mark.parametrize("app", [app.name for app in APPS])
def test_flags_of_commands_exist(app):
    commands = [
        (verb, rest)
        for page in CURRENT
        for name, verb, rest in COMMAND.findall(page.read_text("utf-8"))
        if name == app and verb != "datasets"
    ]
    assert len(commands) > 5
    for verb, rest in commands:
        unknown = set(FLAG.findall(rest)) - flags_of(app, verb)
        assert not unknown, f"{app}.{verb}: {unknown}"


def test_no_command_of_a_readme_meets_the_run_of_another():
    for page in [ROOT / "README.md", *(app / "README.md" for app in APPS)]:
        options = {}
        for name, verb, rest in COMMAND.findall(page.read_text("utf-8")):
            if verb == "train":
                folder = re.search(r"--run-dir (\S+)", rest)
                folder = folder[1] if folder else f"runs/{name}"
                rest = " ".join(rest.split("--help")[0].split())
                assert options.setdefault(folder, rest) == rest, page


@pytest.mark.parametrize("app", APPS, ids=lambda app: app.name)
def test_flags_that_the_readme_of_an_app_names_exist(app):
    named = set(FLAG.findall((app / "README.md").read_text("utf-8")))
    assert named
    assert not named - flags_of(app.name, *verbs_of(app))


def test_each_sentence_that_a_page_asks_has_a_shown_answer():
    typed = {
        pair
        for page in CURRENT
        for pair in TYPED.findall(page.read_text("utf-8"))
    }
    shown = {
        (app, text)
        for app, answers in shown_answers().items()
        for text in answers
    }
    assert {app for app, _ in typed} == {"sentiment", "translation"}
    assert typed == shown


@pytest.mark.nightly
@pytest.mark.parametrize("app", ["sentiment", "translation"])
def test_shown_answers_are_those_of_the_default_training(app, command):
    printed = command(f"apps.{app}.train", timeout=3600).stdout
    answers = shown_answers()[app]
    done = command(f"apps.{app}.predict", f"runs/{app}", *answers)
    assert done.stderr == ""
    printed_answers = done.stdout.splitlines()
    assert len(printed_answers) == len(answers)
    for line, shown in zip(printed_answers, answers.values(), strict=True):
        # A probability is another one on another machine.
        assert split_off_numbers(line) == split_off_numbers(shown)
    if app == "sentiment":  # The README shows the lines that come next.
        (line,) = re.findall(r"(?m)^ +python .*\.predict .*$", printed)
        assert line.strip() in (ROOT / "README.md").read_text("utf-8")


def test_parameter_counts_are_true():
    text = (ROOT / "docs" / "lstm.md").read_text("utf-8")
    lines = re.findall(r"    (shapes\.\w+\(.+\)) +# (\d+)", text)
    assert len(lines) == 2
    for expression, number in lines:
        assert eval(expression, {"shapes": shapes}) == int(number)


def test_the_picture_is_what_the_script_draws():
    script = runpy.run_path(str(ROOT / "docs" / "draw_topologies.py"))
    assert script["PATH"].read_text("utf-8") == script["draw"]()


def test_entry_pages_are_short():
    for name, most in MAX_LINES.items():
        assert len((ROOT / name).read_text("utf-8").splitlines()) <= most
