"""What a command imports: loaded once, before it is forked."""

import importlib

from tests.support import commands

VERBS = ("train", "export", "features")

for package in commands.PACKAGES:
    for verb in VERBS:
        if importlib.util.find_spec(f"{package}.{verb}"):
            importlib.import_module(f"{package}.{verb}")
