"""All options of the app: one dataclass, which is also the command line."""

import dataclasses
from typing import Literal

from common import options
from common.errors import UserError


@dataclasses.dataclass(frozen=True)
class Config:
    """Options of training. The defaults give the results in the README."""

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
    rate: float = 0.0
    max_gigabytes: float = 4.0  # Most memory for the frames of all videos.

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
    smoothing: float = 0.0  # Weight of the truncated mean squared error.
    label_smoothing: float = 0.0  # Probability spread over all tags.
    class_weights: Literal["none", "balanced"] = "none"  # Weight of rare tags.

    window: int = 0  # Frames that are learned at one time; 0 for whole videos.
    epochs: int = 15  # Most passes over the training data.
    batch_size: int = 8  # Windows in one step.
    num_buckets: int = 1  # Fixed padded lengths, chosen from the data.
    learning_rate: float = 5e-3  # Adam's step size in the first epoch.
    learning_rate_decay: float = 0.86  # Factor on the step size, each epoch.
    clip_norm: float = 1.0  # Longest gradient; longer ones are scaled.
    patience: int = 4  # Epochs without a better score before stopping.
    seed: int = 0  # Of weights, order, windows, noise and dropout.
    run_dir: str = "runs/" + __package__.rpartition(".")[2]  # Results go here.

    def __post_init__(self) -> None:
        """Refuses values that cannot work, naming the flag."""
        share = options.between(0, 1)
        options.check_fields(
            self,
            num_examples=options.at_least(10),
            rate=options.at_least(0),
            max_gigabytes=options.above(0),
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
            batch_size=options.at_least(1),
            num_buckets=options.at_least(1),
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
SMOKE = Config(num_examples=64, epochs=2, units=16)
