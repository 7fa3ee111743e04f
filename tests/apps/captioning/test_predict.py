"""The command predict: pictures, features, beams, sampling and plots."""

import dataclasses
import functools
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from apps.captioning import config as captioning_config
from apps.captioning import pipeline, predict, predictor, text
from common.data import feature_files
from common.decoding import sampling as decoding
from common.decoding.sampling import Sampling
from common.errors import UserError
from tests.support.captioning import (
    NUM_SCENES,
    TINY,
    open_predictor,
    scene_contents,
    write_features,
)
from tests.support.images import (
    ANIMATED_GIF,
    CLEAR_PALETTE_PNG,
    CMYK_JPEG,
    JPEG,
    NOISE,
    bmp,
    grey_png,
)

# A run and its export are traced: half a minute.
pytestmark = pytest.mark.slow

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


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Picture files, each another one."""
    folder = tmp_path_factory.mktemp("scenes")
    paths = []
    for number, content in enumerate(scene_contents()):
        paths.append(str(folder / f"{number}.png"))
        Path(paths[-1]).write_bytes(content)
    return paths


@pytest.fixture(scope="module")
def pixels(loaded):
    return loaded.model.decode_pictures(tf.constant(scene_contents()))[0]


@pytest.fixture(scope="module")
def n_best(loaded):
    """The captions of each scene."""
    return loaded.predict_bytes(scene_contents())


@pytest.fixture(scope="module")
def best(n_best):
    return [captions[0].text for captions in n_best]


@pytest.fixture
def say(ask, pictures_run):
    """Asks the run of pictures: (lines, errors)."""
    return functools.partial(ask, pictures_run)


@pytest.fixture
def say_error(ask_error, pictures_run):
    return functools.partial(ask_error, pictures_run)


def scored(lines):
    """Scores and captions of lines that --n-best printed."""
    rows = [line.split("\t") for line in lines]
    return [float(score) for score, _ in rows], [caption for _, caption in rows]


# Pictures


def test_captions_come_in_the_order_of_the_pictures(say, scenes, best):
    assert len(set(best)) > 8
    assert say(*scenes) == (best, [])
    assert say(*reversed(scenes)) == (best[::-1], [])


def test_names_stand_before_captions_of_more_than_one_picture(
    ask, pictures_run, scenes, best, tmp_path
):
    ask(pictures_run, scenes[0])
    assert ask.names == [""]
    ask(pictures_run, *scenes[:2])
    assert ask.names == scenes[:2]
    ask(pictures_run, "--file", "-", stdin=scenes[0].encode())
    assert ask.names == scenes[:1]
    for name, scene in (("10.png", 0), ("2.PNG", 1), ("b/1.png", 2)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(scenes[scene], tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    answer = ask(pictures_run, tmp_path, scenes[3])
    assert answer == ([best[1], best[0], best[2], best[3]], [])
    names = [str(tmp_path / name) for name in ("2.PNG", "10.png", "b/1.png")]
    assert ask.names == [*names, scenes[3]]
    ask(pictures_run, tmp_path / "b")
    assert ask.names == names[2:]


def test_captions_are_the_same_alone_and_in_a_batch(loaded, n_best):
    contents = scene_contents()
    for number in range(0, NUM_SCENES, 10):
        (alone,) = loaded.predict_bytes([contents[number]])
        together = n_best[number]
        assert [x.text for x in alone] == [x.text for x in together]
        scores = [x.score for x in together]
        assert [x.score for x in alone] == pytest.approx(scores, rel=1e-3)


def test_every_format_has_a_caption(say, loaded, tmp_path):
    for name, content in PICTURES.items():
        (tmp_path / name).write_bytes(content)
    lines, errors = say(*(tmp_path / name for name in PICTURES))
    assert all(note.startswith("note: input ") for note in errors)
    answers = loaded.predict_bytes(PICTURES.values())
    assert lines == [captions[0].text for captions in answers]
    assert len(set(lines)) > 1
    # They are different pictures to the model, but for the same one twice.
    scores = [captions[0].score for captions in answers]
    assert scores[-1] == pytest.approx(scores[-2], rel=1e-5)
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
        "text.jpg": "text, not a picture",
        "empty.png": "empty file",
        "folder.png": "no picture in this folder",
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


def test_nothing_that_can_be_read(say, broken, tmp_path):
    path = tmp_path / "gallery.png"
    lines, errors = say(*broken, "--n-best", 2, "--gallery", path, status=2)
    assert lines == [""] * len(broken)
    assert len(errors) == len(broken)
    assert not path.exists()


# Lists of pictures


def test_a_file_has_one_picture_a_line(say, scenes, best, tmp_path):
    path = tmp_path / "list.txt"
    listed = "\r\n".join(["\ufeff" + scenes[1], "", *scenes[2:4]])
    path.write_bytes(listed.encode())
    lines, errors = say(scenes[0], "--file", path, status=2)
    assert lines == [*best[:2], "", *best[2:4]]
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert errors[0].endswith(": a folder, not a file")


def test_standard_input_is_a_list_too(say, scenes, best):
    listed = "\n".join(scenes).encode()
    assert say("--file", "-", stdin=listed) == (best, [])


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
    for start, expected in zip((0, 4), n_best, strict=False):
        scores, captions = scored(lines[start : start + 4])
        assert captions == [x.text for x in expected[:4]]
        assert len(set(captions)) == 4
        assert scores == sorted(scores, reverse=True)
        rounded = [x.score for x in expected[:4]]
        assert scores == pytest.approx(rounded, abs=1e-4)


@pytest.fixture(scope="module")
def greedy(loaded, pixels):
    """The likeliest word at each step, and the captions' probabilities."""
    model = loaded.model
    memory, state = model.network.encode(pixels)
    step = model.make_step(memory)
    decoded = decoding.greedy(step, state, NUM_SCENES, model._limits())
    captions = [x.decode() for x in model.writer(decoded.ids).numpy()]
    lengths = decoded.lengths.numpy() + 1
    return captions, decoded.scores.numpy() / ((5 + lengths) / 6)


