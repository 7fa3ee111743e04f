"""All options of the app, which are also its command lines."""

import dataclasses
from typing import ClassVar

from common import cli, options
from common.data import tables
from common.errors import UserError, format_names

POOLINGS = ("last", "max", "mean", "attention")


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of training. The defaults give the results in the README."""

    # --- data ---
    data: str = "builtin"  # builtin, tfds:NAME[/CONFIG], or a file or folder.
    text_column: str = "text"  # The column with the text.
    label_column: str = "label"  # The column with the label.
    delimiter: str = ""  # Between columns, such as ; or tab; "" tries some.
    encoding: str = "utf-8"  # Encoding of the user's text files.
    tfds_dir: str = ""  # Prepared tensorflow-datasets; "" for its default.
    num_examples: int = 14_000  # Training examples of the builtin data.
    vocab_size: int = 20_000  # Most frequent words that are kept.
    max_tokens: int = 400  # Longer texts lose their middle.
    num_buckets: int = 6  # Fixed padded lengths, chosen from the data.

    # --- model ---
    embedding_dim: int = 64  # Size of a word's vector.
    units: int = 64  # Size of the LSTM state, in each direction.
    num_layers: int = 1  # LSTM layers on top of each other; 0 counts words.
    bidirectional: bool = True  # Read the text in both directions.
    # How to sum up the steps: one or more of last, max, mean, attention.
    pooling: tuple[str, ...] = ("max", "mean", "attention")
    # Share of words made unknown in training; -1: 0.2 in small data, else 0.
    word_dropout: float = -1
    embedding_dropout: float = 0.5  # Share of embedding features dropped.
    dropout: float = 0.5  # Share of pooled features dropped.

    # --- training ---
    epochs: int = 7  # The most; validation follows each.
    batch_size: int = 0  # Texts in one step; 0: up to 64, by the data.
    passes: int = 0  # Over the training data in an epoch; 0: by the data.
    learning_rate: float = 4e-3  # Adam's step size in the first epoch.
    learning_rate_decay: float = 0.7  # Factor on the step size, each epoch.
    clip_norm: float = 1.0  # Longest gradient; longer ones are scaled.
    patience: int = 3  # Epochs without a better accuracy before stopping.
    seed: int = 0  # Of weights, order and dropout.
    deterministic: bool = False  # Equal on any processors; one thread.

    # --- output ---
    run_dir: str = "runs/" + __package__.rpartition(".")[2]  # Results go here.

    # What `batches.complete` chooses by the data, where it has its default.
    BY_DATA: ClassVar = ("batch_size", "passes", "word_dropout")

    def __post_init__(self) -> None:
        """Refuses values that cannot work, naming the flag."""
        share = options.between(0, 1)
        options.check_fields(
            self,
            num_examples=options.at_least(10),
            vocab_size=options.at_least(3),
            max_tokens=options.at_least(2),
            num_buckets=options.at_least(1),
            embedding_dim=options.at_least(1),
            units=options.at_least(1),
            num_layers=options.at_least(0),
            embedding_dropout=share,
            dropout=share,
            epochs=options.at_least(1),
            batch_size=options.at_least(0),
            passes=options.at_least(0),
            learning_rate=options.above(0),
            learning_rate_decay=options.above(0),
            clip_norm=options.above(0),
            patience=options.at_least(1),
            seed=options.at_least(0),
        )
        tables.parse_delimiter(self.delimiter)
        if self.word_dropout != -1:
            options.check_fields(self, word_dropout=share)
        if not self.pooling or not set(self.pooling) <= set(POOLINGS):
            raise UserError(
                f"--pooling must be one or more of {', '.join(POOLINGS)},"
                f" got {format_names(self.pooling, ' ')}"
            )


# Seconds on two cores: the whole path, little learning.
SMOKE = Config(
    num_examples=1_000,
    num_buckets=1,
    epochs=2,
    embedding_dim=16,
    units=16,
    batch_size=32,
    passes=1,
    word_dropout=0.0,
)


def train_parser() -> cli.Parser:
    """Returns the command line of `train`: every field above."""
    return cli.train_parser(__package__, Config())


def evaluate_parser() -> cli.Parser:
    """Returns the command line of `evaluate`."""
    parser = cli.evaluate_parser(__package__, "texts")
    options.add_overrides(
        parser,
        Config,
        *["data", "text_column", "label_column", "delimiter", "encoding"],
        "tfds_dir",
    )
    return parser


def predict_parser() -> cli.Parser:
    """Returns the command line of `predict`."""
    parser = cli.predict_parser(__package__, "text", "Labels texts.")
    options.add_overrides(parser, Config, "text_column", "delimiter")
    return parser


def export_parser() -> cli.Parser:
    """Returns the command line of `export`."""
    return cli.export_parser(__package__)
