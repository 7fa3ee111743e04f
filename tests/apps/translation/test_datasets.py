import gzip
import os
import zipfile

import pytest
import tensorflow as tf
import tensorflow_datasets as tfds

from apps.translation import datasets
from apps.translation.datasets import builtin
from common.errors import UserError

# Enough for a hash to put several into every tenth.
GERMAN = [f"Satz {n}" for n in range(99)]
ENGLISH = [f"sentence {n}" for n in range(99)]
COUPLES = list(zip(GERMAN, ENGLISH, strict=True))
TABBED = [f"{german}\t{english}" for german, english in COUPLES]


def write(path, lines):
    """Writes a text file, packed if its name says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = "".join(f"{line}\n" for line in lines).encode()
    path.write_bytes(
        gzip.compress(content) if path.suffix == ".gz" else content
    )
    return path


def write_zip(path, **texts):
    """Writes a zip file of `name=lines`; the names end in `_txt` and so on."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, lines in texts.items():
            content = "".join(f"{line}\n" for line in lines)
            archive.writestr(".".join(name.rsplit("_", 1)), content)
    return path


def write_parallel(folder, stem="train", couples=COUPLES, gz=""):
    for column, language in enumerate(("de", "en")):
        lines = [couple[column] for couple in couples]
        write(folder / f"{stem}.{language}{gz}", lines)
    return folder


def couples(stream):
    return [(pair.source, pair.target) for pair in stream]


def opened(data, **options):
    splits = datasets.open_splits(str(data), **options)
    return {name: couples(stream) for name, stream in splits.items()}


def everything(data, **options):
    return sorted(sum(opened(data, **options).values(), []))


def languages(data, **options):
    return datasets.languages(str(data), **options)


def turned(rows):
    return [(second, first) for first, second in rows]


# The builtin data


def test_builtin_has_three_splits_in_the_chosen_direction():
    splits = opened("builtin", num_examples=200, seed=3)
    assert {name: len(rows) for name, rows in splits.items()} == {
        "train": 200,
        "valid": 20,
        "test": 20,
    }
    assert splits["train"] == list(builtin.generate("train", 200, 3))
    back = opened("builtin", num_examples=200, seed=3, reverse=True)
    assert back == {name: turned(rows) for name, rows in splits.items()}


def test_builtin_knows_its_languages():
    assert languages("builtin") == ("en", "fr")
    assert languages("builtin", reverse=True) == ("fr", "en")
    assert languages("builtin", source="fr") == ("fr", "en")
    message = "--target de: --data builtin has en, fr: pass one of these"
    with pytest.raises(UserError, match=message):
        languages("builtin", target="de")


# Parallel files


@pytest.mark.parametrize("gz", ["", ".gz"])
@pytest.mark.parametrize("name", ["valid", "validation", "dev", "val"])
def test_parallel_files_keep_their_splits(tmp_path, name, gz):
    write_parallel(tmp_path, gz=gz)
    write_parallel(tmp_path, name, [("gut", "good")])
    write_parallel(tmp_path, "test", [("matt", "dull")], gz)
    assert opened(tmp_path, source="de", target="en") == {
        "train": COUPLES,
        "valid": [("gut", "good")],
        "test": [("matt", "dull")],
    }


def test_parallel_files_without_valid_give_it_a_tenth(tmp_path):
    splits = opened(write_parallel(tmp_path), source="de", target="en")
    assert list(splits) == ["train", "valid"]
    assert 0 < len(splits["valid"]) < 20
    assert sorted(sum(splits.values(), [])) == sorted(COUPLES)


