"""The folder of all exports: old versions, and what TensorFlow Serving reads.

Its configuration lies beside the models, for the official container with the
folder mounted at /models:

    docker run -p 8501:8501 -v "$PWD/exports:/models" tensorflow/serving \
        --model_config_file=/models/models.config
"""

import re
import time
from pathlib import Path

from google.protobuf import text_encoding

from common import atomic, errors, locks
from common.characters import has_halves
from common.errors import UserError
from common.training import runs

CARD = "MODEL_CARD.md"
MODELS = "models.config"
BATCHING = "batching_parameters.txt"
MAX_WAITS, SECONDS = 50, 0.1
CONTAINER = "/models"  # Where the official container has its models.

# Some characters of other scripts are digits for Python alone.
VERSION = re.compile("[0-9]{1,18}")
# Of every version that `export` wrote.
_OURS = ("saved_model.pb", CARD, runs.CONFIG)
# As `export` writes numbers: 01 is somebody else's.
_OUR_VERSION = re.compile("0|[1-9][0-9]{0,17}")
_HEADER = (
    "# Written anew by each export. Without this line it is left as it is.\n"
)
# The most rows are those that `explain` of translation takes of long texts;
# those of one batch come from several clients, and fail together.
_BATCHING_TEXT = """\
# For --enable_batching --batching_parameters_file=THIS FILE. TensorFlow Serving
# then runs requests that come at one time as one batch. It refuses requests of
# more rows than the greatest batch; and all of a batch must be of one shape, as
# texts and pictures are: videos of different lengths and ids are not.
max_batch_size { value: 32 }
batch_timeout_micros { value: 2000 }
max_enqueued_batches { value: 100 }
num_batch_threads { value: 4 }
"""


def list_versions(base: Path) -> list[Path]:
    """Returns the versions in a folder that `export` wrote, the newest last.

    Args:
        base: the folder of the versions of one model.
    """
    try:
        folders = [x for x in base.iterdir() if _is_ours(x)]
    except OSError:  # No folder, or one that is not for us.
        return []
    return sorted(folders, key=lambda folder: int(folder.name))


def _is_ours(folder: Path) -> bool:
    is_version = _OUR_VERSION.fullmatch(folder.name) and not folder.is_symlink()
    return bool(is_version) and all((folder / x).is_file() for x in _OURS)


def remove_old_versions(base: Path, keep: int) -> list[Path]:
    """Removes all but the newest versions of a model.

    What `export` did not write stays, and does not count.

    Args:
        base: the folder of the versions.
        keep: so many stay; 0 keeps all.

    Returns:
        The folders that are gone.

    Raises:
        UserError: if the system refuses.
    """
    old = list_versions(base)[:-keep] if keep else []
    for folder in old:
        with errors.tell_system_errors(f"{folder}: cannot remove it"):
            atomic.remove_folder(folder)
    return old


def write_server_files(exports: Path) -> None:
    """Writes the configuration of TensorFlow Serving for all models.

    `models.config` is written anew, unless it is a user's own; the parameters
    of batching are written once, for a user to tune.

    Args:
        exports: the folder of all exports.

    Raises:
        UserError: if it cannot be written.
    """
    models, batching = exports / MODELS, exports / BATCHING
    lock = _wait_for_lock(models)
    with errors.tell_system_errors(f"{exports}: cannot list the models"):
        for path in (models, batching):
            atomic.remove_leftovers(path)
        if _read(models, _HEADER).startswith(_HEADER):
            text = format_models(_list_models(exports))
            atomic.write_text(models, text)
        if not batching.exists():
            atomic.write_text(batching, _BATCHING_TEXT)
    lock.release()


def _wait_for_lock(path: Path) -> locks.Lock:
    """Waits for another export, which lists its model at this moment."""
    for _ in range(MAX_WAITS):
        try:
            return locks.Lock(path)
        except UserError:
            time.sleep(SECONDS)
    return locks.Lock(path)


def _list_models(exports: Path) -> list[str]:
    """Returns the names of the models; those that are not UTF-8 have none."""
    names = [x.name for x in exports.iterdir() if list_versions(x)]
    return sorted(x for x in names if not has_halves(x) and x[0] != ".")


def _read(path: Path, default: str) -> str:
    """Returns the text of a file; the default if there is none."""
    if not path.is_file():
        return default
    return path.read_text(encoding="utf-8", errors="replace")


def format_models(names: list[str]) -> str:
    r"""Returns a `ModelServerConfig` in the text format of protobuf.

    Args:
        names: of models, which are folders at /models in the container.

    Example:
        >>> print(format_models(["a \"b\""]))
        # Written anew by each export. Without this line it is left as it is.
        model_config_list {
          config {
            name: "a \"b\""
            base_path: "/models/a \"b\""
            model_platform: "tensorflow"
          }
        }
    """
    lines = []
    for name in names:
        lines += [
            "  config {",
            f"    name: {_quote(name)}",
            f"    base_path: {_quote(f'{CONTAINER}/{name}')}",
            '    model_platform: "tensorflow"',
            "  }",
        ]
    return "\n".join([f"{_HEADER}model_config_list {{", *lines, "}", ""])


def _quote(text: str) -> str:
    return f'"{text_encoding.CEscape(text, as_utf8=True)}"'
