"""Versions of an export: the next one must be like the one before.

TensorFlow Serving switches to a new version by itself, under its clients.
"""

from pathlib import Path
from typing import Any, NamedTuple

from common.data import json_files, name_lists
from common.errors import UserError, format_names
from common.training import runs

LABELS = "labels.txt"
DEFAULT = "serving_default"
MAX_LENGTH = 250


class Contract(NamedTuple):
    """Names and types on which the clients of an export rely.

    Attributes:
        app: which made it; None if it does not say.
        languages: of its translations; None if it has none.
        labels: in the order of its probabilities; None if it has none.
        signatures: the tensors of each, as "name: dtype"; with their shapes
            where they are inputs of `serving_default`.
    """

    app: str | None
    languages: list[str] | None
    labels: list[str] | None
    signatures: dict[str, list[str]]

    @classmethod
    def from_export(cls, folder: Path) -> "Contract":
        """Reads the contract of an exported version."""
        app = languages = labels = None
        if (folder / runs.VERSIONS).is_file():
            app = json_files.read(folder / runs.VERSIONS, app=str).get("app")
        if (folder / runs.DATA).is_file():
            report = json_files.read(folder / runs.DATA, languages=list)
            languages = report.get("languages")
        if (folder / LABELS).is_file():
            labels = name_lists.read_names(folder / LABELS)
        return cls(app, languages, labels, read_signatures(folder))


def load_signatures(folder: Path) -> dict[str, Any]:
    """Reads the signatures of a SavedModel, without loading it.

    Returns:
        A `SignatureDef` by name.

    Raises:
        UserError: if it is missing or damaged.
    """
    from google.protobuf import message
    from tensorflow.core.protobuf import saved_model_pb2

    path, saved = folder / "saved_model.pb", saved_model_pb2.SavedModel()
    try:
        saved.ParseFromString(path.read_bytes())
    except (OSError, message.DecodeError) as error:
        raise UserError(
            f"{path}: no model that can be read ({error}): it is damaged;"
            " remove this version, or export to another folder with --to"
        ) from error
    return {
        name: signature
        for graph in saved.meta_graphs
        for name, signature in graph.signature_def.items()
        # Others initialise the model.
        if all(tensor.dtype for tensor in signature.outputs.values())
    }


def read_signatures(folder: Path) -> dict[str, list[str]]:
    """Reads the tensors of each signature of a SavedModel, without loading it.

    Returns:
        By signature lines such as "in text: string(None,)".

    Raises:
        UserError: if it is missing or damaged.
    """
    import tensorflow as tf

    result: dict[str, list[str]] = {}
    for name, signature in load_signatures(folder).items():
        lines = []
        for way, tensors in (
            ("in", signature.inputs),
            ("out", signature.outputs),
        ):
            for key, tensor in tensors.items():
                line = f"{way} {key}: {tf.as_dtype(tensor.dtype).name}"
                if way == "in" and name == DEFAULT:
                    line += str(tf.TensorShape(tensor.tensor_shape))
                lines.append(line)
        result[name] = sorted(lines)
    return result


def check_same_contract(base: Path, before: Path, new: Path) -> None:
    """Checks that a new version may take the place of the one before.

    It may have more signatures, but not fewer, and none of them changed.

    Args:
        base: the folder of the versions, for the message.
        before: the version before.
        new: the new one.

    Raises:
        UserError: if they are of different apps, languages, labels or
            signatures; it names what differs.
    """
    contracts = Contract.from_export(before), Contract.from_export(new)
    differences = []
    for name, old, now in zip(Contract._fields, *contracts, strict=True):
        if old is None or now is None:
            continue
        if isinstance(old, dict) and isinstance(now, dict):
            # No client asks a signature that is new.
            now = {key: now[key] for key in now if key in old}
            old, now = _flatten(old), _flatten(now)
            old, now = _without(old, now), _without(now, old)
        if old == now:
            continue
        names = [_join(x) for x in (old, now)]
        differences.append(f"{name} {names[0]} (now {names[1]})")
    if differences:
        listed = _shorten("; ".join(differences))
        raise UserError(
            f"{base}: version {before.name} is another model: {listed}; a"
            " server would switch to it under its clients: export to another"
            " folder with --to, or rename the run folder, whose name the export"
            " takes"
        )


def _shorten(text: str) -> str:
    """Cuts what an error of one line has no place for."""
    return text if len(text) <= MAX_LENGTH else f"{text[:MAX_LENGTH]} ..."


def _flatten(signatures: dict[str, list[str]]) -> list[str]:
    pairs = signatures.items()
    return [f"{name} {line}" for name, lines in pairs for line in lines]


def _without(lines: list[str], others: list[str]) -> list[str]:
    return [line for line in lines if line not in others]


def _join(value: Any) -> str:
    names = [value] if isinstance(value, str) else value
    return format_names(names) if names else "none"
