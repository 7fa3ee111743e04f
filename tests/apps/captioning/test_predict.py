import dataclasses
import functools
import io
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import (
    encoder,
    pipeline,
    plots,
    predict,
    predictor,
    text,
    train,
)
from apps.captioning.config import SMOKE
from apps.captioning.datasets import builtin
from apps.captioning.datasets.builtin import (
    __main__ as builtin_folder,
)
from common.data import feature_files
from common.decoding import sampling as decoding
from common.decoding.sampling import Sampling
from common.errors import UserError
from common.training import runs
from tests.support.images import (
    ANIMATED_GIF,
    CLEAR_PALETTE_PNG,
    CMYK_JPEG,
    JPEG,
    NOISE,
    bmp,
)

TINY = dataclasses.replace(
    SMOKE,
    num_examples=20,
    epochs=1,
    min_count=1,
    max_words=7,
    image_size=32,
    units=16,
    embedding_dim=16,
    batch_size=16,
    num_buckets=1,
)
NUM = 40  # Pictures: more than are read at one time.
ENCODER = {"encoder": "of others", "weights": "x"}
ALPHA = np.dstack([NOISE, np.arange(600).reshape(20, 30) % 256])
PICTURES = {
    "alpha.png": tf.io.encode_png(ALPHA.astype(np.uint8)).numpy(),
    "clear palette.png": CLEAR_PALETTE_PNG,
    "grey.jpg": tf.io.encode_jpeg(NOISE[:, :, :1]).numpy(),
    "cmyk.jpeg": CMYK_JPEG,
    "größer.gif": ANIMATED_GIF,
    "picture.bmp": bmp(NOISE),
    "no ending": JPEG,
    "wrong ending.png": JPEG,
}


def make_talkative(run, images_of):
    """Puts large weights in a run's decoder.

    Trained for seconds, it would say the same of every picture. With these it
    says much, some of it short.

    Args:
        run: the run folder.
        images_of: makes pixels or features of some pictures, from the model.
    """
    model = pipeline.load(run / runs.MODEL)
    images = images_of(model)
    search = tf.function(lambda images: model.search(images))
    for seed in range(40):
        _enlarge(model.network.decoder, np.random.default_rng(seed))
        found = search(images)
        captions = model.writer(found.ids[:, 0]).numpy()
        lengths = found.lengths.numpy()[:, 0]
        is_varied = len(set(captions)) > len(captions) // 3
        if is_varied and 0 < lengths.min() < lengths.max():
            model.save(run / runs.MODEL)
            return run
    return pytest.fail("no weights found that say much")


def _enlarge(decoder, rng):
    for variable in decoder.weights:
        if len(variable.shape) > 1:
            scale = 3 / np.sqrt(variable.shape[0])
            if "embedding" in variable.path:
                scale = 3
            elif "projection" in variable.path or "readout" in variable.path:
                scale *= 3
            variable.assign(scale * rng.normal(size=variable.shape))
        elif "gamma" not in variable.path:
            variable.assign(tf.zeros(variable.shape))
    bias = np.zeros(decoder.readout.bias.shape)
    bias[text.END_ID] = rng.uniform(0, 12)
    decoder.readout.bias.assign(bias)


@functools.cache
def smoke_run(folder):
    """A run of seconds on the builtin pictures, with many captions."""
    run = quickly(dataclasses.replace(TINY, run_dir=str(folder / "run")))
    contents = [scene.png for scene in builtin.generate("test", NUM, seed=3)]
    return make_talkative(run, lambda model: model.pixels(contents)[0])


