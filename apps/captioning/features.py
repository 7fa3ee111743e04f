"""Computes the features of all pictures of a folder, once.

    python -m PACKAGE.features --data FOLDER --encoder MobileNetV2
        --encoder-weights FILE --image-size 224 --to FILE.npz

What is finished survives a kill, in FILE.npz.parts; the same command again
computes only what is missing, or has changed.
"""

from pathlib import Path

from common import cli, options
from common.characters import printable
from common.data import skipped
from common.data.feature_files import FeatureFile, Features
from common.data.skipped import Skipped
from common.errors import UserError
from common.media import extraction

from . import datasets
from .config import FEATURES, Config, features_parser
from .encoder import CNN, build_encoder, encoder_signature


def find_pictures(folder: Path) -> dict[str, Path]:
    """Finds the picture files below a folder, or below its `images`, by name.

    Raises:
        UserError: if there are none, or two of one name.
    """
    if not folder.is_dir():
        raise UserError(f"--data {folder}: no such folder")
    paths = datasets.find_images(folder, datasets.is_image)
    files = {
        name: Path(path)
        for name, path in paths.items()
        if datasets.is_image(name)
    }
    if not files:
        raise UserError(
            f"--data {folder}: no picture below it; expected files that end in"
            f" {', '.join(datasets.IMAGE_ENDINGS)}"
        )
    return files


def compute(
    files: dict[str, Path], config: Config, to: Path, left_out: Skipped
) -> Features:
    """Computes the features that a file does not have yet.

    Args:
        files: the pictures, by name.
        config: its encoder, the encoder's weights, the size of pictures.
        to: the file of features; what it has of other pictures stays.
        left_out: notes the pictures that cannot be read.

    Returns:
        The content of the file.

    Raises:
        UserError: if `to` is of another encoder, or no picture can be read.
    """
    if config.encoder == CNN:
        raise UserError(
            f"--encoder {CNN} is trained with the decoder and has no features"
            " before: name a network of keras.applications"
        )
    return extraction.extract_images(
        files,
        lambda: build_encoder(config),
        FeatureFile(to, encoder_signature(config)),
        left_out,
        size=config.image_size,
        batch_size=config.batch_size,
        seed=config.seed,
    )


def main() -> None:
    """Computes as the command line says, and prints what was left out."""
    args = features_parser().parse_args()
    config = options.override(FEATURES, args)
    to = Path(args.to)
    if to.suffix != ".npz":
        raise UserError(f"--to {to}: expected a file that ends in .npz")
    left_out = Skipped()
    features = compute(find_pictures(Path(config.data)), config, to, left_out)
    for line in skipped.format_report(left_out.report()):
        print(line)
    print(
        f"{printable(to)}: {len(features.names)} pictures,"
        f" {features.regions} regions of {features.dim} features;"
        f" {left_out.counts.total()} left out"
    )


if __name__ == "__main__":
    cli.main(main)
