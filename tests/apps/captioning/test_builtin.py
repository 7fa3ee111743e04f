import collections
import colorsys
import functools
import itertools
import random
import sys

import numpy as np
import pytest
import tensorflow as tf

from apps.captioning.datasets.builtin import (
    KINDS,
    Facts,
    Thing,
    generate,
    owner,
    parse,
    phrases,
    render,
)
from apps.captioning.datasets.builtin import __main__ as writing
from common import cli
from common.errors import UserError
from common.metrics.caption_tokens import tokenize

NUM = {"train": 2000, "valid": 500, "test": 500}
SMALL_BLUE_RING = Thing("small", "blue", "ring")
LARGE_RED_CROSS = Thing("large", "red", "cross")
# The test's own knowledge of colours: degrees around the circle of hues.
HUES = {
    "red": 358,
    "orange": 30,
    "yellow": 52,
    "green": 128,
    "blue": 224,
    "purple": 282,
}
# And of shapes: how much of each sixth of their box they cover.
LOOKS = {
    "circle": "-+##+- +####+ ###### ###### +####+ -+##+-",
    "ring": "-+##+- +#++#+ #+..+# #+..+# +#++#+ -+##+-",
    "square": "###### ###### ###### ###### ###### ######",
    "diamond": "..++.. .+##+. +####+ +####+ .+##+. ..++..",
    "triangle": "..--.. ..++.. .-##-. .+##+. -####- +####+",
    "cross": "..##.. ..##.. ###### ###### ..##.. ..##..",
}
SHARES = {".": 0, "-": 0.25, "+": 0.6, "#": 1}


@functools.cache
def scenes(split):
    return list(generate(split, NUM[split], seed=0))


def every_scene():
    return [scene for split in NUM for scene in scenes(split)]


@functools.cache
def facts_of(split):
    return [parse(scene.captions[0]) for scene in scenes(split)]


def things_of(split):
    return [x for facts in facts_of(split) for x in (facts[0], facts[2])]


def pairs(facts):
    return [(x.colour, x.shape) for x in (facts.first, facts.second)]


def pixels_of(scene):
    return tf.io.decode_png(scene.png).numpy()


# Reading a picture, without the code that drew it.


def chroma(pixels):
    """How far from a lighter or darker ground <float>[height, width]."""
    return np.ptp(pixels - np.median(pixels, axis=(0, 1)), axis=-1)


def covers(pixels):
    """How much of each pixel each of the two things covers.

    The picture is cut where nothing is between them.
    """
    strength = chroma(pixels)
    for axis in (1, 0):
        lines = np.flatnonzero((strength > 45).any(1 - axis))
        gap = np.argmax(np.diff(lines))
        if lines[gap + 1] > lines[gap] + 1:
            before = np.arange(64) < (lines[gap] + lines[gap + 1]) / 2
            before = before[None, :] if axis else before[:, None]
            parts = [strength * before, strength * ~before]
            full = [np.median(part[part > 45]) for part in parts]
            return [
                np.clip(p / f, 0, 1) for p, f in zip(parts, full, strict=True)
            ]
    raise AssertionError("no gap between the things")


def masks(pixels):
    """The pixels of each of the two things."""
    return [cover > 0.5 for cover in covers(pixels)]


def middle(mask):
    """Where a thing is, down and to the right."""
    return np.argwhere(mask).mean(0)


def colour_of(pixels):
    red, green, blue = np.median(pixels, axis=0) / 255
    hue = 360 * colorsys.rgb_to_hsv(red, green, blue)[0]
    return min(HUES, key=lambda c: abs((hue - HUES[c] + 180) % 360 - 180))


def shape_of(cover):
    rows, columns = (np.flatnonzero((cover > 0.5).any(axis)) for axis in (1, 0))
    steps = (np.arange(36) + 0.5) / 36
    places = [(x[0] + steps * len(x)).astype(int) for x in (rows, columns)]
    look = cover[np.ix_(*places)].reshape(6, 6, 6, 6).mean((1, 3)).ravel()

    def distance(shape):
        expected = [SHARES[x] for x in LOOKS[shape].replace(" ", "")]
        return np.square(look - expected).sum()

    return min(LOOKS, key=distance)


def see(pixels):
    """The facts, from nothing but the picture."""
    one, other = covers(pixels)
    down, right = middle(other > 0.5) - middle(one > 0.5)
    relation = "left of" if abs(right) > abs(down) else "above"
    if (right if relation == "left of" else down) < 0:
        one, other = other, one
    first, second = (
        Thing(
            "large" if (cover > 0.5).sum() > 213 else "small",
            colour_of(pixels[cover > 0.5]),
            shape_of(cover),
        )
        for cover in (one, other)
    )
    return Facts(first, relation, second)


