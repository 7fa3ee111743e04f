"""The second phase: a run with a frozen encoder, gone on with all weights."""

from pathlib import Path

from common.errors import UserError
from common.training import runs

from . import pipeline
from .config import Config

# What a model is made of: another value would be another model.
_MODEL_FIELDS = (
    *["encoder", "image_size", "pooled", "decoder", "attention"],
    *["embedding_dim", "units", "max_words"],
)


def model_before(config: Config) -> pipeline.Captioner | None:
    """The model to begin with; None where training begins anew.

    Raises:
        UserError: if it is no run, or one of another model.
    """
    if not config.finetune:
        return None
    folder = Path(config.finetune)
    if not (folder / runs.MODEL).is_file():
        raise UserError(
            f"--finetune {folder}: expected a run folder with a {runs.MODEL};"
            " train with a frozen encoder first"
        )
    before = pipeline.load(folder / runs.MODEL)
    if not before.has_encoder:
        raise UserError(
            f"--finetune {folder}: a model of given features, without an"
            " encoder; train one from images first"
        )
    for name in _MODEL_FIELDS:
        was, now = getattr(before.config, name), getattr(config, name)
        if was != now:
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"{flag} {now}: the run {folder} to go on from has {was};"
                " repeat its options"
            )
    return before