def quickly(config):
    """Trains without a picture of the log, which takes longer than that."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_draw_curves", lambda path, history: None)
        return train.train(config)


def write_features(path, **changes):
    """Features of the pictures of `features_run`."""
    names = [
        f"{split}-{number:05}.png"
        for split in builtin.SPLITS
        for number in range(12)
    ]
    rng = np.random.default_rng(0)
    values = rng.normal(size=[len(names), 4, 6]).astype("f")
    features = feature_files.Features(names, values, encoder=ENCODER)
    feature_files.save(path, dataclasses.replace(features, **changes))
    return path


@functools.cache
def features_run(folder):
    """A run on features that no encoder here can make."""
    builtin_folder.write(folder / "scenes", 12, seed=0)
    features = write_features(folder / "grid.npz")
    config = dataclasses.replace(
        TINY,
        data=str(folder / "scenes"),
        features=str(features),
        run_dir=str(folder / "run"),
    )
    given = feature_files.load(features)
    every = tf.constant(given.take(np.arange(len(given.names))))
    return make_talkative(quickly(config), lambda model: every)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return smoke_run(tmp_path_factory.getbasetemp() / "captioning")


@pytest.fixture(scope="module")
def loaded(run):
    return predictor.load(str(run))


@pytest.fixture(scope="module")
def of_features(tmp_path_factory):
    return features_run(tmp_path_factory.getbasetemp() / "of-features")


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Picture files, each another one."""
    folder = tmp_path_factory.mktemp("scenes")
    paths = []
    for scene in builtin.generate("test", NUM, seed=3):
        (folder / scene.name).write_bytes(scene.png)
        paths.append(str(folder / scene.name))
    return paths


@pytest.fixture(scope="module")
def n_best(loaded, scenes):
    """What the model says of each scene."""
    return loaded.of_pictures(Path(path).read_bytes() for path in scenes)


@pytest.fixture(scope="module")
def best(n_best):
    return [found[0].text for found in n_best]


@pytest.fixture
def ask(monkeypatch, capsys):
    """Predicts as the command line does: (lines, errors)."""

    def ask(run, *args, status=0):
        monkeypatch.setattr("sys.argv", ["predict", str(run), *map(str, args)])
        capsys.readouterr()
        found = 0
        try:
            predict.main()
        except SystemExit as ended:
            found = ended.code
        printed = capsys.readouterr()
        assert found == status, printed.err
        return printed.out.split("\n")[:-1], printed.err.splitlines()

    return ask


@pytest.fixture
def say(run, loaded, ask, monkeypatch):
    """Asks the run on builtin pictures: (lines, errors)."""
    load = predictor.load

    def load_once(path, beam=None):
        return load(path, beam) if beam is not None else loaded

    monkeypatch.setattr(predict, "load", load_once)
    return functools.partial(ask, run)


def scored(lines):
    """Scores and captions of lines that --n-best printed."""
    rows = [line.split("\t") for line in lines]
    return [float(score) for score, _ in rows], [caption for _, caption in rows]


def pixels_of(loaded, paths):
    contents = [Path(path).read_bytes() for path in paths]
    return loaded.model.pixels(tf.constant(contents))[0]


# Pictures


def test_pictures_as_arguments(command, run, scenes, best):
    images = [scenes[0], command.folder / "gone.png", *scenes[1:3]]
    done = command("apps.captioning.predict", run, *images, status=2)
    expected = [best[0], "", *best[1:3]]
    assert done.stdout.split("\n") == [*expected, ""]
    assert done.stderr == f"error: {images[1]}: No such file or directory\n"


def test_captions_come_in_the_order_of_the_pictures(say, scenes, best):
    assert len(set(best)) > 8
    assert say(*scenes) == (best, [])
    assert say(*reversed(scenes)) == (best[::-1], [])


def test_captions_are_the_same_alone_and_in_a_batch(loaded, scenes, n_best):
    for path, found in list(zip(scenes, n_best, strict=True))[::5]:
        (alone,) = loaded.of_pictures([Path(path).read_bytes()])
        assert [x.text for x in alone] == [x.text for x in found]
        expected = [x.score for x in found]
        assert [x.score for x in alone] == pytest.approx(expected, rel=1e-3)


