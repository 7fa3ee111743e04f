"""Where images and captions come from: layouts, splits, what is left out."""

import gzip
import json
import os
from typing import NamedTuple

import numpy as np
import pytest
import tensorflow_datasets as tfds

from apps.captioning import datasets
from apps.captioning.datasets import builtin
from apps.captioning.datasets import tfds as tfds_layout
from common.data import skipped
from common.data.skipped import Skipped
from common.errors import UserError

# Enough for a hash to put several into every tenth.
NAMES = [f"{n}.jpg" for n in range(99)]
CAPTIONS = {name: (f"a dog {name}", f"dogs {name}") for name in NAMES}


def write(path, lines):
    """Writes a text file, packed if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(
        gzip.compress(content) if path.suffix == ".gz" else content
    )
    return path


def write_images(folder, names=NAMES):
    """Writes files that only their content tells apart."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(os.fsencode(name))


def tokens(captions):
    return [
        f"{name}#{number}\t{text}"
        for name, texts in captions.items()
        for number, text in enumerate(texts)
    ]


def coco(names=NAMES, first_id=0):
    """Such a file's content, each image with its captions."""
    ids = {name: first_id + number for number, name in enumerate(names)}
    return {
        "info": {"year": 2017},
        "images": [{"id": ids[n], "file_name": n} for n in names],
        "annotations": [
            {"image_id": ids[name], "id": 7, "caption": text}
            for name in names
            for text in CAPTIONS[name]
        ],
    }


def write_json(path, content):
    return write(path, [json.dumps(content)])


def flickr(folder, captions=CAPTIONS, names=NAMES, **lists):
    """Writes a folder; lists by the word in the name of their file."""
    write(folder / "Flickr8k.token.txt", tokens(captions))
    write_images(folder / "images", names)
    for word, listed in lists.items():
        write(folder / f"Flickr_8k.{word}Images.txt", listed)
    return folder


class Read(NamedTuple):
    """The splits of some data, and what was left out."""

    splits: dict
    skipped: Skipped


def read(data, names=None, **options):
    left_out = Skipped()
    splits = datasets.open_splits(str(data), left_out, names=names, **options)
    return Read(splits, left_out)


def captions_of(result):
    """Captions by split and name."""
    return {
        split: {example.name: example.captions for example in examples}
        for split, examples in result.splits.items()
    }


def everything(data, names=None, **options):
    splits = captions_of(read(data, names, **options)).values()
    return {name: texts for split in splits for name, texts in split.items()}


def left_out(data, names=None, **options):
    """The lines about what was left out."""
    report = read(data, names, **options).skipped.report()
    return sorted(skipped.format_report(report))