def test_equal_sources_never_stand_on_both_sides(tmp_path):
    twice = [*COUPLES, *((german, "other") for german in GERMAN)]
    splits = opened(write_parallel(tmp_path, couples=twice), source="de")
    train, valid = ({german for german, _ in s} for s in splits.values())
    assert not train & valid
    assert len(splits["valid"]) % 2 == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"source": "de", "target": "en"}, ("de", "en")),
        ({"source": "en", "target": "de"}, ("en", "de")),
        ({"source": "de"}, ("de", "en")),
        ({"target": "de"}, ("en", "de")),
        ({"source": "de", "reverse": True}, ("en", "de")),
    ],
)
def test_parallel_files_in_the_chosen_direction(tmp_path, options, expected):
    write_parallel(tmp_path)
    assert languages(tmp_path, **options) == expected
    rows = COUPLES if expected == ("de", "en") else turned(COUPLES)
    assert everything(tmp_path, **options) == sorted(rows)


def test_a_third_language_and_other_files_do_not_disturb(tmp_path):
    write_parallel(tmp_path)
    write(tmp_path / "train.pt-BR.gz", ["frase"] * 99)
    write(tmp_path / "test.en", ["alone"])
    write(tmp_path / "train.txt", ["no tab"])
    write(tmp_path / "README.md", ["about"])
    options = {"source": "en", "target": "pt-BR"}
    write(tmp_path / "test.pt-BR", ["sozinho"])
    splits = opened(tmp_path, **options)
    assert splits["test"] == [("alone", "sozinho")]
    assert everything(tmp_path, **options)[:2] == [
        ("alone", "sozinho"),
        ("sentence 0", "frase"),
    ]


@pytest.mark.parametrize(
    "name", ["dev2.en", "testing.pt-BR", "dev.en", "test.2016.en", "tests.tsv"]
)
def test_a_split_that_is_not_understood(tmp_path, name):
    write_parallel(tmp_path)
    write(tmp_path / "train.pt-BR", ["frase"] * 99)
    for language in ("en", "pt-BR"):
        write(tmp_path / f"valid.{language}", ["a"])
    write(tmp_path / name, ["a\tb"])
    with pytest.raises(UserError, match=f": {name} would not be read: exp"):
        opened(tmp_path, source="en", target="pt-BR")


def test_places_name_the_source_file_and_the_line(tmp_path):
    write_parallel(tmp_path, gz=".gz")
    write_parallel(tmp_path, "valid", COUPLES[:3])
    splits = datasets.open_splits(str(tmp_path), source="en")
    first = next(iter(splits["train"]))
    assert first == (*COUPLES[0][::-1], f"{tmp_path / 'train.en.gz'}:1")
    assert list(splits["valid"])[2].where == f"{tmp_path / 'valid.en'}:3"


# Both languages in one file


@pytest.mark.parametrize("name", ["a.tsv", "a.txt", "a.TXT", "a.tsv.gz"])
def test_one_file_is_cut_into_three_splits(tmp_path, name):
    path = write(tmp_path / name, TABBED)
    splits = opened(path)
    assert list(splits) == ["train", "valid", "test"]
    assert all(splits.values())
    assert len(splits["train"]) > 65
    assert everything(path) == sorted(COUPLES)
    assert languages(path) == ("source", "target")


def test_one_file_in_the_other_direction(tmp_path):
    path = write(tmp_path / "a.tsv", TABBED)
    assert everything(path, reverse=True) == sorted(turned(COUPLES))
    assert languages(path, reverse=True) == ("source", "target")
    named = {"source": "de", "target": "en"}
    assert everything(path, **named) == sorted(COUPLES)
    assert languages(path, **named) == ("de", "en")
    assert languages(path, **named, reverse=True) == ("en", "de")


def test_further_columns_and_blank_lines_do_not_count(tmp_path):
    lines = ["Los.\tGo.\tCC-BY 2.0 #12\tmore", "", " ", "Hallo\tHi\t"]
    path = write(tmp_path / "a.txt", lines)
    assert everything(path) == [("Hallo", "Hi"), ("Los.", "Go.")]
    places = {
        pair.where
        for stream in datasets.open_splits(str(path)).values()
        for pair in stream
    }
    assert places == {f"{path}:1", f"{path}:4"}


