"""Inputs that nobody would write, for every reader: CONTRIBUTING.md, Fuzzing.

targets, media_targets: the table of readers of one file, with good files.
folders: the same for whole folders.
edits: how a file is damaged.
oracle: what a reader may do: answer, or refuse in one line.
corpus: files that were wrong once, by target; replayed in the quick tests.
"""
