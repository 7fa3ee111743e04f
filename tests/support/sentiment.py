"""Tables and folders of texts, for the tests of sentiment."""

import csv
import gzip
import json

from apps.sentiment import data, datasets
from apps.sentiment.config import Config

# Enough for a hash to put several into every tenth.
FILMS = [(f"film {n} is {'bad' * (n % 2) or 'good'}", n % 2) for n in range(99)]


def write(path, rows=FILMS, columns=("text", "label")):
    """Writes a table in the format that the name asks for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8", newline="") as stream:
        if ".jsonl" in path.name:
            for row in rows:
                record = dict(zip(columns, row, strict=True))
                stream.write(json.dumps(record) + "\n")
        else:
            tab = "\t" if ".tsv" in path.name else ","
            csv.writer(stream, delimiter=tab).writerows([columns, *rows])
    return path


def write_texts(folder, texts):
    folder.mkdir(parents=True)
    for number, content in enumerate(texts):
        (folder / f"{number}_7.txt").write_text(content, encoding="utf-8")


def open_splits(path, **options):
    return datasets.open_splits(str(path), **options)


def texts(stream):
    return [example.text for example in stream]


def pairs(stream):
    return [(example.text, example.label) for example in stream]


def load(path, **options):
    return data.load(Config(data=str(path), **options))