def test_a_folder_of_such_files(tmp_path):
    write(tmp_path / "train.tsv.gz", TABBED)
    write(tmp_path / "dev.txt", ["gut\tgood"])
    write(tmp_path / "test.tsv", ["matt\tdull"])
    assert opened(tmp_path) == {
        "train": COUPLES,
        "valid": [("gut", "good")],
        "test": [("matt", "dull")],
    }
    assert opened(tmp_path, reverse=True)["test"] == [("dull", "matt")]
    assert languages(tmp_path, target="en") == ("source", "en")


def test_a_zip_with_one_text_file(tmp_path):
    path = write_zip(
        tmp_path / "corpus.zip",
        **{"corpus/pairs_txt": TABBED, "corpus/_about_txt": ["no pairs"]},
        **{"__MACOSX/pairs_txt": [], ".hidden_tsv": [], "LICENSE_md": ["x"]},
    )
    assert everything(path) == sorted(COUPLES)
    assert languages(path) == ("source", "target")
    assert languages(path, source="de", target="en") == ("de", "en")
    first = next(iter(datasets.open_splits(str(path))["train"]))
    assert first.where.startswith(f"{path}:")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("spa", "eng")),
        ({"reverse": True}, ("eng", "spa")),
        ({"source": "eng", "target": "spa"}, ("eng", "spa")),
        ({"source": "eng"}, ("eng", "spa")),
        ({"source": "eng", "reverse": True}, ("spa", "eng")),
    ],
)
def test_a_zip_named_by_the_convention(tmp_path, options, expected):
    path = write_zip(tmp_path / "spa-eng.zip", **{"spa-eng/spa_txt": TABBED})
    assert languages(path, **options) == expected
    rows = COUPLES if expected == ("eng", "spa") else turned(COUPLES)
    assert everything(path, **options) == sorted(rows)


def test_a_zip_that_only_looks_like_the_convention(tmp_path):
    path = write_zip(tmp_path / "spa-eng.zip", all_txt=TABBED)
    assert everything(path) == sorted(COUPLES)
    assert languages(path) == ("source", "target")


# Lines


ODD = " a\u2028b\x0bc\x85d\x1ce\rf \u3000"


def test_text_stays_as_it_is_but_for_the_line_end(tmp_path):
    for language in ("de", "en"):
        lines = f"{ODD}\r\n\n{ODD}\r\r\n \n{ODD}"
        (tmp_path / f"test.{language}").write_bytes(lines.encode())
    expected = [ODD, "", ODD + "\r", " ", ODD]
    found = opened(tmp_path, source="de")["test"]
    assert found == [(line, line) for line in expected]
    (tmp_path / "test.tsv").write_bytes(f"{ODD}\t{ODD}\r\n".encode())
    assert opened(tmp_path / "test.tsv")["train"] == [(ODD, ODD)]


def test_empty_sides_are_handed_on(tmp_path):
    rows = [("", "good"), ("gut", ""), ("", "")]
    write_parallel(tmp_path, "test", rows)
    assert opened(tmp_path, source="de")["test"] == rows
    path = write(tmp_path / "a.tsv", ["\tgood", "gut\t", "\t"])
    assert everything(path) == sorted(rows)


