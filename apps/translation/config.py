"""All options of the app, which are also its command lines."""

import dataclasses
from typing import ClassVar, Literal

from common import cli, options
from common.data import tables
from common.errors import UserError


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of training. The defaults give the results in the README."""

    # --- data ---
    data: str = "builtin"  # builtin, tfds:NAME[/CONFIG], or a file or folder.
    source: str = ""  # Language to translate from, as the files name it.
    target: str = ""  # Language to translate to, as the files name it.
    reverse: bool = False  # Translate from the second language to the first.
    delimiter: str = ""  # Between two languages in one file; "" is a tab.
    encoding: str = "utf-8"  # Encoding of the user's text files.
    tfds_dir: str = ""  # Prepared tensorflow-datasets; "" for its default.
    num_examples: int = 10_000  # Training pairs of the builtin data.
    level: Literal["word", "subword", "char"] = "subword"  # What tokens are.
    vocab_size: int = 6_000  # Most tokens of each language.
    max_tokens: int = 100  # Longer sentences are left out of training.
    # So are pairs of which one is so much longer, as against most pairs.
    max_ratio: float = 4.0
    max_valid: int = 2_000  # Validation pairs; more are chosen from by chance.
    num_buckets: int = 4  # Fixed padded lengths, chosen from the data.

    # --- model ---
    embedding_dim: int = 128  # Size of a token's vector.
    units: int = 256  # Size of the decoder's state.
    num_layers: int = 1  # LSTM layers in the encoder and in the decoder.
    encoder: Literal["lstm", "bag"] = "lstm"  # bag: blind to the words' order.
    bidirectional: bool = True  # The encoder: half of the units each way.
    # How the decoder attends to the source.
    attention: Literal["none", "dot", "general", "additive"] = "general"
    input_feeding: bool = False  # Each step gets the last attentional vector.
    tied_embeddings: bool = True  # The output layer uses the target's vectors.
    source_vectors: str = ""  # Pretrained vectors, in word2vec's text format.
    target_vectors: str = ""  # The same for the target language.
    embedding_dropout: float = 0.1  # Share of embedding features dropped.
    dropout: float = 0.1  # Share of the features between layers dropped.

    # --- training ---
    epochs: int = 8  # The most; validation follows each.
    # Target tokens in one step, padding included; 0: up to 512, by the data.
    batch_tokens: int = 0
    passes: int = 0  # Over the training data in an epoch; 0: by the data.
    label_smoothing: float = 0.05  # Probability spread over all tokens.
    learning_rate: float = 4e-3  # Adam's step size in the first epoch.
    learning_rate_decay: float = 0.75  # Factor on the step size, each epoch.
    clip_norm: float = 1.0  # Longest gradient; longer ones are scaled.
    patience: int = 3  # Epochs without a better BLEU before stopping.
    seed: int = 0  # Of weights, order and dropout.
    deterministic: bool = False  # Equal on any processors; one thread.

    # --- decoding ---
    beam: int = 5  # Translations that are followed at one time.
    length_penalty: float = 1.0  # The greater, the longer translations get.
    coverage_penalty: float = 0.0  # Against leaving out parts of the source.

    # --- output ---
    run_dir: str = "runs/" + __package__.rpartition(".")[2]  # Results go here.

    # What `batches.complete` chooses by the data, where it has its default.
    BY_DATA: ClassVar = ("batch_tokens", "passes")

    def __post_init__(self) -> None:
        """Refuses values that cannot work, naming the flag."""
        share = options.between(0, 1)
        options.check_fields(
            self,
            num_examples=options.at_least(10),
            vocab_size=options.at_least(5),  # Four special ids and a token.
            max_tokens=options.at_least(1),
            max_ratio=options.at_least(1),
            max_valid=options.at_least(1),
            num_buckets=options.at_least(1),
            embedding_dim=options.at_least(1),
            units=options.at_least(1),
            num_layers=options.between(1, 5),
            embedding_dropout=share,
            dropout=share,
            epochs=options.at_least(1),
            batch_tokens=options.at_least(0),
            passes=options.at_least(0),
            label_smoothing=share,
            learning_rate=options.above(0),
            learning_rate_decay=options.above(0),
            clip_norm=options.above(0),
            patience=options.at_least(1),
            seed=options.at_least(0),
            beam=options.at_least(1),
            length_penalty=options.at_least(0),
            coverage_penalty=options.at_least(0),
        )
        self._check_combinations()

    def _check_combinations(self) -> None:
        tables.parse_delimiter(self.delimiter)
        if self.bidirectional and self.units % 2:
            raise UserError(
                f"--units must be even, half for each direction, got"
                f" {self.units}: change it or pass --bidirectional false"
            )
        if self.attention == "none" and self.coverage_penalty:
            raise UserError(
                "--coverage-penalty needs attention: choose another"
                " --attention than none"
            )
        if self.level != "word" and (
            self.source_vectors or self.target_vectors
        ):
            raise UserError(
                "--source-vectors and --target-vectors are of words: add"
                " --level word"
            )


# Seconds on two cores: the whole path, little learning.
SMOKE = Config(
    num_examples=1_000,
    epochs=2,
    embedding_dim=64,
    units=64,
    vocab_size=1_000,
    batch_tokens=128,
    passes=1,
    num_buckets=1,
    learning_rate=1e-2,
)


def train_parser() -> cli.Parser:
    """Returns the command line of `train`: every field above."""
    return cli.train_parser(__package__, Config())


def evaluate_parser() -> cli.Parser:
    """Returns the command line of `evaluate`."""
    parser = cli.evaluate_parser(__package__, "pairs")
    options.add_overrides(
        parser,
        Config,
        *["data", "source", "target", "delimiter", "encoding", "tfds_dir"],
        "beam",
    )
    return parser


def predict_parser() -> cli.Parser:
    """Returns the command line of `predict`."""
    parser = cli.predict_parser(__package__, "text", "Translates texts.")
    parser.add_argument(
        "--n-best",
        type=options.number(int, options.at_least(0)),
        metavar="N",
        default=0,
        help="so many translations of each text, with their scores",
    )
    parser.add_argument(
        "--text-column",
        metavar="COLUMN",
        default="text",
        help="the column to translate of a --file .csv or .jsonl [text]",
    )
    parser.add_argument(
        "--attention-plot",
        metavar="FILE",
        default="",
        help="a picture of the attention for the first text: .png, .svg, .pdf",
    )
    options.add_overrides(parser, Config, "beam")
    cli.add_sampling(parser)
    return parser


def export_parser() -> cli.Parser:
    """Returns the command line of `export`."""
    return cli.export_parser(__package__)
