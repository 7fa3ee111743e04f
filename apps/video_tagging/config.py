"""All options of the app, which are also its command lines."""

import dataclasses
from typing import ClassVar, Literal

from common import cli, options
from common.errors import UserError

# Of a picture of `--timeline`; as `outputs.timeline.MAX_VIDEOS`, which is not
# imported: `--help` waits for no other library.
MAX_TIMELINES = 12


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of training. The defaults give the results in the README."""

    # --- data ---
    data: str = "builtin"  # builtin, tfds:mnist, tfds:ucf101, or a folder.
    encoding: str = "utf-8"  # Encoding of the user's text files.
    tfds_dir: str = ""  # Prepared tensorflow-datasets; "" for its default.
    num_examples: int = 1_600  # Training clips of builtin data and of mnist.
    multi_label: bool = False  # A set of tags for each frame, not one tag.
    background: str = "background"  # The tag of what is no action.
    # Training videos to validate on, such as "S2_*"; none for no validation.
    valid_videos: str = ""
    # Where there are more labels than frames, or fewer.
    align: Literal["error", "crop"] = "error"
    # Frames a second: of videos, how many to look at (0 for all of them); of
    # given features, how many there are (0 if unknown).
    frame_rate: float = 0.0
    max_gigabytes: float = 4.0  # Most memory for the frames of all videos.
    num_buckets: int = 1  # Fixed padded lengths, chosen from the data.

    # --- model ---
    # What sees a frame, where frames are given: a network of
    # keras.applications, such as MobileNetV2, or cnn, a small one that is
    # trained with the recurrence.
    encoder: str = "cnn"
    encoder_weights: str = "imagenet"  # Or a file, or none.
    image_size: int = 32  # Height and width that frames are brought to.
    causal: bool = False  # Tags of the past alone, for live streams.
    # What brings features to one scale: the mean and deviation of all training
    # videos, those of each video by itself, or nothing.
    scale: Literal["training", "video", "none"] = "training"
    stride: int = 1  # Frames that the recurrence sees as one, by their mean.
    units: int = 96  # Size of the LSTM state, in each direction.
    num_layers: int = 1  # LSTM layers of a stage; 0 sees one frame at a time.
    num_stages: int = 1  # Each further one refines the tags of the one before.
    crf: bool = False  # Learn which tags follow which; decode whole videos.
    input_noise: float = 0.0  # Standard deviation added to scaled features.
    feature_dropout: float = 0.0  # Share of the features of a video dropped.
    dropout: float = 0.0  # Share of the outputs of each layer dropped.
    recurrent_dropout: float = 0.0  # Share of the hidden state dropped.

    # --- training ---
    smoothing: float = 0.0  # Weight of the truncated mean squared error.
    label_smoothing: float = 0.0  # Probability spread over all tags.
    class_weights: Literal["none", "balanced"] = "none"  # Weight of rare tags.
    window: int = 0  # Frames that are learned at one time; 0 for whole videos.
    epochs: int = 15  # The most; validation follows each.
    # Windows in one step, 0: up to 8, by the data; of `features`, frames.
    batch_size: int = 0
    passes: int = 0  # Over the training data in an epoch; 0: by the data.
    learning_rate: float = 5e-3  # Adam's step size in the first epoch.
    learning_rate_decay: float = 0.86  # Factor on the step size, each epoch.
    clip_norm: float = 1.0  # Longest gradient; longer ones are scaled.
    patience: int = 4  # Epochs without a better score before stopping.
    seed: int = 0  # Of weights, order, windows, noise and dropout.
    deterministic: bool = False  # Equal on any processors; one thread.

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
            frame_rate=options.at_least(0),
            max_gigabytes=options.above(0),
            num_buckets=options.at_least(1),
            image_size=options.at_least(16),
            stride=options.at_least(1),
            units=options.at_least(1),
            num_layers=options.at_least(0),
            num_stages=options.at_least(1),
            input_noise=options.at_least(0),
            feature_dropout=share,
            dropout=share,
            recurrent_dropout=share,
            smoothing=options.at_least(0),
            label_smoothing=share,
            window=options.at_least(0),
            epochs=options.at_least(1),
            batch_size=options.at_least(0),
            passes=options.at_least(0),
            learning_rate=options.above(0),
            learning_rate_decay=options.above(0),
            clip_norm=options.above(0),
            patience=options.at_least(1),
            seed=options.at_least(0),
        )
        self._check_combinations()

    def _check_combinations(self) -> None:
        if self.crf and self.causal:
            raise UserError(
                "--crf decodes whole videos, and --causal knows their past"
                " alone: drop one of them"
            )
        if self.scale == "video" and self.causal:
            raise UserError(
                "--scale video looks at the whole video, and --causal knows its"
                " past alone: drop one of them"
            )
        if self.stride > 1 and self.causal:
            raise UserError(
                "--stride waits for frames that follow, and --causal answers"
                " at once: drop one of them"
            )
        if self.crf and self.class_weights != "none":
            raise UserError(
                "--crf rates whole videos, and --class-weights their frames:"
                " drop one of them"
            )
        if self.crf and self.multi_label:
            raise UserError(
                "--crf finds one tag for each frame, not the sets of"
                " --multi-label: drop one of them"
            )


# Seconds on two cores: the whole path, little learning.
SMOKE = Config(num_examples=64, epochs=2, units=16, batch_size=8, passes=1)
# Of the command features: a network that need not be trained.
FEATURES = Config(encoder="MobileNetV2", image_size=224, batch_size=32)


def train_parser() -> cli.Parser:
    """Returns the command line of `train`: every field above."""
    return cli.train_parser(__package__, Config())


def evaluate_parser() -> cli.Parser:
    """Returns the command line of `evaluate`."""
    parser = cli.evaluate_parser(__package__, "videos")
    parser.add_argument(
        "--timeline",
        metavar="FILE",
        default="",
        help="a picture, .png, of truth and predictions of at most"
        f" {MAX_TIMELINES} videos",
    )
    options.add_overrides(
        parser,
        Config,
        *["data", "encoding", "tfds_dir", "align", "background", "frame_rate"],
    )
    return parser


def predict_parser() -> cli.Parser:
    """Returns the command line of `predict`."""
    parser = cli.predict_parser(
        __package__,
        "video",
        "Tags videos, folders of pictures and .npy features: prints segments.",
    )
    add = parser.add_argument
    add("--csv", metavar="FILE", default="", help="a table of all segments")
    add(
        "--srt",
        metavar="FILE",
        default="",
        help="a subtitle file; for many videos, a folder",
    )
    add(
        "--timeline",
        metavar="FILE",
        default="",
        help=f"a picture, .png, of at most {MAX_TIMELINES} videos",
    )
    add(
        "--labels",
        metavar="PATH",
        default="",
        help="annotations.csv, label files, or a folder of --data: drawn above",
    )
    add(
        "--live",
        metavar="SOURCE",
        default="",
        help="tag a stream as it comes: a camera (0, 1, ...), an address, a"
        " file, or - for a video, or lines of features, on standard input",
    )
    options.add_overrides(parser, Config, "frame_rate")
    return parser


def export_parser() -> cli.Parser:
    """Returns the command line of `export`."""
    return cli.export_parser(__package__)


def features_parser() -> cli.Parser:
    """Returns the command line of `features`."""
    parser = cli.Parser(
        f"{__package__}.features",
        "Computes the features of all videos of a folder, once.",
    )
    parser.add_argument(
        "--to", metavar="FOLDER", required=True, help="the folder to write"
    )
    options.add_fields(
        parser,
        FEATURES,
        *["data", "encoding", "multi_label", "background", "align"],
        *["frame_rate", "encoder", "encoder_weights", "image_size"],
        *["batch_size", "seed"],
    )
    return parser
