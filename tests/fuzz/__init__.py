"""Damaged files, and files that nobody would write, for every reader.

    pytest tests/fuzz                    20 inputs of each, in the quick tests
    pytest --slow --fuzz 2000 tests/fuzz
    python -m tests.fuzz --inputs 2000   prints a table, keeps what is wrong
    python -m tests.fuzz --guided csv --inputs 20000   by coverage (atheris)

targets, media_targets: the table of readers of one file, with good files.
folders: the same for whole folders.
edits: how a file is damaged.
oracle: what a reader may do: answer, or refuse in one line.
test_counts: what is read and what is skipped are all that there is.
test_signatures: requests to exported models.
corpus: files that were wrong once, by target; the quick tests read them.

A new reader is a new line of a table. A traceback, a hang, a warning, or an
error that names neither file nor flag is a fault: its file is kept in
`fuzz-failure/TARGET/`. Once it is mended, a small file of that kind, made by
us, goes to `corpus/TARGET/`, under a name that says what is wrong with it.
"""