def test_other_encodings(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes("café\tcoffee\n".encode("latin-1"))
    assert everything(path, encoding="latin-1") == [("café", "coffee")]
    path.write_bytes("\ufeffcafé\tcoffee\n".encode())
    assert everything(path) == [("café", "coffee")]


def test_pairs_are_read_one_by_one_and_anew_at_each_pass(tmp_path):
    write(tmp_path / "train.tsv", [*TABBED, "no tab"])
    write(tmp_path / "valid.tsv", TABBED)
    stream = datasets.open_splits(str(tmp_path))["train"]
    for _ in range(2):
        assert next(iter(stream)).source == GERMAN[0]
    with pytest.raises(UserError, match="train.tsv:100: no tab"):
        list(stream)


# Data that cannot be used


def refused(data, message, **options):
    """Reads everything, expecting one line with `message`."""
    with pytest.raises(UserError) as caught:
        opened(data, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_path():
    refused(
        "gone.tsv",
        "--data gone.tsv: no such file or folder; expected builtin, tfds:NAME,"
        " or the path of a file or folder",
    )


@pytest.mark.parametrize(
    ("num_source", "num_target"), [(2000, 1999), (1998, 2000), (0, 1), (3, 0)]
)
@pytest.mark.parametrize("gz", ["", ".gz"])
def test_parallel_files_of_different_length(
    tmp_path, num_source, num_target, gz
):
    source = write(tmp_path / f"train.de{gz}", ["gut"] * num_source)
    write(tmp_path / "train.en", ["good"] * num_target)
    refused(
        tmp_path,
        f"{source} has {num_source:,} lines, train.en {num_target:,}: expected"
        " as many, each line the translation of the same line of the other",
        source="de",
    )


def test_parallel_files_of_different_length_are_read_until_one_ends(tmp_path):
    write(tmp_path / "train.de", GERMAN)
    write(tmp_path / "train.en", ENGLISH[:50])
    write_parallel(tmp_path, "valid", COUPLES[:1])
    splits = datasets.open_splits(str(tmp_path), source="de")
    read = iter(splits["train"])
    assert [next(read).target for _ in range(50)] == ENGLISH[:50]
    with pytest.raises(UserError, match="train.de has 99 lines, train.en 50"):
        next(read)


def test_the_same_language_on_both_sides(tmp_path):
    message = "--source de --target de: expected two different languages"
    options = {"source": "de", "target": "de"}
    refused(write_parallel(tmp_path), message, **options)
    refused(write(tmp_path / "a.tsv", TABBED), message, **options)


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_the_same_file_on_both_sides(tmp_path, link):
    path = write(tmp_path / "train.de", GERMAN)
    link(path, tmp_path / "train.en")
    message = f"{path} and train.en are the same file: expected the sentences"
    refused(tmp_path, message, source="de", target="en")


def test_languages_that_are_not_told(tmp_path):
    write_parallel(tmp_path)
    has = f"--data {tmp_path} has de, en"
    refused(tmp_path, f"{has}: pass two of these as --source and --target")
    write(tmp_path / "test.fr", ["bien"])
    message = f"{has}, fr: pass two of these as --source and --target"
    refused(tmp_path, message)
    refused(tmp_path, message, target="en")


def test_unknown_languages(tmp_path):
    write_parallel(tmp_path)
    has = f"--data {tmp_path} has de, en: pass one of these"
    named = {"source": "xx", "target": "yy"}
    # Without any file of the two there is nothing to name.
    write(tmp_path / "valid.de", GERMAN)
    refused(tmp_path, f"--source xx: {has}", **named)
    refused(tmp_path, f"--target yy: {has}", target="yy")
    path = write_zip(tmp_path / "spa-eng.zip", spa_txt=TABBED)
    message = f"--source es: --data {path} has eng, spa: pass one of these"
    refused(path, message, source="es")


def test_a_missing_file_of_a_pair(tmp_path):
    path = write(tmp_path / "train.de", GERMAN)
    add = "add it, or pass another --source or --target"
    message = f"{path}: no train.en or train.en.gz beside it: {add}"
    refused(tmp_path, message, source="de", target="en")
    refused(tmp_path, message, source="en", target="de")
    write(tmp_path / "train.en", ENGLISH)
    path = write(tmp_path / "dev.en.gz", ENGLISH)
    message = f"{path}: no dev.de or dev.de.gz beside it: {add}"
    refused(tmp_path, message, source="de", target="en")


def test_a_folder_without_anything_usable_says_what_it_holds(tmp_path):
    expected = (
        f"--data {tmp_path}: expected train.XX and train.YY for --source XX"
        " --target YY, or train.tsv or .txt; it holds "
    )
    refused(tmp_path, expected + "nothing: rename these")
    write(tmp_path / "train.de", GERMAN)
    write(tmp_path / "train.csv", TABBED)
    write(tmp_path / "spa.txt", TABBED)
    refused(
        tmp_path,
        expected + "spa.txt, train.csv, train.de: rename these, or pass the"
        " path of one .tsv, .txt or .zip",
    )


BAD_FILES = {
    "nothing in it": (
        "a.tsv",
        b"",
        "a.tsv: empty, expected lines of source<TAB>target",
    ),
    "blank lines": ("a.tsv", b"\n\r\n \n", "a.tsv: empty, expected lines"),
    "no tab": (
        "a.txt",
        b"gut\tgood\n\nmatt dull\n",
        "a.txt:3: no tab in 'matt dull'; expected source<TAB>target",
    ),
    "undecodable bytes": (
        "a.tsv",
        b"gut\tgood\ncaf\xe9\tcoffee\n",
        "a.tsv:2: byte 0xe9 is not utf-8; pass the file's --encoding",
    ),
    "a broken gzip": (
        "a.tsv.gz",
        gzip.compress(b"gut\tgood\n" * 999)[:-9],
        "a.tsv.gz: broken gzip file (",
    ),
    "no zip at all": (
        "a.zip",
        b"gut\tgood\n",
        "a.zip: broken zip file (File is not a zip file); copy or download it",
    ),
    "another ending": (
        "train.de",
        b"gut\n",
        "train.de: expected a .tsv or .txt file of source<TAB>target (or with"
        " .gz, or in a .zip), or the folder of train.XX and train.YY",
    ),
}


@pytest.mark.parametrize(
    ("name", "content", "message"), BAD_FILES.values(), ids=BAD_FILES
)
def test_bad_files_are_named_with_line_and_remedy(
    tmp_path, name, content, message
):
    (tmp_path / name).write_bytes(content)
    refused(tmp_path / name, message)


def test_bad_parallel_files_are_named_too(tmp_path):
    write_parallel(tmp_path, "train", [])
    refused(tmp_path, "train.de: empty, expected a sentence", source="de")
    (tmp_path / "train.de").write_bytes(b"gut\n")
    (tmp_path / "train.en").write_bytes(b"caf\xe9\n")
    refused(tmp_path, "train.en:1: byte 0xe9 is not utf-8", source="de")


def test_a_zip_with_several_text_files_or_none(tmp_path):
    path = write_zip(tmp_path / "a.zip", a_txt=TABBED, b_tsv=TABBED, c_md=[])
    expected = f"{path}: expected one .tsv or .txt file in it, got "
    refused(path, expected + "a.txt, b.tsv: unpack it and pass the path")
    path = write_zip(tmp_path / "a.zip", a_md=[], _b_txt=TABBED)
    refused(path, expected + "a.md: unpack it")


# tensorflow-datasets


class MadePairs(tfds.core.GeneratorBasedBuilder):
    """A data set with a usual direction, which is not the alphabet's."""

    VERSION = tfds.core.Version("1.0.0")

    def _info(self):
        return tfds.core.DatasetInfo(
            builder=self,
            features=tfds.features.Translation(languages=["de", "en", "fr"]),
            supervised_keys=("en", "de"),
        )

    def _split_generators(self, dl_manager):
        sizes = {"train": 60, "validation": 5, "test": 4, "extra": 3}
        return {name: self._generate_examples(n) for name, n in sizes.items()}

    def _generate_examples(self, size):
        for number in range(size):
            yield number, {"de": f"ä {number}", "en": "a", "fr": "à"}


def store(folder, features, rows):
    """Prepares a data set of columns, as its owner would, without its code."""
    tfds.dataset_builders.store_as_tfds_dataset(
        name="notes",
        version="1.0.0",
        data_dir=folder,
        features=tfds.features.FeaturesDict(features),
        split_datasets={"train": tf.data.Dataset.from_tensor_slices(rows)},
    )


@pytest.fixture(scope="module")
def tfds_dir(tmp_path_factory):
    return str(tmp_path_factory.mktemp("tfds"))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ("en", "de")),
        ({"reverse": True}, ("de", "en")),
        ({"source": "de", "target": "fr"}, ("de", "fr")),
    ],
)
def test_tfds_pairs_in_the_chosen_direction(tfds_dir, options, expected):
    options["tfds_dir"] = tfds_dir
    assert languages("tfds:made_pairs", **options) == expected
    splits = opened("tfds:made_pairs", **options)
    sizes = {name: len(rows) for name, rows in splits.items()}
    assert sizes == {"train": 60, "valid": 5, "test": 4}  # "extra" is not ours.
    texts = {"de": [f"ä {n}" for n in range(4)], "en": ["a"] * 4}
    texts["fr"] = ["à"] * 4
    source, target = (texts[language] for language in expected)
    assert sorted(splits["test"]) == sorted(zip(source, target, strict=True))