@pytest.mark.slow
def test_captions_tell_what_the_picture_shows():
    num_wrong = 0
    sample = scenes("train")[:600] + scenes("test")
    for scene in sample:
        seen, told = see(pixels_of(scene)), parse(scene.captions[0])
        assert seen.relation == told.relation, scene.name
        for ours, theirs in ((seen[0], told[0]), (seen[2], told[2])):
            assert ours[:2] == theirs[:2], scene.name
            num_wrong += ours.shape != theirs.shape
    # Some small crosses look like diamonds to this simple reader.
    assert num_wrong < 0.005 * 2 * len(sample)


def test_things_touch_neither_each_other_nor_the_edge():
    for scene in scenes("valid"):
        strength = chroma(pixels_of(scene))
        strength[1:-1, 1:-1] = 0
        assert strength.max() < 40, scene.name
        masks(pixels_of(scene))  # Fails where there is no gap.


def test_things_lie_clearly_in_one_direction():
    for scene in scenes("valid"):
        one, other = map(middle, masks(pixels_of(scene)))
        less, more = sorted(np.abs(one - other))
        assert less < 0.7 * more, scene.name


def test_the_same_facts_look_different_each_time():
    facts = Facts(SMALL_BLUE_RING, "above", LARGE_RED_CROSS)
    rng = random.Random(0)
    pictures = [render.draw(facts, rng) for _ in range(200)]
    found = [masks(picture) for picture in pictures]
    for thing in (0, 1):
        places = np.array([middle(pair[thing]) for pair in found])
        assert (np.ptp(places, axis=0) > 20).all()
        areas = [pair[thing].sum() for pair in found]
        assert max(areas) > 1.3 * min(areas)
    shades = [p[m[1]].mean() for p, m in zip(pictures, found, strict=True)]
    assert np.ptp(shades) > 10
    assert np.ptp([picture[0, 0].mean() for picture in pictures]) > 20


@pytest.mark.parametrize("relation", phrases.RELATIONS)
def test_each_thing_lies_on_its_half(relation):
    red = SMALL_BLUE_RING._replace(colour="red")
    rng = random.Random(0)

    def places(facts):
        pictures = [render.draw(facts, rng) for _ in range(200)]
        found = [(p, m) for p in pictures for m in masks(p)]
        blue = [middle(m) for p, m in found if colour_of(p[m]) == "blue"]
        assert len(blue) == 200
        return np.array(blue)[:, 1 if relation == "left of" else 0]

    before = places(Facts(SMALL_BLUE_RING, relation, red))
    behind = places(Facts(red, relation, SMALL_BLUE_RING))
    assert max(before) < 32 < min(behind)
    assert np.ptp(before) > 10 < np.ptp(behind)


@pytest.mark.slow
def test_no_two_pictures_are_equal():
    pictures = {scene.png for scene in every_scene()}
    assert len(pictures) == sum(NUM.values())


def test_pictures_are_png_of_64_pixels():
    for scene in scenes("test")[:20]:
        assert scene.png.startswith(b"\x89PNG")
        pixels = pixels_of(scene)
        assert pixels.shape == (64, 64, 3)
        assert pixels.dtype == np.uint8


# What is said.


def test_five_captions_say_the_same_in_other_words():
    for scene in every_scene():
        assert len(set(scene.captions)) == 5
        (facts,) = {parse(caption) for caption in scene.captions}
        assert facts.relation in ("left of", "above")


def test_captions_are_as_the_tokenizer_leaves_them():
    for scene in scenes("valid"):
        for caption in scene.captions:
            assert " ".join(tokenize(caption)) == caption


@pytest.mark.parametrize(
    "caption",
    [
        "a small blue ring above a large red cross",
        "a small blue ring is over a large red cross",
        "the small blue ring is above the large red cross",
        "there is a small blue ring over a large red cross",
        "above the large red cross is a small blue ring",
        "over a large red cross there is a small blue ring",
        "a large red cross with a small blue ring above it",
        "a large red cross has a small blue ring over it",
        "a large red cross below a small blue ring",
        "the large red cross is under the small blue ring",
        "below the small blue ring is a large red cross",
        "a small blue ring has a large red cross below it",
        "A small blue ring with a large red cross under it.",
    ],
)
def test_parse_above_and_below(caption):
    assert parse(caption) == Facts(SMALL_BLUE_RING, "above", LARGE_RED_CROSS)