def test_a_beam_of_one_is_greedy(say, scenes, best, greedy):
    captions, expected = greedy
    lines, _ = say("--beam", 1, "--n-best", 1, *scenes)
    scores, printed = scored(lines)
    assert printed == captions != best
    np.testing.assert_allclose(scores, expected, atol=2e-4)


def test_a_wider_beam_finds_likelier_captions(say, scenes, n_best):
    lines, _ = say("--beam", 9, "--n-best", 9, *scenes)
    scores, captions = scored(lines)
    assert len(set(captions[:9])) == 9
    before = [captions[0].score for captions in n_best]
    assert np.mean(scores[::9]) > np.mean(before) - 1e-4


# Sampling


def test_samples_are_repeated_by_their_seed(say, scenes):
    first, again, other = (
        say("--sample", "--seed", seed, "--n-best", 1, *scenes)[0]
        for seed in (1, 1, 2)
    )
    assert first == again
    differing = sum(x != y for x, y in zip(first, other, strict=True))
    assert differing > NUM_SCENES // 4


def test_samples_of_the_likeliest_only_are_greedy(say, scenes, greedy):
    assert say("--sample", "--top-k", 1, *scenes)[0] == greedy[0]
    assert say("--sample", "--top-p", 1e-6, *scenes)[0] == greedy[0]
    assert say("--sample", "--temperature", 1e-4, *scenes)[0] == greedy[0]


def test_the_options_of_sampling_are_handed_on(
    say, scenes, loaded, monkeypatch
):
    handed_on = []

    def load(path, beam, sampling):
        handed_on.append((beam, sampling))
        return loaded

    monkeypatch.setattr(predict, "load", load)
    options = {"--temperature": 0.5, "--top-k": 3, "--top-p": 0.9, "--seed": 8}
    flags = [x for pair in options.items() for x in pair]
    say("--sample", *flags, scenes[0])
    say(*flags, scenes[0])
    assert handed_on == [(None, Sampling(8, 0.5, 3, 0.9)), (None, None)]


