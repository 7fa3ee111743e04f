"""All options of the app, which are also its command lines."""

import dataclasses
from typing import ClassVar, Literal

from common import cli, options
from common.errors import UserError


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of training. The defaults give the results in the README."""

    # --- data ---
    data: str = "builtin"  # builtin, tfds:NAME[/CONFIG], or a folder.
    features: str = ""  # Features of the images, in place of the images: .npz.
    encoding: str = "utf-8"  # Encoding of the user's text files.
    tfds_dir: str = ""  # Prepared tensorflow-datasets; "" for its default.
    num_examples: int = 6_000  # Training images of the builtin data.
    min_count: int = 0  # Rarer words are unknown; 0: up to 3, by the data.
    vocab_size: int = 10_000  # Most words, special ones included.
    max_words: int = 25  # Longer captions lose their end.
    max_valid: int = 2_000  # Validation images; more are chosen from by chance.
    num_buckets: int = 2  # Fixed padded lengths, chosen from the data.

    # --- model ---
    # A network of keras.applications, such as MobileNetV2, or cnn, a small one
    # that is trained with the decoder.
    encoder: str = "cnn"
    encoder_weights: str = "imagenet"  # Or a file, or none.
    image_size: int = 64  # Height and width that images are brought to.
    pooled: bool = False  # One vector of each image in place of a grid.
    # Where the image comes in (see decoder.py).
    decoder: Literal["attention", "first_input", "initial_state"] = "attention"
    attention: Literal["dot", "general", "additive"] = "general"  # Its score.
    embedding_dim: int = 128  # Size of a word's vector.
    units: int = 192  # Size of the LSTM state.
    feature_dropout: float = 0.0  # Share of the image's features dropped.
    embedding_dropout: float = 0.0  # Share of embedding features dropped.
    dropout: float = 0.0  # Share of the features before the output dropped.

    # --- training ---
    finetune: str = ""  # A run to go on from, with its encoder trained too.
    doubly_stochastic: float = 0.0  # Weight of attending to all of the image.
    label_smoothing: float = 0.02  # Probability spread over all words.
    scheduled_sampling: float = 0.0  # Share of words taken from the model ...
    sampling_epochs: int = 10  # ... reached after so many epochs.
    epochs: int = 16  # The most; validation follows each.
    captions_per_image: int = 1  # Drawn in each pass; 0 takes all of them.
    batch_size: int = 0  # Captions in one step; 0: up to 32, by the data.
    passes: int = 0  # Over the training data in an epoch; 0: by the data.
    learning_rate: float = 2e-3  # Adam's step size in the first epoch.
    learning_rate_decay: float = 0.93  # Factor on the step size, each epoch.
    clip_norm: float = 1.0  # Longest gradient; longer ones are scaled.
    patience: int = 5  # Epochs without a better CIDEr before stopping.
    seed: int = 0  # Of weights, order, dropout and sampling.
    deterministic: bool = False  # Equal on any processors; one thread.

    # --- decoding ---
    beam: int = 5  # Captions that are followed at one time.
    length_penalty: float = 1.0  # The greater, the longer captions get.

    # --- output ---
    run_dir: str = "runs/" + __package__.rpartition(".")[2]  # Results go here.

    # What `batches.complete` chooses by the data, where it has its default.
    BY_DATA: ClassVar = ("batch_size", "passes")

    def __post_init__(self) -> None:
        """Refuses values that cannot work, naming the flag."""
        share = options.between(0, 1)
        options.check_fields(
            self,
            num_examples=options.at_least(10),
            min_count=options.at_least(0),
            vocab_size=options.at_least(5),  # A word beside text.NUM_SPECIAL.
            max_words=options.at_least(1),
            max_valid=options.at_least(1),
            num_buckets=options.at_least(1),
            image_size=options.at_least(16),
            embedding_dim=options.at_least(1),
            units=options.at_least(1),
            feature_dropout=share,
            embedding_dropout=share,
            dropout=share,
            doubly_stochastic=options.at_least(0),
            label_smoothing=share,
            scheduled_sampling=share,
            sampling_epochs=options.at_least(1),
            epochs=options.at_least(1),
            captions_per_image=options.at_least(0),
            batch_size=options.at_least(0),
            passes=options.at_least(0),
            learning_rate=options.above(0),
            learning_rate_decay=options.above(0),
            clip_norm=options.above(0),
            patience=options.at_least(1),
            seed=options.at_least(0),
            beam=options.at_least(1),
            length_penalty=options.at_least(0),
        )
        self._check_combinations()

    def _check_combinations(self) -> None:
        if self.pooled and self.decoder == "attention":
            raise UserError(
                "--decoder attention needs a grid to look at: leave out"
                " --pooled, or choose --decoder first_input or initial_state"
            )
        if self.features and self.finetune:
            raise UserError(
                "--finetune trains the encoder, which --features leave out:"
                " drop one of them"
            )
        if self.features and self.data == "builtin":
            raise UserError(
                "--features needs --data too: the folder with the captions"
            )


# Seconds on two cores: the whole path, little learning.
SMOKE = Config(
    num_examples=300,
    epochs=2,
    embedding_dim=64,
    units=64,
    batch_size=32,
    passes=1,
    num_buckets=1,
    learning_rate=5e-3,
)
# What `features` computes where no flag says otherwise. Features of a grid and
# of one vector fit this decoder.
FEATURES = Config(
    encoder="MobileNetV2",
    image_size=224,
    decoder="first_input",
    batch_size=32,
)


def train_parser() -> cli.Parser:
    """Returns the command line of `train`: every field above."""
    return cli.train_parser(__package__, Config())


def evaluate_parser() -> cli.Parser:
    """Returns the command line of `evaluate`."""
    parser = cli.evaluate_parser(__package__, "images")
    options.add_overrides(
        parser, Config, *["data", "features", "encoding", "tfds_dir", "beam"]
    )
    return parser


def predict_parser() -> cli.Parser:
    """Returns the command line of `predict`."""
    parser = cli.predict_parser(__package__, "image", "Captions images.")
    add = parser.add_argument
    add(
        "--n-best",
        type=options.number(int, options.at_least(0)),
        metavar="N",
        default=0,
        help="so many captions of each image, with their scores",
    )
    for flag, content in (
        ("--attention-plot", "of the first image, once for each word"),
        ("--gallery", "of the images with their captions"),
    ):
        add(
            flag, metavar="FILE", default="", help=f"a picture, .png, {content}"
        )
    options.add_overrides(parser, Config, "features", "beam")
    cli.add_sampling(parser)
    return parser


def export_parser() -> cli.Parser:
    """Returns the command line of `export`."""
    return cli.export_parser(__package__)


def features_parser() -> cli.Parser:
    """Returns the command line of `features`."""
    parser = cli.Parser(
        f"{__package__}.features",
        "Computes the features of all pictures of a folder, once.",
    )
    add = parser.add_argument
    add("--data", metavar="FOLDER", required=True, help="with the pictures")
    add("--to", metavar="FILE", required=True, help="the file to write, .npz")
    names = ["encoder", "encoder_weights", "image_size", "pooled", "batch_size"]
    options.add_fields(parser, FEATURES, *names)
    return parser