def test_every_format_has_a_caption(say, loaded, tmp_path):
    for name, content in PICTURES.items():
        (tmp_path / name).write_bytes(content)
    lines, errors = say(*(tmp_path / name for name in PICTURES))
    assert errors == []
    found = loaded.of_pictures(PICTURES.values())
    assert lines == [captions[0].text for captions in found]
    assert len(set(lines)) > 1
    # They are different pictures to the model, but for the same one twice.
    scores = [captions[0].score for captions in found]
    assert scores[-1] == scores[-2]
    assert len({round(score, 4) for score in scores}) > 4


@pytest.fixture
def broken(tmp_path):
    """Pictures that cannot be read, and why not."""
    (tmp_path / "cut.jpg").write_bytes(JPEG[:-200])
    (tmp_path / "text.jpg").write_bytes(b"these are words")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    reasons = {
        "cut.jpg": "truncated or damaged",
        "text.jpg": "not a picture",
        "empty.png": "empty file",
        "folder.png": "not a file",
        "gone.png": "No such file or directory",
        "x" * 300: "File name too long",
    }
    return {str(tmp_path / name): why for name, why in reasons.items()}


def test_what_cannot_be_read_is_told_and_the_others_are_answered(
    say, scenes, best, broken
):
    mixed = [scenes[0]]
    for path, scene in zip(broken, scenes[1:], strict=False):
        mixed += [path, scene]
    lines, errors = say(*mixed, status=2)
    assert lines[::2] == best[: len(broken) + 1]
    assert lines[1::2] == [""] * len(broken)
    assert errors == [f"error: {path}: {why}" for path, why in broken.items()]


def test_nothing_that_can_be_read(say, broken):
    lines, errors = say(*broken, "--n-best", 2, status=2)
    assert lines == [""] * len(broken)
    assert len(errors) == len(broken)


# Lists of pictures


def test_a_file_has_one_picture_a_line(say, scenes, best, tmp_path):
    path = tmp_path / "list.txt"
    listed = "\r\n".join(["\ufeff" + scenes[1], "", *scenes[2:4]])
    path.write_bytes(listed.encode())
    lines, errors = say(scenes[0], "--file", path, status=2)
    assert lines == [*best[:2], "", *best[2:4]]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert errors[0].endswith(": not a file")


def test_standard_input_is_a_list_too(say, scenes, best, monkeypatch):
    listed = "\n".join(scenes).encode()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(listed)))
    assert say("--file", "-") == (best, [])


def test_a_list_in_another_encoding(say, scenes, best, tmp_path):
    shutil.copy(scenes[5], tmp_path / "café.png")
    path = tmp_path / "list.txt"
    path.write_bytes(f"{scenes[4]}\n{tmp_path}/café.png\n".encode("latin-1"))
    assert say("--file", path, "--encoding", "latin-1") == (best[4:6], [])
    lines, errors = say("--file", path, status=2)
    assert lines == [best[4], ""]
    assert errors[0].startswith(f"{path}:2: byte 0xe9 is not utf-8; nothing")


def test_a_name_that_no_file_can_have(say, scenes, best, tmp_path):
    path = tmp_path / "list.txt"
    path.write_text(f"a\0b\n{scenes[0]}\n")
    lines, errors = say("--file", path, status=2)
    assert lines == ["", best[0]]
    assert len(errors) == 1


# Beams


def test_n_best_prints_so_many_lines_best_first(say, scenes, n_best):
    lines, _ = say("--n-best", 4, *scenes[:2])
    assert len(lines) == 8
    for start, found in zip((0, 4), n_best, strict=False):
        scores, captions = scored(lines[start : start + 4])
        assert captions == [x.text for x in found[:4]]
        assert len(set(captions)) == 4
        assert scores == sorted(scores, reverse=True)
        assert scores == pytest.approx([x.score for x in found[:4]], abs=1e-4)


@pytest.fixture(scope="module")
def greedy(loaded, scenes):
    """The likeliest word at each step, and the captions' probabilities."""
    model = loaded.model
    step, state = model._steps(pixels_of(loaded, scenes))
    found = decoding.greedy(step, state, NUM, model._limits())
    captions = [x.decode() for x in model.writer(found.ids).numpy()]
    lengths = found.lengths.numpy() + 1
    return captions, found.scores.numpy() / ((5 + lengths) / 6)