@pytest.mark.parametrize(
    "caption",
    [
        "a small blue ring left of a large red cross",
        "the small blue ring is to the left of the large red cross",
        "there is a large red cross to the right of a small blue ring",
        "right of the small blue ring is a large red cross",
        "a large red cross with a small blue ring to its left",
        "a small blue ring has a large red cross on its right",
        "There is a large red cross, right of a small blue ring!",
    ],
)
def test_parse_left_and_right(caption):
    assert parse(caption) == Facts(SMALL_BLUE_RING, "left of", LARGE_RED_CROSS)


@pytest.mark.parametrize(
    "caption",
    [
        "",
        "a dog runs on the beach",
        "a small blue ring",
        "a small blue ring is a large red cross",
        "a small blue ring is above a red cross",
        "a small ring is above a large red cross",
        "a small blue is above a large red cross",
        "a blue small ring is above a large red cross",
        "a small pink ring is above a large red cross",
        "a small blue ring is above a large red",
        "a small blue ring is above the large red cross",
        "a small blue ring is left a large red cross",
        "a small blue ring is above a large red cross cross",
        "is a small blue ring is above a large red cross",
        "a large red cross with a small blue ring above",
        "a large red cross with a small blue ring left of",
        "a small blue ring is to its left a large red cross",
    ],
)
def test_parse_refuses_what_is_not_of_the_grammar(caption):
    assert parse(caption) is None


def test_every_changed_word_of_meaning_changes_the_facts():
    groups = (phrases.SIZES, phrases.COLOURS, phrases.SHAPES)
    others = {x: {*group} - {x} for group in groups for x in group}
    num_changed = 0
    for scene in scenes("test")[:50]:
        for caption in scene.captions:
            words = caption.split()
            for place, word in enumerate(words):
                others = [
                    x for g in groups if word in g for x in g if x != word
                ]
                for other in others:
                    wrong = [*words[:place], other, *words[place + 1 :]]
                    facts = parse(" ".join(wrong))
                    assert facts is not None
                    assert facts != parse(caption)
                    num_changed += 1
    assert num_changed == 50 * 5 * 2 * (1 + 5 + 5)


def test_every_lost_word_of_meaning_is_noticed():
    meaning = {*phrases.SIZES, *phrases.COLOURS, *phrases.SHAPES}
    for scene in scenes("test")[:50]:
        for caption in scene.captions:
            words = caption.split()
            for place, word in enumerate(words):
                if word in meaning:
                    rest = words[:place] + words[place + 1 :]
                    assert parse(" ".join(rest)) is None


def test_all_that_can_be_written_is_read_back():
    sides = itertools.permutations([SMALL_BLUE_RING, LARGE_RED_CROSS])
    for (first, second), relation in itertools.product(
        sides, phrases.RELATIONS
    ):
        facts = Facts(first, relation, second)
        written = phrases.captions(facts)
        assert len(set(written)) == 5
        assert {parse(caption) for caption in written} == {facts}


# What is held out.


def test_every_kind_of_thing_meets_some_others_in_each_split():
    for one in KINDS:
        owners = collections.Counter(
            owner(one, other) for other in KINDS if other != one
        )
        assert set(owners) == {"train", "valid", "test"}
        assert owners["train"] >= 25
        assert all(owner(one, x) == owner(x, one) for x in KINDS)


def test_every_scene_is_of_its_split_and_every_kind_occurs():
    for split in NUM:
        seen = set()
        for facts in facts_of(split):
            assert owner(*pairs(facts)) == split
            seen.update(pairs(facts))
        assert seen == set(KINDS)
    assert not set(facts_of("train")) & set(facts_of("test"))


def test_the_things_of_a_scene_differ_by_more_than_size():
    for split in NUM:
        for facts in facts_of(split):
            one, other = pairs(facts)
            assert one != other


def test_every_word_occurs_often_in_train():
    counts = collections.Counter(
        word
        for scene in scenes("train")
        for caption in scene.captions
        for word in tokenize(caption)
    )
    others = {
        word
        for split in ("valid", "test")
        for scene in scenes(split)
        for caption in scene.captions
        for word in tokenize(caption)
    }
    assert others == set(counts)
    assert min(counts.values()) > 500


# What cannot be guessed.


def assert_uniform(values, num_kinds):
    counts = collections.Counter(values)
    expected = counts.total() / num_kinds
    assert len(counts) == num_kinds
    for value, count in counts.items():
        assert abs(count / expected - 1) < 0.15, (value, count, expected)


@pytest.mark.parametrize(("field", "num_kinds"), [(0, 2), (1, 6), (2, 6)])
def test_sizes_colours_and_shapes_are_equally_frequent(field, num_kinds):
    assert_uniform((x[field] for x in things_of("train")), num_kinds)