def refused(data, message, names=None, **options):
    """Reads everything, expecting one line with `message`."""
    with pytest.raises(UserError) as caught:
        read(data, names, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# The builtin data


def test_builtin_has_three_splits(monkeypatch):
    def generate(split, size, seed):
        for n in range(size):
            yield builtin.Scene(f"{split}{n}.png", b"png", (f"seed {seed}",))

    monkeypatch.setattr(builtin, "generate", generate)
    result = read("builtin", num_examples=200, seed=3)
    sizes = {split: len(rows) for split, rows in result.splits.items()}
    assert sizes == {"train": 200, "valid": 20, "test": 20}
    assert result.splits["valid"][1] == ("valid1.png", b"png", ("seed 3",))
    assert result.skipped.report() == {}
    small = read("builtin", num_examples=10).splits
    assert [len(rows) for rows in small.values()] == [10, 10, 10]


# Flickr8k


FILES = {
    "Flickr8k.token.txt": tokens(CAPTIONS),
    "captions.txt": tokens(CAPTIONS),
    "results_20130124.token": tokens(CAPTIONS),
    "mine.token.txt": [
        f"{name}\t{text}" for name, texts in CAPTIONS.items() for text in texts
    ],
}
# As Kaggle has it.
TABLE = ["image,caption"] + [
    f'{name},"{text}"' for name, texts in CAPTIONS.items() for text in texts
]


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize("file", [*FILES, "table"])
def test_captions_in_each_form(tmp_path, file, gz):
    lines = FILES.get(file, TABLE)
    write(tmp_path / f"{file if file in FILES else 'captions.txt'}{gz}", lines)
    write_images(tmp_path / "images")
    result = read(tmp_path)
    assert list(result.splits) == ["train", "valid", "test"]
    assert all(result.splits.values())
    assert len(result.splits["train"]) > 65
    assert everything(tmp_path) == CAPTIONS
    assert result.skipped.report() == {}
    first = result.splits["train"][0]
    assert first.image == str(tmp_path / "images" / first.name)


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize("word", ["dev", "val", "valid", "validation"])
def test_lists_make_the_splits(tmp_path, word, gz):
    lists = {"train": NAMES[9:], word: NAMES[4:9], "test": NAMES[:4]}
    flickr(tmp_path)
    for name, listed in lists.items():
        write(tmp_path / f"Flickr_8k.{name}Images.txt{gz}", listed)
    result = read(tmp_path)
    assert {name: len(rows) for name, rows in result.splits.items()} == {
        "train": 90,
        "valid": 5,
        "test": 4,
    }
    path = str(tmp_path / "images" / "1.jpg")
    assert result.splits["test"][1] == ("1.jpg", path, CAPTIONS["1.jpg"])
    assert result.skipped.report() == {}


@pytest.mark.parametrize("with_test", [False, True])
def test_lists_without_valid_give_it_a_tenth_of_train(tmp_path, with_test):
    lists = {"test": NAMES[:9]} if with_test else {}
    flickr(tmp_path, train=NAMES[9:], **lists)
    splits = captions_of(read(tmp_path))
    assert list(splits) == ["train", *lists, "valid"]
    assert 0 < len(splits["valid"]) < 20
    assert sorted([*splits["train"], *splits["valid"]]) == sorted(NAMES[9:])
    assert list(splits.get("test", [])) == lists.get("test", [])


def test_equal_images_never_stand_on_both_sides(tmp_path):
    copies = {f"copy of {name}": texts for name, texts in CAPTIONS.items()}
    flickr(tmp_path, CAPTIONS | copies)
    for name in NAMES:
        path = tmp_path / "images" / f"copy of {name}"
        path.write_bytes(name.encode())
    splits = captions_of(read(tmp_path))
    assert sum(len(split) for split in splits.values()) == 2 * len(NAMES)
    for split in splits.values():
        assert split
        assert all(f"copy of {n}" in split for n in NAMES if n in split)


@pytest.mark.parametrize(
    "place",
    ["images", "Images", "Flicker8k_Dataset", "Flickr8k_Dataset", ".", "a/b"],
)
def test_images_may_lie_in_several_places(tmp_path, place):
    write(tmp_path / "captions.txt", tokens(CAPTIONS))
    write_images(tmp_path / place)
    result = read(tmp_path)
    first = result.splits["train"][0]
    assert os.path.samefile(first.image, tmp_path / place / first.name)
    assert everything(tmp_path) == CAPTIONS
    assert left_out(tmp_path) == []


def test_the_folder_images_goes_first(tmp_path):
    flickr(tmp_path)
    write_images(tmp_path)
    write_images(tmp_path / "Flicker8k_Dataset")
    first = read(tmp_path).splits["train"][0]
    assert first.image == str(tmp_path / "images" / first.name)


def test_the_usual_file_goes_before_others(tmp_path):
    flickr(tmp_path)
    for name in ("captions.txt", "Flickr8k.lemma.token.txt", "._a.token.txt"):
        write(tmp_path / name, ["no tab"])
    assert everything(tmp_path) == CAPTIONS
    (tmp_path / "Flickr8k.token.txt").unlink()
    refused(tmp_path, "captions.txt:1: no tab")


def test_a_file_beside_its_packed_self_is_read_once(tmp_path):
    write_images(tmp_path / "images")
    write(tmp_path / "a.token", tokens(CAPTIONS))
    write(tmp_path / "a.token.gz", ["no tab"])
    write(tmp_path / "a.trainImages.txt", NAMES)
    write(tmp_path / "a.trainImages.txt.gz", ["gone.jpg"])
    assert everything(tmp_path) == CAPTIONS
    assert left_out(tmp_path) == []


def test_everything_left_out_is_counted_and_named(tmp_path):
    captions = {name: CAPTIONS[name] for name in NAMES[:8]}
    flickr(
        tmp_path,
        captions | {"0.jpg": ("a dog", " "), "7.jpg": ("",)},
        [*NAMES[:3], "4.jpg", "6.jpg", "7.jpg", "odd.PNG"],
        train=["0.jpg", "1.jpg", "0.jpg", "gone.jpg", "3.jpg"],
        dev=["2.jpg", "", "5.jpg", "7.jpg"],
    )
    write(tmp_path / "images" / "Thumbs.db", [])
    assert captions_of(read(tmp_path)) == {
        "train": {"0.jpg": ("a dog",), "1.jpg": CAPTIONS["1.jpg"]},
        "valid": {"2.jpg": CAPTIONS["2.jpg"]},
    }
    assert left_out(tmp_path) == [
        "skipped: 1 (image without a caption): odd.PNG",
        "skipped: 1 (twice in a list): Flickr_8k.trainImages.txt:3",
        "skipped: 2 (caption without an image): 3.jpg, 5.jpg",
        "skipped: 2 (empty caption): Flickr8k.token.txt:2,"
        " Flickr8k.token.txt:15",
        "skipped: 2 (in a list, without a caption): gone.jpg, 7.jpg",
        "skipped: 2 (in no list): 4.jpg, 6.jpg",
    ]


def test_without_lists_the_same_is_counted(tmp_path):
    flickr(tmp_path, names=[*NAMES[2:], "b.jpg", "a.jpg"])
    assert everything(tmp_path).keys() == set(NAMES[2:])
    assert left_out(tmp_path) == [
        "skipped: 2 (caption without an image): 0.jpg, 1.jpg",
        "skipped: 2 (image without a caption): a.jpg, b.jpg",
    ]


def test_odd_lines(tmp_path):
    write_images(
        tmp_path / "images", ["a#1.jpg", "b c.jpg", "d#e", "F.jpg", "f.jpg"]
    )
    lines = [
        "a#1.jpg#0\t A dog , \tbrown\u2028. ",
        "a#1.jpg\ta dog",
        "a#1.jpg#12\ta dog",
        "",
        " \t",
        "b c.jpg #0\tä",
        "d#e\tx#1\tb",
        "F.jpg#0\tlarge",
        "f.jpg#0\tsmall",
    ]
    content = "\ufeff" + "\r\n".join(lines)
    (tmp_path / "captions.txt").write_bytes(content.encode())
    assert everything(tmp_path) == {
        "a#1.jpg": ("A dog , \tbrown\u2028.", "a dog", "a dog"),
        "b c.jpg": ("ä",),
        "d#e": ("x#1\tb",),
        "F.jpg": ("large",),
        "f.jpg": ("small",),
    }
    listed = "\ufeffb c.jpg\r\n\r\nf.jpg \r\n"
    (tmp_path / "my.trainImages.txt").write_bytes(listed.encode())
    assert sorted(everything(tmp_path)) == ["b c.jpg", "f.jpg"]


def test_odd_tables(tmp_path):
    write_images(tmp_path / "images", ["a.jpg", "b.jpg"])
    lines = [
        '\ufeff"Image",number, caption',
        'a.jpg,0,"A dog , ""big"" ."',
        "",
        "b.jpg#0,0, a cat ",
        'b.jpg,1,"a\tcat\r\non two lines"',
        "b.jpg,2,",
    ]
    content = "\r\n".join(lines)
    (tmp_path / "captions.txt").write_bytes(content.encode())
    assert everything(tmp_path) == {
        "a.jpg": ('A dog , "big" .',),
        "b.jpg": ("a cat", "a\tcat\r\non two lines"),
    }
    assert left_out(tmp_path) == ["skipped: 1 (empty caption): captions.txt:7"]


def test_other_encodings(tmp_path):
    write_images(tmp_path / "images", ["ä.jpg"])
    for name, text in (
        ("captions.txt", "ä.jpg\tcafé\n"),
        ("a.trainImages.txt", "ä.jpg\n"),
    ):
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    assert everything(tmp_path, encoding="latin-1") == {"ä.jpg": ("café",)}
    message = "captions.txt:1: byte 0xe4 is not utf-8; pass the file's"
    refused(tmp_path, message)


# COCO


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize("place", ["", "annotations"])
@pytest.mark.parametrize("valid", ["val2017", "val", "dev", "validation"])
def test_coco_splits_by_the_names_of_its_files(tmp_path, place, valid, gz):
    for split, names in {
        "train2017": NAMES[9:],
        valid: NAMES[4:9],
        "testdev2017": NAMES[:4],
    }.items():
        write_json(tmp_path / place / f"captions_{split}.json{gz}", coco(names))
        write_images(tmp_path / "images" / split, names)
    splits = captions_of(read(tmp_path))
    assert splits["train"] == {name: CAPTIONS[name] for name in NAMES[9:]}
    assert splits["valid"] == {name: CAPTIONS[name] for name in NAMES[4:9]}
    assert splits["test"] == {name: CAPTIONS[name] for name in NAMES[:4]}
    assert left_out(tmp_path) == []


@pytest.mark.parametrize(
    "name", ["captions_trainval2014.json", "captions_all.json", "captions.json"]
)
@pytest.mark.parametrize("place", ["images", "images/train2017", "all", "."])
def test_one_coco_file_of_no_split_is_cut_in_three(tmp_path, name, place):
    write_json(tmp_path / name, coco())
    write_images(tmp_path / place)
    splits = captions_of(read(tmp_path))
    assert list(splits) == ["train", "valid", "test"]
    assert all(splits.values())
    assert everything(tmp_path) == CAPTIONS


def test_coco_training_captions_alone_give_valid_a_tenth(tmp_path):
    write_json(tmp_path / "captions_train.json", coco())
    write_images(tmp_path / "train2017")
    splits = captions_of(read(tmp_path))
    assert list(splits) == ["train", "valid"]
    assert 0 < len(splits["valid"]) < 20
    assert everything(tmp_path) == CAPTIONS


def test_coco_captions_of_one_other_split_stay_there(tmp_path):
    write_json(tmp_path / "captions_val2017.json", coco())
    write_images(tmp_path / "val2017")
    assert captions_of(read(tmp_path)) == {"valid": CAPTIONS}


def test_coco_names_of_images_with_folders(tmp_path):
    content = coco(NAMES[:2])
    content["images"][1]["file_name"] = "train2014/1.jpg"
    write_json(tmp_path / "captions_train.json", content)
    write_images(tmp_path / "train2014", NAMES[:2])
    assert everything(tmp_path).keys() == {"0.jpg", "1.jpg"}


def test_what_coco_leaves_out_is_counted_and_named(tmp_path):
    content = coco(NAMES[:4])
    content["images"].append({"id": "x", "file_name": "bare.jpg"})
    content["annotations"][1]["caption"] = " \n"
    content["annotations"].append({"image_id": 70, "caption": "lost"})
    write_json(tmp_path / "captions_train.json", content)
    write_images(tmp_path / "images", [*NAMES[:3], "bare.jpg", "odd.jpg"])
    captions = everything(tmp_path)
    assert captions.keys() == {"0.jpg", "1.jpg", "2.jpg"}
    assert captions["0.jpg"] == CAPTIONS["0.jpg"][:1]
    assert left_out(tmp_path) == [
        "skipped: 1 (empty caption): captions_train.json: annotations[1]",
        "skipped: 2 (caption without an image): captions_train.json:"
        " annotations[8] of image_id 70, 3.jpg",
        "skipped: 2 (image without a caption): bare.jpg, odd.jpg",
    ]


def test_an_image_that_coco_has_twice(tmp_path):
    first = write_json(tmp_path / "captions_train.json", coco(NAMES[:2]))
    second = write_json(tmp_path / "captions_val.json", coco(NAMES[1:3], 10))
    before = "before: expected each image once, in one file"
    message = f"{second}: images[0]: id 10 or 1.jpg is in {first.name} {before}"
    refused(tmp_path, message)
    content = coco(NAMES[:3])
    content["images"][2]["id"] = 1
    write_json(second, content)
    first.unlink()
    message = f"{second}: images[2]: id 1 or 2.jpg is in {second.name} {before}"
    refused(tmp_path, message)
    content["images"][2] = {"id": 2, "file_name": "a/1.jpg"}
    write_json(second, content)
    message = f"{second}: images[2]: id 2 or 1.jpg is in {second.name} {before}"
    refused(tmp_path, message)


def test_ids_of_images_count_within_a_file(tmp_path):
    write_json(tmp_path / "captions_train.json", coco(NAMES[:50]))
    write_json(tmp_path / "captions_val.json", coco(NAMES[50:]))
    write_images(tmp_path / "images")
    assert everything(tmp_path) == CAPTIONS


def test_several_coco_files_for_a_split_or_for_none(tmp_path):
    first = write_json(tmp_path / "captions_train2014.json", coco(NAMES[:2]))
    second = write_json(tmp_path / "captions_train2017.json", coco(NAMES[2:]))
    refused(
        tmp_path,
        f"{second}: {first.name} is of the same split, train: expected one"
        " file for each; move one of them away",
    )
    other = second.rename(tmp_path / "captions_b.json")
    refused(
        tmp_path,
        f"{other}: one of 2 files, but its name tells no split: expected"
        " captions_train*.json, captions_val*.json or captions_test*.json",
    )


IMAGE = {"id": 1, "file_name": "1.jpg"}
BAD_JSON = {
    "cut off": ('{"images": [\n', ":2: not JSON: Expecting value"),
    "empty": ("", ":1: not JSON: Expecting value"),
    "a list": ([], ": expected an object {...}"),
    "instances": (
        {"info": {}, "images": []},
        ': no list "annotations"; expected "images" and "annotations", it has'
        " info, images",
    ),
    "nothing": ({}, ': no list "images"; expected "images" and "annotations"'),
    "no list": ({"images": 3}, ': no list "images"; '),
    "no id": (
        {"images": [{"file_name": "1.jpg"}], "annotations": []},
        ': images[0]: expected "id" with a number or text, got'
        ' {"file_name": "1.jpg"}',
    ),
    "no file_name": (
        {"images": [{"id": 1}], "annotations": []},
        ': images[0]: expected "file_name" with a text, got {"id": 1}',
    ),
    "no object": (
        {"images": [IMAGE, "2.jpg"], "annotations": []},
        ': images[1]: expected "id" with a number or text, got "2.jpg"',
    ),
    "no image_id": (
        {"images": [IMAGE], "annotations": [{"caption": "a dog"}]},
        ': annotations[0]: expected "image_id" with a number or text, got',
    ),
    "no caption": (
        {"images": [IMAGE], "annotations": [{"image_id": 1, "caption": 2}]},
        ': annotations[0]: expected "caption" with a text, got {"image_id": 1',
    ),
}


@pytest.mark.parametrize(
    ("content", "message"), BAD_JSON.values(), ids=BAD_JSON
)
def test_bad_coco_files(tmp_path, content, message):
    path = tmp_path / "captions_train.json"
    if isinstance(content, str):
        path.write_text(content)
    else:
        write_json(path, content)
    refused(tmp_path, f"{path}{message}")


# Features in place of images


def test_with_features_no_image_needs_a_file(tmp_path):
    flickr(tmp_path, names=["1.jpg"], train=NAMES[:3], dev=[*NAMES[3:5], "x"])
    rows = {name: row for row, name in enumerate(["9.jpg", "y", *NAMES[:4]])}
    result = read(tmp_path, rows)
    path = str(tmp_path / "images" / "1.jpg")
    assert [(x.name, x.image) for x in result.splits["train"]] == [
        ("0.jpg", ""),
        ("1.jpg", path),
        ("2.jpg", ""),
    ]
    assert captions_of(result)["valid"] == {"3.jpg": CAPTIONS["3.jpg"]}
    lines = left_out(tmp_path, rows)
    assert lines[0] == "skipped: 1 (features without a caption): y"
    assert lines[1] == "skipped: 1 (in a list, without a caption): x"
    assert lines[2] == "skipped: 1 (without features): 4.jpg"
    assert lines[3].startswith("skipped: 94 (in no list): 5.jpg, 6.jpg")
    assert len(lines) == 4


def test_with_features_alone_the_name_decides_on_the_split(tmp_path):
    write_json(tmp_path / "captions_all.json", coco())
    splits = captions_of(read(tmp_path, NAMES))
    assert list(splits) == ["train", "valid", "test"]
    assert all(splits.values())
    assert everything(tmp_path, NAMES) == CAPTIONS
    assert left_out(tmp_path, NAMES[:-1]) == [
        "skipped: 1 (without features): 98.jpg"
    ]


# Data that cannot be used


def test_a_missing_path():
    refused(
        "gone",
        "--data gone: no such file or folder; expected builtin, tfds:NAME, or"
        " the path of a folder",
    )


def test_a_file_in_place_of_a_folder(tmp_path):
    path = write(tmp_path / "captions.txt", tokens(CAPTIONS))
    refused(
        path,
        f"--data {path}: expected a folder with captions and images, got a"
        " file; pass the folder that it is in",
    )


def test_a_folder_without_anything_usable_says_what_it_holds(tmp_path):
    expected = (
        f"--data {tmp_path}: expected captions.txt or *.token.txt (Flickr8k),"
        " or captions_*.json (COCO), beside the folder images; it holds "
    )
    refused(tmp_path, expected + "nothing: rename these, or pass the folder")
    write_json(tmp_path / "instances_val2017.json", coco())
    write_images(tmp_path / "images", ["1.jpg"])
    refused(tmp_path, expected + "images, instances_val2017.json: rename")


def test_several_files_that_could_be_meant(tmp_path):
    write_images(tmp_path / "images")
    paths = [
        write(tmp_path / name, tokens(CAPTIONS))
        for name in ("a.token", "b.token.txt.gz")
    ]
    refused(
        tmp_path,
        f"{paths[0]}: beside it b.token.txt.gz: expected one file of captions;"
        " move the others away",
    )
    paths[0].unlink()
    for word in ("dev", "val"):
        write(tmp_path / f"a.{word}Images.txt", NAMES)
    message = "a.devImages.txt: beside it a.valImages.txt: expected one file of"
    refused(tmp_path, f"{message} valid images; move the others away")


def test_an_image_in_two_lists(tmp_path):
    flickr(tmp_path, train=NAMES, test=["new.jpg", "5.jpg"])
    refused(
        tmp_path,
        "Flickr_8k.testImages.txt:2: 5.jpg is in Flickr_8k.trainImages.txt"
        " too: expected each image in one list; remove it from one of them",
    )


def test_duplicated_image_names(tmp_path):
    flickr(tmp_path)
    for place in ("a", "b"):
        write_images(tmp_path / "images" / place, ["README", "7.JPG"])
    assert everything(tmp_path) == CAPTIONS
    write_images(tmp_path / "images" / "b", ["7.jpg"])
    images = tmp_path / "images"
    refused(
        tmp_path,
        f"{images / '7.jpg'} and {images / 'b' / '7.jpg'}: duplicated image"
        " names: images are told by the name alone; rename or remove",
    )


def test_names_of_captions_and_images_meet(tmp_path):
    captions = {
        "dog": ["a dog"],  # Without an ending.
        "images/Cat.jpg": ["a cat"],  # With a folder, and a capital.
        "7.webp": ["seven"],  # Since converted.
        "3": ["a text, not a number"],
    }
    flickr(tmp_path, captions, ["dog.jpg", "cat.JPG", "7.png", "0003.jpg"])
    write(tmp_path / "Flickr_8k.trainImages.txt", ["DOG", "images\\Cat.jpg"])
    write(tmp_path / "Flickr_8k.testImages.txt", ["7.png"])
    splits = captions_of(read(tmp_path))
    assert splits["train"] | splits["valid"] == {
        "dog.jpg": ("a dog",),
        "cat.JPG": ("a cat",),
    }
    assert splits["test"] == {"7.png": ("seven",)}
    assert sorted(left_out(tmp_path)) == [
        "skipped: 1 (image without a caption): 0003.jpg",
        "skipped: 1 (in no list): 3",
    ]
    write_images(tmp_path / "images" / "b", ["dog.jpg"])
    with pytest.raises(UserError, match="duplicated image names"):
        read(tmp_path)


@pytest.mark.parametrize(
    "name", ["test.txt", "dev2Images.txt", "Flickr_8k.testing.txt", "val.csv"]
)
def test_lists_whose_names_are_not_understood(tmp_path, name):
    write(flickr(tmp_path) / name, NAMES[:3])
    with pytest.raises(UserError, match=f": {name} would not be read: expec"):
        read(tmp_path)


def test_coco_splits_whose_names_are_not_understood(tmp_path):
    write_images(tmp_path / "images")
    write_json(tmp_path / "annotations" / "captions_eval.json", coco())
    with pytest.raises(UserError, match="a split that is not understood: exp"):
        read(tmp_path)
    write_json(tmp_path / "annotations" / "captions_eval.json", {}).unlink()
    write_json(tmp_path / "annotations" / "captions_val2017.json", coco())
    write_json(tmp_path / "annotations" / "instances_train2017.json", {})
    assert everything(tmp_path) == CAPTIONS
    write(tmp_path / "testing.txt", NAMES[:3])
    with pytest.raises(UserError, match=": testing.txt would not be read"):
        read(tmp_path)


def test_folders_of_splits_without_lists(tmp_path):
    flickr(tmp_path, names=[])
    write_images(tmp_path / "images" / "train", NAMES[:50])
    assert everything(tmp_path).keys() == set(NAMES[:50])
    write_images(tmp_path / "images" / "test", NAMES[50:])
    with pytest.raises(UserError, match="images in test, train, but the capt"):
        read(tmp_path)


def test_ids_of_coco_are_numbers_or_texts(tmp_path):
    content = coco(NAMES[:3])
    content["images"][0]["id"] = 0.0
    content["annotations"][2]["image_id"] = 1.0
    content["annotations"][4]["image_id"] = "2"
    write_json(tmp_path / "captions_train.json", content)
    write_images(tmp_path / "images", NAMES[:3])
    assert everything(tmp_path) == {name: CAPTIONS[name] for name in NAMES[:3]}


def test_linked_folders_of_images_are_read(tmp_path):
    write_images(tmp_path / "elsewhere")
    write_json(tmp_path / "data" / "captions_train.json", coco())
    (tmp_path / "data" / "images").mkdir()
    link = tmp_path / "data" / "images" / "train2017"
    link.symlink_to(tmp_path / "elsewhere")
    assert everything(tmp_path / "data") == CAPTIONS


def test_no_caption_of_an_image_that_is_there(tmp_path):
    flickr(tmp_path, names=["a.jpg"])
    missing = ", ".join(NAMES[:5])
    refused(
        tmp_path,
        f"--data {tmp_path}: no caption is of an image that can be used;"
        f" skipped: 99 (caption without an image): {missing}, ...; skipped: 1"
        " (image without a caption): a.jpg",
    )
    refused(tmp_path, "(features without a caption): no", names=["no"])


def test_an_image_that_cannot_be_read_to_find_its_split(tmp_path):
    flickr(tmp_path, names=NAMES[1:])
    path = tmp_path / "images" / "0.jpg"
    path.symlink_to("gone")
    refused(tmp_path, f"{path}: No such file or directory")


BAD_FILES = {
    "nothing in it": (
        b"",
        "captions.txt: no captions in it; expected lines of NAME<TAB>caption",
    ),
    "empty captions": (b"a.jpg#0\t\n", "captions.txt: no captions in it"),
    "no tab": (
        b"a.jpg#0\ta dog\n\na.jpg#1 a dog runs\n",
        "captions.txt:3: no tab in 'a.jpg#1 a dog runs'; expected"
        " NAME#0<TAB>caption or NAME<TAB>caption",
    ),
    "no name": (
        b"a.jpg\ta dog\n\ta dog\n",
        "captions.txt:2: expected the name of an image, got none",
    ),
    "only a number": (b"#0\ta dog\n", "captions.txt:1: expected the name of"),
    "no name in a table": (
        b"image,caption\n,a dog\n",
        "captions.txt:2: expected the name of an image, got none",
    ),
    "a comma without quotes": (
        b"image,caption\na.jpg,a dog\na.jpg,a dog , brown\n",
        "captions.txt:3: expected 2 fields (image,caption), got 3: put captions"
        " with commas in double quotes",
    ),
    "a quote without end": (
        b'image,caption\na.jpg,"a dog\n',
        "captions.txt:2: unexpected end of data",
    ),
    "another table": (b"file,text\na.jpg,dog\n", "captions.txt:1: no tab in"),
    "undecodable bytes": (
        b"a.jpg#0\ta dog\na.jpg#1\tcaf\xe9\n",
        "captions.txt:2: byte 0xe9 is not utf-8; pass the file's --encoding",
    ),
}


@pytest.mark.parametrize(
    ("content", "message"), BAD_FILES.values(), ids=BAD_FILES
)
def test_bad_files_are_named_with_line_and_remedy(tmp_path, content, message):
    (tmp_path / "captions.txt").write_bytes(content)
    refused(tmp_path, message)


def test_a_broken_gzip_file(tmp_path):
    path = tmp_path / "captions.txt.gz"
    path.write_bytes(gzip.compress(b"a.jpg\ta dog\n" * 999)[:-9])
    refused(tmp_path, f"{path}: broken gzip file (")


# tensorflow-datasets


KINDS = tfds.features
# As coco_captions has them.
FEATURES = {
    "image": KINDS.Image(encoding_format="jpeg"),
    "image/filename": KINDS.Text(),
    "captions": KINDS.Sequence({"id": np.int64, "text": np.str_}),
    "objects": KINDS.Sequence({"label": KINDS.ClassLabel(num_classes=9)}),
}


def row(file, *texts):
    return {
        "image": file.encode(),
        "image/filename": file,
        "captions": [{"id": 7, "text": text} for text in texts],
        "objects": [{"label": 1}],
    }


class Made(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Any data set; later only its files are there, not its code."""

    VERSION = tfds.core.Version("1.0.0")

    def __init__(self, features, rows, **kwargs):
        self._made = features, rows
        super().__init__(**kwargs)

    def _info(self):
        features = KINDS.FeaturesDict(self._made[0])
        return tfds.core.DatasetInfo(
            builder=self, features=features, disable_shuffling=True
        )

    def _split_generators(self, dl_manager):
        rows = self._made[1]
        return {split: self._generate_examples(rows[split]) for split in rows}

    def _generate_examples(self, rows):
        yield from enumerate(rows)


def prepare(folder, features=FEATURES, **rows):
    """Prepares a data set; returns its own folder."""
    builder = Made(features, rows, data_dir=folder)
    builder.download_and_prepare()
    return folder / "made" / "1.0.0"


def read_tfds(folder, names=None):
    return read("tfds:made", names, tfds_dir=str(folder))


def refused_tfds(folder, message):
    refused("tfds:made", message, tfds_dir=str(folder))


def test_tfds_images_become_files(tmp_path, capsys):
    home = prepare(
        tmp_path,
        train=[row("1.jpg", " a dog\n", "ä dog"), row("2.jpg", "a cat")],
        val=[row("v.jpg", "v"), row("bare.jpg"), row("a/b.jpg", "c", " ")],
        restval=[row("r.jpg", "rest")],
        test=[row("t.jpg", "one"), row("t.jpg", "two")],
        unlabeled=[row("u.jpg", "none")],
    )
    result = read_tfds(tmp_path)
    assert captions_of(result) == {
        "train": {
            "1.jpg": ("a dog", "ä dog"),
            "2.jpg": ("a cat",),
            "r.jpg": ("rest",),
        },
        "valid": {"v.jpg": ("v",), "a-b.jpg": ("c",)},
        "test": {"t.jpg": ("one", "two")},
    }
    for split in result.splits.values():
        for name, image, _ in split:
            with open(image, "rb") as file:
                assert file.read() == name.replace("-", "/").encode()
    assert result.splits["test"][0].image == str(
        home / "images-unpacked" / "test" / "images" / "t.jpg"
    )
    assert skipped.format_report(result.skipped.report()) == [
        "skipped: 1 (image without a caption): bare.jpg"
    ]
    inside = home / tfds_layout.FOLDER
    unpacked_to = [
        f"tfds:made: unpacking the images into {inside / split} (once)"
        for split in ("restval", "test", "train", "val")
    ]
    lines = capsys.readouterr().out.splitlines()
    assert sorted(x for x in lines if "unpacking" in x) == unpacked_to


@pytest.mark.slow
def test_tfds_images_are_unpacked_once(tmp_path, monkeypatch):
    prepare(
        tmp_path, train=[row(name, *texts) for name, texts in CAPTIONS.items()]
    )
    first = read_tfds(tmp_path)
    monkeypatch.setattr(tfds_layout, "_read_rows", None)
    assert read_tfds(tmp_path).splits == first.splits
    assert list(first.splits) == ["train", "valid"]
    assert 0 < len(first.splits["valid"]) < 20
    few = read_tfds(tmp_path, NAMES[:9])
    assert sum(map(len, few.splits.values())) == 9


def test_an_interrupted_unpacking_leaves_nothing(tmp_path, monkeypatch):
    home = prepare(tmp_path, train=[row("1.jpg", "a"), row("2.jpg", "b")])
    rows = tfds_layout._read_rows

    def interrupted(*args):
        yield next(rows(*args))
        raise KeyboardInterrupt

    monkeypatch.setattr(tfds_layout, "_read_rows", interrupted)
    with pytest.raises(KeyboardInterrupt):
        read_tfds(tmp_path)
    assert not (home / tfds_layout.FOLDER).exists()
    monkeypatch.setattr(tfds_layout, "_read_rows", rows)
    sizes = [len(split) for split in read_tfds(tmp_path).splits.values()]
    assert sum(sizes) == 2


@pytest.mark.parametrize(
    ("kind", "value", "encoding", "ending"),
    [
        (KINDS.Text(), "a dog", "png", ".png"),
        (KINDS.Sequence(KINDS.Text()), ["a dog"], "jpeg", ".jpg"),
        (
            KINDS.Sequence({"text": np.str_, "n": np.int64}),
            [{"text": "a dog", "n": 1}],
            None,
            ".jpg",
        ),
    ],
)
def test_tfds_data_of_other_form(tmp_path, kind, value, encoding, ending):
    features = {
        "photo": KINDS.Image(encoding_format=encoding),
        "caption": kind,
        "title": KINDS.Text(),
        "id": np.int64,
    }
    made = {"photo": b"photo", "caption": value, "title": "no", "id": 1}
    prepare(tmp_path, features, train=[made], validation=[made])
    assert captions_of(read_tfds(tmp_path)) == {
        "train": {f"train-0{ending}": ("a dog",)},
        "valid": {f"validation-0{ending}": ("a dog",)},
    }


def test_tfds_data_without_image_or_captions(tmp_path):
    image, text = KINDS.Image(), KINDS.Text()
    made = {"image": b"image", "image/filename": "1.jpg", "a": "a", "b": "b"}
    has = (
        "--data tfds:made: expected an Image feature and one of captions, a"
        " text or a sequence of texts; the data set has "
    )
    for number, features in enumerate(
        [
            {"image": image, "image/filename": text},
            {"a": text},
            {"image": image, "a": text, "b": text},
        ]
    ):
        folder = tmp_path / str(number)
        rows = [{name: made[name] for name in features}]
        prepare(folder, features, train=rows)
        refused_tfds(folder, has + ", ".join(sorted(features)))


def test_tfds_data_without_a_train_split(tmp_path):
    prepare(tmp_path, val=[row("1.jpg", "a")], extra=[row("2.jpg", "b")])
    refused_tfds(
        tmp_path, "--data tfds:made: no train split; it has val, extra"
    )


def test_a_tfds_image_in_two_splits(tmp_path):
    home = prepare(tmp_path, train=[row("1.jpg", "a")], val=[row("1.jpg", "b")])
    inside = home / tfds_layout.FOLDER
    refused_tfds(
        tmp_path,
        f"--data tfds:made: {inside / 'train' / 'images' / '1.jpg'} and"
        f" {inside / 'val' / 'images' / '1.jpg'} have the same name: expected",
    )


# Names


def test_names_of_images_need_not_be_utf8(tmp_path):
    name, other = os.fsdecode(b"m\xe4\xdfig.jpg"), os.fsdecode(b"\xff.jpg")
    content = coco(NAMES[:5])
    content["images"][3]["file_name"] = name
    content["images"][4]["file_name"] = "half\ud83d.jpg"
    content["annotations"][0]["caption"] = "so \ud83d good"
    write_json(tmp_path / "captions_train.json", content)
    write_images(tmp_path / "images", [*NAMES[:3], name, other])
    captions = everything(tmp_path)
    assert captions.keys() == {*NAMES[:3], name}
    assert captions["0.jpg"][0] == "so ? good"
    assert left_out(tmp_path) == [
        r"skipped: 1 (caption without an image): half\ud83d.jpg",
        r"skipped: 1 (image without a caption): \udcff.jpg",
    ]


def test_a_pipe_among_the_images_is_named(tmp_path):
    flickr(tmp_path, names=NAMES[1:])
    path = tmp_path / "images" / NAMES[0]
    os.mkfifo(path)
    refused(tmp_path, f"{path}: a device or a pipe, not a file")
