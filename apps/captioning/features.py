"""Computes the features of all pictures of a folder, once.

    python -m PACKAGE.features --data FOLDER --encoder MobileNetV2
        --encoder-weights FILE --image-size 224 --to FILE.npz

What is finished survives a kill, in FILE.npz.parts; the same command again
computes only what is missing, or has changed.
"""

from pathlib import Path

from common import cli
from common.data.feature_files import FeatureFile, Features
from common.data.skipped import Skipped, format_report
from common.errors import UserError
from common.media import extraction

from . import datasets
from . import encoder as encoders
from .config import Config


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
    files: dict[str, Path],
    config: Config,
    to: Path,
    skipped: Skipped,
) -> Features:
    """Computes the features that a file does not have yet.

    Args:
        files: the pictures, by name.
        config: its encoder, the encoder's weights, the size of pictures.
        to: the file of features; what it has of other pictures stays.
        skipped: notes the pictures that cannot be read.

    Returns:
        The content of the file.

    Raises:
        UserError: if `to` is of another encoder, or no picture can be read.
    """
    if config.encoder == encoders.CNN:
        raise UserError(
            f"--encoder {encoders.CNN} is trained with the decoder and has no"
            " features before: name a network of keras.applications"
        )

    return extraction.extract_images(
        files,
        lambda: encoders.build(config),
        FeatureFile(to, encoders.signature(config)),
        skipped,
        size=config.image_size,
        batch_size=config.batch_size,
        seed=config.seed,
    )


def main() -> None:
    """Reads the command line, computes, and tells what was left out."""
    options = vars(_parser().parse_args())
    to = Path(options.pop("to"))
    # The decoder that takes grid and vector.
    config = Config(**options, decoder="first_input")
    if to.suffix != ".npz":
        raise UserError(f"--to {to}: expected a file that ends in .npz")
    skipped = Skipped()
    features = compute(find_pictures(Path(config.data)), config, to, skipped)
    for line in format_report(skipped.report()):
        print(line)
    print(
        f"{to}: {len(features.names)} pictures, {features.regions} regions of"
        f" {features.dim} features; {skipped.counts.total()} left out"
    )


def _parser() -> cli.Parser:
    default = Config(encoder="MobileNetV2", image_size=224)
    parser = cli.Parser(f"{__package__}.features", __doc__ or "")
    add = parser.add_argument
    add("--data", required=True, help="a folder of pictures")
    add("--to", required=True, help="the file to write, .npz")
    add("--encoder", default=default.encoder, help="of keras.applications")
    add("--encoder-weights", default="imagenet", help="or a file, or none")
    add("--image-size", type=int, default=default.image_size, help="in pixels")
    add("--pooled", action="store_true", help="one vector of each picture")
    add("--batch-size", type=int, default=default.batch_size, help="pictures")
    return parser


if __name__ == "__main__":
    cli.main(main)