@pytest.mark.parametrize("split", NUM)
def test_relations_are_equally_frequent(split):
    assert_uniform((facts.relation for facts in facts_of(split)), 2)


def test_relations_do_not_depend_on_sizes():
    assert_uniform(((x[0][0], x[1], x[2][0]) for x in facts_of("train")), 8)


def test_relations_are_told_from_both_sides():
    same = {"over": "above", "under": "below"}
    told = [
        same.get(word, word)
        for scene in scenes("train")
        for caption in scene.captions
        for word in caption.split()
        if word in ("left", "right", "above", "over", "below", "under")
    ]
    counts = collections.Counter(told)
    assert len(told) == 5 * NUM["train"]
    # Of five captions, three say "left of" or "above", two the contrary.
    assert_uniform([x for x in told if x in ("left", "above")], 2)
    assert 0.35 < (counts["right"] + counts["below"]) / len(told) < 0.45


@pytest.mark.parametrize("split", NUM)
def test_one_guess_for_all_pictures_is_hardly_ever_right(split):
    ((_, count),) = collections.Counter(facts_of(split)).most_common(1)
    assert count / NUM[split] < 0.05


# The same for the same arguments.


@pytest.mark.parametrize("split", NUM)
def test_fewer_scenes_are_the_first_of_more(split):
    assert list(generate(split, 20, seed=0)) == scenes(split)[:20]


def test_another_seed_gives_other_scenes():
    for one, other in zip(
        generate("train", 10, seed=1), scenes("train"), strict=False
    ):
        assert one.name == other.name
        assert one.png != other.png
    assert [x.captions for x in generate("train", 10, seed=1)] != [
        x.captions for x in scenes("train")[:10]
    ]


def test_names_are_numbered():
    names = [scene.name for scene in scenes("valid")]
    assert (names[0], names[12]) == ("valid-00000.png", "valid-00012.png")
    assert len(set(names)) == len(names)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split must be one of .*'dev'"):
        next(generate("dev", 1, seed=0))


# The command.


@pytest.mark.slow
def test_the_command_writes_a_folder_as_flickr8k(command, monkeypatch):
    # Another process with other hashes makes the same scenes.
    monkeypatch.setenv("PYTHONHASHSEED", "1")
    done = command(
        "apps.captioning.datasets.builtin", "scenes", "--num", 3, "--seed", 5
    )
    assert done.stdout.startswith("scenes: 3 scenes each")
    folder = command.folder / "scenes"
    assert {path.name for path in folder.iterdir()} == {
        "images",
        "Flickr8k.token.txt",
        "Flickr_8k.trainImages.txt",
        "Flickr_8k.devImages.txt",
        "Flickr_8k.testImages.txt",
    }
    expected = {split: list(generate(split, 3, seed=5)) for split in NUM}
    for split, name in zip(NUM, ("train", "dev", "test"), strict=True):
        text = (folder / f"Flickr_8k.{name}Images.txt").read_text()
        assert text == "".join(f"{x.name}\n" for x in expected[split])
    everything = [x for split in NUM for x in expected[split]]
    for scene in everything:
        assert (folder / "images" / scene.name).read_bytes() == scene.png
    assert len(list((folder / "images").iterdir())) == 9
    lines = (folder / "Flickr8k.token.txt").read_text().splitlines()
    assert lines == [
        f"{scene.name}#{number}\t{scene.captions[number]}"
        for scene in everything
        for number in range(5)
    ]


@pytest.fixture
def error_of(monkeypatch, capsys):
    """The one line that wrong arguments print."""

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["scenes", *map(str, args)])
        with pytest.raises(SystemExit) as stopped:
            cli.main(writing.main)
        assert stopped.value.code == 2
        (line,) = capsys.readouterr().err.splitlines()
        return line

    return run


def test_a_folder_that_exists_is_kept(error_of, tmp_path):
    assert error_of(tmp_path) == (
        f"error: {tmp_path}: exists already; expected the name of a new"
        " folder: choose another, or remove it"
    )
    assert list(tmp_path.iterdir()) == []


def test_no_scenes_are_refused(error_of, tmp_path):
    line = error_of(tmp_path / "new", "--num", 0)
    assert line == "error: --num must be at least 1, got 0 (see --help)"
    line = error_of(tmp_path / "new", "--seed", -1)
    assert line == "error: --seed must be at least 0, got -1 (see --help)"
    assert "invalid int value: 'x'" in error_of("new", "--num", "x")
    assert "did you mean --num?" in error_of("new", "--nums", "3")


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*args):
        yield from generate(*args)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "generate", full)
    with pytest.raises(UserError, match="No space left on device"):
        writing.write(tmp_path / "new", 2, 0)
    assert list(tmp_path.iterdir()) == []