def test_a_beam_of_one_is_greedy(say, scenes, best, greedy):
    captions, expected = greedy
    lines, _ = say("--beam", 1, "--n-best", 1, *scenes)
    scores, found = scored(lines)
    assert found == captions != best
    np.testing.assert_allclose(scores, expected, atol=2e-4)


def test_a_wider_beam_finds_likelier_captions(say, scenes, n_best):
    lines, _ = say("--beam", 9, "--n-best", 9, *scenes)
    scores, captions = scored(lines)
    assert len(set(captions[:9])) == 9
    before = [found[0].score for found in n_best]
    assert np.mean(scores[::9]) > np.mean(before) - 1e-4


# Drawing


def test_a_drawing_is_repeated_by_its_seed(say, scenes):
    first, again, other = (
        say("--sample", "--seed", seed, "--n-best", 1, *scenes)[0]
        for seed in (1, 1, 2)
    )
    assert first == again
    differing = sum(x != y for x, y in zip(first, other, strict=True))
    assert differing > NUM // 4


def test_drawing_the_likeliest_only_is_greedy(say, scenes, greedy):
    assert say("--sample", "--top-k", 1, *scenes)[0] == greedy[0]
    assert say("--sample", "--top-p", 1e-6, *scenes)[0] == greedy[0]
    assert say("--sample", "--temperature", 1e-4, *scenes)[0] == greedy[0]


def test_the_options_of_drawing_are_handed_on(say, scenes, monkeypatch):
    told = []

    def draws(predictor, sampling):
        told.append(sampling)
        return predictor

    monkeypatch.setattr(predict, "draws", draws)
    options = {"--temperature": 0.5, "--top-k": 3, "--top-p": 0.9, "--seed": 8}
    say("--sample", *(x for pair in options.items() for x in pair), scenes[0])
    assert told == [Sampling(8, 0.5, 3, 0.9)]


def test_a_drawing_of_what_cannot_be_read_is_empty(say, scenes, broken):
    path = next(iter(broken))
    lines, errors = say("--sample", path, scenes[0], status=2)
    assert lines[0] == "" != lines[1]
    assert len(errors) == 1


# Ends


@pytest.fixture
def bias(loaded):
    """Adds to the logits of some ids, for one test."""
    readout = loaded.model.network.decoder.readout
    before = readout.bias.numpy()

    def change(ids, value):
        changed = before.copy()
        changed[list(ids)] += value
        readout.bias.assign(changed)

    yield change
    readout.bias.assign(before)


def test_a_caption_that_cannot_end_has_the_most_words(say, scenes, bias):
    bias([text.END_ID], -1e4)
    for flags in ([], ["--sample"]):
        lines, _ = say(*flags, *scenes)
        assert {len(line.split()) for line in lines} == {TINY.max_words}


def test_a_caption_that_ends_at_once_is_empty(say, scenes, bias, tmp_path):
    bias([text.END_ID], 1e4)
    path = tmp_path / "gallery.png"
    lines, errors = say(*scenes[:3], "--n-best", 1, "--gallery", path)
    assert errors == []
    scores, captions = scored(lines)
    assert captions == [""] * 3
    assert scores == pytest.approx([0] * 3, abs=1e-3)
    assert path.exists()  # They are pictures, even so.
    assert say("--sample", *scenes[:3])[0] == [""] * 3


def test_nothing_is_written_after_the_end(loaded, scenes):
    found = loaded.model.search(pixels_of(loaded, scenes))
    lengths = found.lengths.numpy()
    assert found.ids.shape == (NUM, TINY.beam, TINY.max_words)
    assert 0 < lengths[:, 0].min() < lengths.max() <= TINY.max_words
    after = np.arange(TINY.max_words) >= lengths[..., None]
    assert (found.ids.numpy()[after] == text.END_ID).all()
    assert (found.ids.numpy()[~after] > text.END_ID).all()


