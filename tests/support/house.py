"""The measures of the house: `python -m tests.support.house` prints them.

A folder inside an app (datasets, outputs) is one room: it is a leaf.
"""

import ast
import functools
import statistics

from tests.support.commands import ROOT

# The apps of this repository; copies of them are their owners' business.
OURS = ("captioning", "sentiment", "translation", "video_tagging")
APPS = [ROOT / "apps" / name for name in OURS]
SOURCES = sorted(
    path for place in (*APPS, ROOT / "common") for path in place.rglob("*.py")
) + sorted((ROOT / "apps").glob("*.py"))


@functools.cache
def tree(path):
    return ast.parse(path.read_text("utf-8"))


def name_of(path):
    return str(path.relative_to(ROOT))


def module_of(path):
    """The dotted name of a file."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path):
    """(level, module, name) of every import in a file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.level, node.module or "", alias.name


@functools.cache
def modules():
    """All files by dotted name."""
    return {module_of(path): path for path in SOURCES}


def _package(path):
    module = module_of(path)
    return module if path.stem == "__init__" else module.rpartition(".")[0]


def imported_modules(path):
    """The modules of this repository that a file imports."""
    result = set()
    for level, module, name in imports(path):
        base = module
        if level:
            parts = _package(path).split(".")
            parents = parts[: len(parts) - level + 1]
            base = ".".join([*parents, *([module] if module else [])])
        for candidate in (f"{base}.{name}", base):
            if candidate in modules():
                result.add(candidate)
                break
    return result - {module_of(path)}


def cycles():
    """Modules that import each other, as chains."""
    result, done = [], set()

    def visit(module, chain):
        if module in chain:
            result.append(" -> ".join([*chain[chain.index(module) :], module]))
            return
        if module in done:
            return
        for other in imported_modules(modules()[module]):
            # A package and what it re-exports are one.
            if not module.startswith(f"{other}."):
                visit(other, [*chain, module])
        done.add(module)

    for module in modules():
        visit(module, [])
    return result


def room_of(module, app):
    """A module of an app's top, or the folder that it lies in."""
    return module.removeprefix(f"{app}.").partition(".")[0]


def reached(app_folder, start="train"):
    """The rooms of an app that a module needs, itself left out."""
    app = module_of(app_folder / "__init__.py")
    seen, queue = set(), [f"{app}.{start}"]
    while queue:
        module = queue.pop()
        if module not in seen:
            seen.add(module)
            queue += [
                other
                for other in imported_modules(modules()[module])
                if other.startswith(f"{app}.")
            ]
    return {room_of(module, app) for module in seen} - {start}


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


def num_lines(paths):
    return sum(len(path.read_text("utf-8").splitlines()) for path in paths)


def tops(app_folder):
    """The modules at an app's top."""
    return sorted(path.stem for path in app_folder.glob("*.py"))


def print_measures():
    print(
        f"{'':<16}{'top':>5}{'files':>7}{'lines':>7}{'train.py':>10}{'rooms':>7}"
    )
    for app in APPS:
        files = sorted(app.rglob("*.py"))
        print(
            f"{app.name:<16}{len(tops(app)):>5}{len(files):>7}"
            f"{num_lines(files):>7}{num_lines([app / 'train.py']):>10}"
            f"{len(reached(app)):>7}"
        )
    common = [path for path in SOURCES if "common" in name_of(path)[:6]]
    print(f"{'common':<16}{'':>5}{len(common):>7}{num_lines(common):>7}")
    print(f"{'all':<16}{'':>5}{len(SOURCES):>7}{num_lines(SOURCES):>7}")
    lengths = [num_code_lines(node) for _, node in functions()]
    print(
        f"functions: {len(lengths)}, median {statistics.median(lengths)}, 95 %"
        f" up to {statistics.quantiles(lengths, n=20)[-1]:.0f}, longest"
        f" {max(lengths)} lines"
    )
    print(f"import cycles: {len(cycles())}")


if __name__ == "__main__":
    print_measures()