def test_a_sample_of_what_cannot_be_read_is_empty(say, scenes, broken):
    lines, errors = say(
        "--sample", "--seed", 1, next(iter(broken)), scenes[0], status=2
    )
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
    for flags in ([], ["--sample", "--seed", 1]):
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
    sampled, _ = say("--sample", "--seed", 1, *scenes[:3])
    assert sampled == [""] * 3


def test_nothing_is_written_after_the_end_and_no_special_id(
    loaded, pixels, bias
):
    search = tf.function(lambda pixels: loaded.model.search(pixels))
    decoded = search(pixels)
    lengths = decoded.lengths.numpy()
    assert decoded.ids.shape == (NUM_SCENES, TINY.beam, TINY.max_words)
    assert 0 < lengths[:, 0].min() < lengths.max() <= TINY.max_words
    after = np.arange(TINY.max_words) >= lengths[..., None]
    assert (decoded.ids.numpy()[after] == text.END_ID).all()
    assert (decoded.ids.numpy()[~after] > text.END_ID).all()
    # Not even ids that the model finds likely.
    specials = [text.PADDING_ID, text.UNKNOWN_ID, text.START_ID]
    bias(specials, 1e4)
    np.testing.assert_array_equal(search(pixels).ids, decoded.ids)
    sampled = loaded.model.sample(pixels, Sampling())
    assert not np.isin(sampled.ids, specials).any()


# Models of features


def test_names_of_a_features_file(ask, features_run):
    predictor = open_predictor(str(features_run))
    assert predictor.predict_fns.keys() == {"features"}
    stored = feature_files.load(Path(predictor.config.features))
    names = ["valid-00003.png", "unknown.png", "train-00000.png"]
    lines, errors = ask(features_run, *names, status=2)
    assert errors == ["error: unknown.png: no features of this name"]
    rows = np.array([stored.rows[names[0]], stored.rows[names[2]]])
    answers = predictor.predict_features(stored.take(rows))
    assert lines == [answers[0][0].text, "", answers[1][0].text]
    assert lines[0] != lines[2]


def test_another_file_of_features(ask, features_run, tmp_path):
    values = np.random.default_rng(5).normal(size=[2, 4, 6]).astype("f")
    path = write_features(
        tmp_path / "more.npz", names=["new", "é"], values=values
    )
    flags = ["--features", path, "--beam", 2, "--n-best", 2]
    lines, _ = ask(features_run, *flags, "é", "new")
    model = open_predictor(str(features_run)).model
    captions, scores = model.caption_images(tf.constant(values[::-1]), 2)
    expected = [x.decode() for x in captions.numpy().ravel()]
    assert scored(lines)[1] == expected
    np.testing.assert_allclose(
        scored(lines)[0], scores.numpy().ravel(), atol=1e-4
    )
    lines, errors = ask(features_run, *flags, "valid-00003.png", status=2)
    assert lines == [""]
    assert errors == ["error: valid-00003.png: no features of this name"]


UNFIT = [
    (
        {"encoder": {"encoder": "mine"}},
        "of another encoder than those of training: {'encoder': 'mine'},"
        " expected {'encoder': 'of others'",
    ),
    ({"encoder": None}, "of another encoder than those of training: None, exp"),
    (
        {"values": np.zeros([36, 4, 5], "f")},
        "4 regions of 5 features; the model was trained on 4 of 6",
    ),
    (
        {"values": np.zeros([36, 9, 6], "f")},
        "9 regions of 6 features; the model was trained on 4 of 6",
    ),
    ({"values": np.zeros([36, 1, 6], "f")}, "1 regions of 6 features; the"),
]


def test_features_that_do_not_fit(ask_error, features_run, tmp_path):
    for changes, message in UNFIT:
        path = write_features(tmp_path / "other.npz", **changes)
        error = ask_error(features_run, "--features", path, "valid-00003.png")
        assert f"--features {path}: {message}" in error
    error = ask_error(features_run, "--features", "gone.npz", "x")
    assert "gone.npz: cannot read it" in error