def test_what_means_nothing_is_never_written(loaded, scenes, bias):
    specials = [text.PADDING_ID, text.UNKNOWN_ID, text.START_ID]
    pixels = pixels_of(loaded, scenes)
    before = loaded.model.search(pixels)
    bias(specials, 1e4)
    found = loaded.model.search(pixels)
    assert not np.isin(found.ids, specials).any()
    np.testing.assert_array_equal(found.ids, before.ids)
    step, state = loaded.model._steps(pixels)
    drawn = decoding.sample(step, state, NUM, loaded.model._limits(), [0, 0])
    assert not np.isin(drawn.ids, specials).any()


# Models of features


def test_names_of_a_features_file(ask, of_features):
    model = predictor.load(str(of_features))
    assert model.of_content is None
    given = feature_files.load(Path(model.config.features))
    names = ["valid-00003.png", "unknown.png", "train-00000.png"]
    lines, errors = ask(of_features, *names, status=2)
    assert errors == ["error: unknown.png: no features of this name"]
    rows = np.array([given.rows[names[0]], given.rows[names[2]]])
    found = model.of_encoded(tf.constant(given.take(rows)))[0].numpy()
    assert lines == [found[0, 0].decode(), "", found[1, 0].decode()]
    assert lines[0] != lines[2]


def test_another_file_of_features(ask, of_features, tmp_path):
    values = np.random.default_rng(5).normal(size=[2, 4, 6]).astype("f")
    path = write_features(
        tmp_path / "more.npz", names=["new", "é"], values=values
    )
    flags = ["--features", path, "--seed", 3, "--beam", 2, "--n-best", 2]
    lines, _ = ask(of_features, *flags, "é", "new")
    model = predictor.load(str(of_features), beam=2).model
    captions, scores = model.of_images(tf.constant(values[::-1]), 2)
    expected = [x.decode() for x in captions.numpy().ravel()]
    assert scored(lines)[1] == expected
    np.testing.assert_allclose(
        scored(lines)[0], scores.numpy().ravel(), atol=1e-4
    )
    lines, errors = ask(of_features, *flags, "valid-00003.png", status=2)
    assert lines == [""]
    assert errors == ["error: valid-00003.png: no features of this name"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"encoder": {"encoder": "mine"}},
            "of another encoder than those of training: {'encoder': 'mine'},"
            " expected {'encoder': 'of others'",
        ),
        ({"encoder": None}, "of another encoder than those of .*: None, exp"),
        (
            {"values": np.zeros([36, 4, 5], "f")},
            "4 regions of 5 features; the model was trained on 4 of 6",
        ),
        (
            {"values": np.zeros([36, 9, 6], "f")},
            "9 regions of 6 features; the model was trained on 4 of 6",
        ),
        ({"values": np.zeros([36, 1, 6], "f")}, "1 regions of 6 features; the"),
    ],
)
def test_features_that_do_not_fit(ask, of_features, tmp_path, changes, message):
    path = write_features(tmp_path / "other.npz", **changes)
    with pytest.raises(UserError, match=f"--features {path}: {message}"):
        ask(of_features, "--features", path, "valid-00003.png")


def test_features_that_are_not_there(ask, of_features):
    with pytest.raises(UserError, match="gone.npz: cannot read it"):
        ask(of_features, "--features", "gone.npz", "valid-00003.png")


def test_drawing_from_features(ask, of_features):
    flags = ["--sample", "--temperature", 5, *["valid-00003.png"] * 20]
    first, again = (ask(of_features, *flags)[0] for _ in range(2))
    assert first == again
    assert len(set(first)) > 5


def test_a_seed_of_drawing_is_not_one_of_weights(ask, run, scenes, tmp_path):
    """Weights "none" are told by the seed of training."""
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    config = dataclasses.replace(
        TINY,
        data="scenes",
        encoder="MobileNetV2",
        encoder_weights="none",
        features="f.npz",
    )
    features = write_features(
        tmp_path / "f.npz", encoder=encoder.signature(config)
    )
    model = dataclasses.replace(
        predictor.load(str(copy)),
        config=config,
        shape=(4, 6),
        features_of=encoder.signature(config),
    )
    args = predict._parser().parse_intermixed_args(
        ["run", "x", "--features", str(features), "--seed", "9"]
    )
    _, read = predict._reader(model, args)
    assert read("valid-00003.png").shape == (4, 6)


