"""Coverage-guided fuzzing of one target: bytes that reach new lines are kept.

    pip install -e ".[test,fuzz]"
    python -m tests.fuzz.coverage TARGET [-runs=100000] [FOLDER OF INPUTS]

The flags are libFuzzer's.
"""

import sys


def main() -> None:
    """Fuzzes the content of one file of a good set."""
    import atheris

    with atheris.instrument_imports(include=["apps", "common", "numpy.lib"]):
        from tests.fuzz.targets import TARGETS, run

    target = TARGETS[sys.argv.pop(1)]

    def try_one(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        files = dict(provider.PickValueInList(target.seeds))
        name = provider.PickValueInList(sorted(files))
        files[name] = provider.ConsumeBytes(provider.remaining_bytes())
        run(target, files)

    atheris.Setup(sys.argv, try_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