def test_samples_from_features(ask, features_run):
    flags = ["--sample", "--temperature", 5, *["valid-00003.png"] * 20]
    first, again = (ask(features_run, *flags)[0] for _ in range(2))
    assert first == again
    assert len(set(first)) > 5


def test_a_seed_of_sampling_is_not_one_of_weights(
    features_run, tmp_path, monkeypatch
):
    """Weights "none" are told by the seed of training."""
    signature = {"encoder": "TinyNet", "weights": "none, seed 0"}
    path = write_features(tmp_path / "f.npz", encoder=signature)
    loaded = open_predictor(str(features_run))
    args = captioning_config.predict_parser().parse_intermixed_args(
        ["run", "x", "--features", str(path), "--seed", "9"]
    )
    trained = dataclasses.replace(loaded, encoder=signature)
    _, read = predict.choose_input(trained, args.features)
    assert read("valid-00003.png").shape == (4, 6)


def test_a_model_of_pictures_alone_takes_no_features(loaded):
    learned = dataclasses.replace(loaded, encoder=None)
    with pytest.raises(UserError, match="learned to see by itself"):
        learned.open_features("f.npz")
    fns = {"image_bytes": loaded.predict_fns["image_bytes"]}
    exported = dataclasses.replace(loaded, predict_fns=fns, model=None)
    with pytest.raises(UserError, match="this export answers to pictures only"):
        exported.open_features("f.npz")


# Plots


def is_png(path):
    return path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


def test_an_attention_plot_is_a_picture(say, scenes, best, tmp_path):
    path = tmp_path / "plots" / "maps.png"
    lines, errors = say(*scenes[:2], "--attention-plot", path)
    assert (lines, errors) == (best[:2], [])
    assert is_png(path)
    assert list(path.parent.iterdir()) == [path]


def test_attention_maps_are_those_of_the_best_caption(loaded, pixels, best):
    maps = loaded.model.attention_maps(pixels[:1])
    assert maps.words == [*best[0].split(), "</s>"]
    regions = loaded.model.feature_shape[0]
    assert maps.weights.shape == (len(maps.words), regions)
    np.testing.assert_allclose(maps.weights.sum(axis=1), 1, atol=1e-5)


def test_an_attention_plot_of_features(ask, features_run, tmp_path):
    path = tmp_path / "maps.png"
    ask(features_run, "valid-00003.png", "--attention-plot", path)
    assert is_png(path)


def test_a_gallery_shows_what_can_be_read(
    say, scenes, best, broken, tmp_path, monkeypatch
):
    shown = []
    draw = predict.plot_gallery

    def plot_gallery(pictures, path):
        shown.extend(pictures)
        draw(pictures, path)

    monkeypatch.setattr(predict, "plot_gallery", plot_gallery)
    path = tmp_path / "gallery" / "all.png"
    images = [*scenes[:4], next(iter(broken)), scenes[4]]
    lines, errors = say(*images, "--gallery", path, status=2)
    assert lines == [*best[:4], "", best[4]]
    assert len(errors) == 1
    assert is_png(path)
    assert [caption for _, caption in shown] == best[:5]
    decoded = tf.io.decode_png(Path(scenes[4]).read_bytes())
    np.testing.assert_array_equal(shown[4][0], decoded)


def test_a_gallery_needs_pictures(ask_error, features_run):
    error = ask_error(features_run, "valid-00003.png", "--gallery", "g.png")
    assert "--gallery needs pictures: features cannot be shown" in error


def test_plots_of_an_unknown_format(say, scenes, tmp_path):
    expected = "expected a name ending in .png, .svg or .pdf"
    for flag in ("--attention-plot", "--gallery"):
        for name in ("plot.docx", "plot", "plot.PNG.txt"):
            path = tmp_path / name
            _, (error,) = say(scenes[0], flag, path, status=2)
            assert error == f"error: {flag} {path}: {expected}"
    assert list(tmp_path.iterdir()) == []