def test_tfds_places_and_unknown_languages(tfds_dir):
    options = {"tfds_dir": tfds_dir}
    splits = datasets.open_splits("tfds:made_pairs", **options)
    assert list(splits["test"])[3].where == "tfds:made_pairs test example 3"
    assert list(splits["train"]) == list(splits["train"])
    has = "--data tfds:made_pairs has de, en, fr"
    data = "tfds:made_pairs"
    refused(data, f"--target it: {has}: pass one", target="it", **options)
    refused(data, f"{has}: pass two of these as", target="fr", **options)


def test_tfds_languages_inside_another_feature(tmp_path):
    inside = tfds.features.Translation(languages=["de", "en"])
    store(
        tmp_path,
        {"id": tfds.features.Text(), "pair": inside},
        {"id": ENGLISH, "pair": {"de": GERMAN, "en": ENGLISH}},
    )
    options = {"tfds_dir": str(tmp_path), "source": "de"}
    assert languages("tfds:notes", **options) == ("de", "en")
    assert everything("tfds:notes", **options) == sorted(COUPLES)


def test_tfds_text_features_by_name(tmp_path):
    text = tfds.features.Text()
    store(
        tmp_path,
        {"old": text, "new": text, "stars": tf.string},
        {"old": GERMAN, "new": ENGLISH, "stars": GERMAN},
    )
    options = {"tfds_dir": str(tmp_path)}
    has = "--data tfds:notes has new, old"
    refused("tfds:notes", f"{has}: pass two of these as --source", **options)
    options["source"] = "old"
    assert languages("tfds:notes", **options) == ("old", "new")
    splits = opened("tfds:notes", **options)
    assert list(splits) == ["train", "valid"]
    assert sorted(sum(splits.values(), [])) == sorted(COUPLES)


def test_tfds_data_without_two_languages(tmp_path):
    features = {"text": tfds.features.Text(), "stars": tf.string}
    store(tmp_path, features, {"text": GERMAN, "stars": GERMAN})
    refused(
        "tfds:notes",
        "--data tfds:notes: expected a Translation feature or two of Text; the"
        " data set has stars, text",
        tfds_dir=str(tmp_path),
    )


def test_a_tfds_data_set_without_a_train_split(tmp_path):
    rows = tf.data.Dataset.from_tensor_slices({"de": GERMAN, "en": ENGLISH})
    tfds.dataset_builders.store_as_tfds_dataset(
        name="notes",
        version="1.0.0",
        data_dir=tmp_path,
        features=tfds.features.Translation(languages=["de", "en"]),
        split_datasets={"extra": rows},
    )
    message = "--data tfds:notes: no train split; it has extra"
    refused("tfds:notes", message, tfds_dir=str(tmp_path))