def test_a_run_of_builtin_pictures_takes_no_features(say, tmp_path):
    path = write_features(tmp_path / "f.npz")
    with pytest.raises(UserError, match="learned to see by itself"):
        say("--features", path, "valid-00003.png")


# Plots


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_an_attention_plot_is_a_picture(say, scenes, best, tmp_path):
    path = tmp_path / "plots" / "looks.png"
    lines, errors = say(*scenes[:2], "--attention-plot", path)
    assert (lines, errors) == (best[:2], [])
    assert is_png(path)
    assert list(path.parent.iterdir()) == [path]


def test_looks_are_those_of_the_best_caption(loaded, scenes, best):
    looks = loaded.model.looks(pixels_of(loaded, scenes[:1]))
    assert looks.words == [*best[0].split(), "</s>"]
    regions = loaded.model.feature_shape[0]
    assert looks.weights.shape == (len(looks.words), regions)
    np.testing.assert_allclose(looks.weights.sum(axis=1), 1, atol=1e-5)


def test_an_attention_plot_of_features(ask, of_features, tmp_path):
    path = tmp_path / "looks.png"
    ask(of_features, "valid-00003.png", "--attention-plot", path)
    assert is_png(path)


def test_a_gallery_shows_what_can_be_read(
    say, scenes, best, broken, tmp_path, monkeypatch
):
    shown = []
    draw = plots.gallery

    def gallery(pictures, path):
        shown.extend(pictures)
        draw(pictures, path)

    monkeypatch.setattr(plots, "gallery", gallery)
    path = tmp_path / "gallery" / "all.png"
    images = [*scenes[:4], next(iter(broken)), scenes[4]]
    lines, errors = say(*images, "--gallery", path, status=2)
    assert lines == [*best[:4], "", best[4]]
    assert len(errors) == 1
    assert is_png(path)
    assert [caption for _, caption in shown] == best[:5]
    decoded = tf.io.decode_png(Path(scenes[4]).read_bytes())
    np.testing.assert_array_equal(shown[4][0], decoded)


def test_a_gallery_of_nothing_is_not_written(say, broken, tmp_path):
    path = tmp_path / "gallery.png"
    _, errors = say(*broken, "--gallery", path, status=2)
    assert len(errors) == len(broken)
    assert not path.exists()


def test_a_gallery_needs_pictures(ask, of_features, tmp_path):
    path = tmp_path / "gallery.png"
    with pytest.raises(UserError, match="--gallery needs pictures"):
        ask(of_features, "valid-00003.png", "--gallery", path)