def test_an_attention_plot_that_cannot_be(
    say_error, loaded, scenes, tmp_path, monkeypatch
):
    flags = ["--attention-plot", tmp_path / "maps.png"]
    error = say_error("gone.png", *flags)
    assert "gone.png: No such file or directory" in error
    config = dataclasses.replace(TINY, decoder="initial_state")
    model = pipeline.build(config, ["a"], (4, 6))
    without = dataclasses.replace(loaded, model=model)
    monkeypatch.setattr(predict, "load", lambda *args: without)
    error = say_error(scenes[0], *flags)
    assert "--attention-plot: this model was trained without attention" in error
    assert list(tmp_path.iterdir()) == []
    maps = pipeline.AttentionMaps(["a"], np.full([1, 6], 1 / 6))
    with pytest.raises(UserError, match="-plot: 6 regions are no square"):
        predict.plot_attention(maps, None, tmp_path / "maps.png")


def test_captions_with_dollars_are_no_formulas(tmp_path):
    pixels = np.zeros([4, 9, 3], "f")
    caption = "costs $5 or _{$6} " * 9
    predict.plot_gallery([(pixels, caption)] * 5, tmp_path / "gallery.svg")
    assert (tmp_path / "gallery.svg").read_text().count("costs") > 5


# Wrong commands


WRONG = [
    ([], "give images, or --file FILE"),
    (
        ["--file", "list.txt", "--attention-plot", "x.png"],
        "a plot needs images as arguments",
    ),
    (
        ["--file", "list.txt", "--gallery", "x.png"],
        "a plot needs images as arguments",
    ),
    (["--n-best", "-1", "x"], "--n-best must be at least 0, got -1"),
    (
        ["--sample", "--temperature", "0", "x"],
        "--temperature must be greater than 0, got 0.0",
    ),
    (["--sample", "--top-k", "-2", "x"], "--top-k must be at least 0, got -2"),
    (
        ["--sample", "--top-p", "1.5", "x"],
        "--top-p must be above 0 and at most 1, got 1.5",
    ),
    (["--beam", "wide", "x"], "argument --beam: invalid int"),
    (["--galery", "x"], "unknown argument --galery; did you mean"),
    (["--beam", 0, "x"], "--beam must be at least 1, got 0"),
    (["--n-best", 6, "x"], "--n-best 6: more than the 5 that are found; use"),
    (
        ["--n-best", 4, "--beam", 1, "x"],
        "--n-best 4: more than the 1 that are found",
    ),
    (
        ["--n-best", 2, "--sample", "x"],
        "--n-best 2: more than the 1 that are found",
    ),
]


def test_wrong_commands_are_told_in_one_line(say_error):
    for args, message in WRONG:
        assert say_error(*args).startswith(f"error: {message}")
    error = say_error("--file", __file__, "--encoding", "klingon")
    assert "unknown encoding: klingon" in error


def test_a_run_without_its_report_is_named(pictures_run, tmp_path):
    shutil.copytree(pictures_run, tmp_path / "run")
    (tmp_path / "run" / "data.json").unlink()
    with pytest.raises(UserError, match=r"data.json: cannot read it \(.*\)"):
        predictor.load(str(tmp_path / "run"))


def test_pictures_that_lose_much_on_the_way_are_noted(tmp_path):
    model = predictor.Predictor(captioning_config.Config(image_size=64), {})
    notes = {
        (64, 64): "",
        (200, 600): "",
        (64, 31): "",
        (32, 20): "20 x 32 pixels are few: the model sees 64 x 64",
        (200, 601): "601 x 200 pixels are squeezed to a square",
        (10, 1): "1 x 10 pixels are few: the model sees 64 x 64; 1 x 10 pixels"
        " are squeezed to a square",
    }
    paths = []
    for height, width in notes:
        paths.append(tmp_path / f"{height}.{width}.png")
        paths[-1].write_bytes(grey_png(height, width))
    assert model.describe_inputs(list(map(str, paths))) == list(notes.values())
    # What cannot be read is an error already.
    assert model.describe_inputs([str(tmp_path / "gone.png")]) == [""]