@pytest.mark.parametrize("flag", ["--attention-plot", "--gallery"])
@pytest.mark.parametrize("name", ["plot.docx", "plot", "plot.PNG.txt"])
def test_plots_of_an_unknown_format(say, scenes, tmp_path, flag, name):
    expected = rf"{flag} .*{name}: expected a name ending in .png, .svg or .pdf"
    with pytest.raises(UserError, match=expected):
        say(scenes[0], flag, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_an_attention_plot_of_a_picture_that_is_not_there(say, tmp_path):
    path = tmp_path / "looks.png"
    with pytest.raises(UserError, match="gone.png: No such file or directory"):
        say("gone.png", "--attention-plot", path)
    assert not path.exists()


def test_an_attention_plot_where_there_is_no_attention(
    say, loaded, scenes, monkeypatch
):
    config = dataclasses.replace(TINY, decoder="initial_state")
    model = pipeline.build(config, ["a"], (4, 6))
    monkeypatch.setattr(predict, "model_of", lambda predictor, flag: model)
    with pytest.raises(UserError, match="--attention-plot: this model was tr"):
        say(scenes[0], "--attention-plot", "looks.png")


def test_regions_that_are_no_square(tmp_path):
    looks = pipeline.Looks(["a"], np.full([1, 6], 1 / 6))
    with pytest.raises(UserError, match="-plot: 6 regions are no square"):
        plots.attention(looks, None, tmp_path / "looks.png")


def test_captions_with_dollars_are_no_formulas(tmp_path):
    pixels = np.zeros([4, 9, 3], "f")
    caption = "costs $5 or _{$6} " * 9
    plots.gallery([(pixels, caption)] * 5, tmp_path / "gallery.svg")
    assert (tmp_path / "gallery.svg").read_text().count("costs") > 5


# What is wrong with the command


WRONG = {
    "no images": ([], "give images, or --file FILE"),
    "a plot of a file": (
        ["--file", "list.txt", "--attention-plot", "x.png"],
        "a plot needs images as arguments",
    ),
    "a gallery of a file": (
        ["--file", "list.txt", "--gallery", "x.png"],
        "a plot needs images as arguments",
    ),
    "n-best": (["--n-best", "-1", "x"], "--n-best must be 0 or more, got -1"),
    "temperature": (
        ["--sample", "--temperature", "0", "x"],
        "--temperature must be above 0, got 0.0",
    ),
    "top-k": (
        ["--sample", "--top-k", "-2", "x"],
        "--top-k must be 0 or more, got -2",
    ),
    "top-p": (
        ["--sample", "--top-p", "1.5", "x"],
        "--top-p must be above 0 and at most 1, got 1.5",
    ),
    "no number": (["--beam", "wide", "x"], "argument --beam: invalid int"),
    "unknown": (["--galery", "x"], "unknown argument --galery; did you mean"),
}


@pytest.mark.parametrize(("args", "message"), WRONG.values(), ids=WRONG)
def test_wrong_arguments_are_told(say, args, message):
    lines, errors = say(*args, status=2)
    assert lines == []
    assert len(errors) == 1
    assert errors[0].startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--beam", 0], "--beam must be at least 1, got 0"),
        (["--n-best", 6], "--n-best 6: more than the 5 that are found; use"),
        (["--n-best", 4, "--beam", 3], "--n-best 4: more than the 3 that are"),
        (["--n-best", 2, "--sample"], "--n-best 2: more than the 1 that are"),
        (["--file", "gone.txt"], "gone.txt: No such file"),
        (["--file", "x", "--encoding", "klingon"], "unknown encoding: klingon"),
    ],
)
def test_what_cannot_be_done_is_told(say, scenes, args, message):
    with pytest.raises(UserError, match=message) as caught:
        say(scenes[0], *args)
    assert "\n" not in str(caught.value)


# Folders that cannot be used


def damage(path):
    packed = bytearray(path.read_bytes())
    path.write_bytes(packed[: len(packed) // 2])


BAD_RUNS = {
    "not there": (shutil.rmtree, "run: expected .*; there is nothing"),
    "an empty folder": (
        lambda run: [shutil.rmtree(run), run.mkdir()],
        "run: expected a run folder .*; it is neither",
    ),
    "no epoch yet": (
        lambda run: (run / "model.keras").unlink(),
        "run: no epoch is finished yet",
    ),
    "a model cut short": (
        lambda run: damage(run / "model.keras"),
        r"model.keras: cannot load it \(.*\); train again",
    ),
    "no report": (
        lambda run: (run / "data.json").unlink(),
        r"data.json: cannot read it \(.*\)",
    ),
}


@pytest.mark.parametrize(("spoil", "message"), BAD_RUNS.values(), ids=BAD_RUNS)
def test_a_run_that_cannot_be_used_is_named(run, tmp_path, spoil, message):
    copy = tmp_path / "run"
    shutil.copytree(run, copy)
    spoil(copy)
    with pytest.raises(UserError, match=message) as caught:
        predictor.load(str(copy))
    assert "\n" not in str(caught.value)
