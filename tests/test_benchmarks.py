import argparse
import collections
import csv
import doctest
import json

import pytest

from benchmarks import growth, inference, lstm, report, small_data, small_sets
from benchmarks.contenders import Shape
from benchmarks.turns import Worker, compare

TINY = Shape(2, 3, 4, 5)


def comparison(shape=TINY, **medians):
    """What `compare` returns, with these seconds for both kinds."""
    return {
        "shape": shape._asdict(),
        "results": {
            name.replace("_", " "): {
                kind: {
                    **dict.fromkeys(("median", "min", "max"), seconds),
                    "first": 1.5,
                    "memory_mib": 700,
                    "kernel": "the one",
                }
                for kind in ("forward", "train")
            }
            for name, seconds in medians.items()
        },
    }


def findings(*args):
    return {finding.what: finding for finding in report.summary(*args)}


@pytest.mark.parametrize(
    "module", [growth, inference, lstm, report, small_data]
)
def test_the_examples_are_true(module):
    failed, attempted = doctest.testmod(module)
    assert attempted and not failed


def test_the_summary_takes_the_better_of_keras():
    layers = [comparison(common=3.0, keras_graph=6.0, keras_jit=4.0)]
    found = findings(layers, None, 1.0)
    name = (
        "layer, train, common / better of keras graph and jit, "
        "batch, time, features, units = 2, 3, 4, 5"
    )
    assert found[name].value == 0.75
    assert found[name].goal == "at most 0.80"
    assert "0.75" in str(found[name])


def test_the_mean_over_shapes_is_geometric():
    layers = [
        comparison(common=1.0, keras_graph=8.0),
        comparison(common=1.0, keras_graph=2.0),
    ]
    found = findings(layers, None, 1.0)
    name = "layer, train, common / keras graph, geometric mean of shapes"
    assert found[name].value == pytest.approx(0.25)


def test_the_summary_leaves_out_who_did_not_run():
    layers = [comparison(common=1.0, torch=2.0)]
    assert [x.value for x in report.summary(layers, None, 1.0)] == [0.5, 0.5]


def test_the_summary_has_the_share_of_the_peak_at_the_large_shape():
    large = Shape(32, 100, 512, 512)
    # x W and h U, each of 4 * 512 columns, a multiplication and an addition.
    flops = 2 * 32 * 100 * (512 + 512) * 4 * 512
    layers = [comparison(large, common=1.0), comparison(common=1.0)]
    forward, train = report.summary(layers, None, peak=6.0 * flops)
    assert forward.value == pytest.approx(1 / 6)
    assert train.value == pytest.approx(1 / 2)


def test_the_summary_has_the_bidirectional_model():
    model = comparison(
        common=1.0, keras_graph=4.0, keras_jit=5.0, keras_on_jax=2.0
    )
    layers = [comparison(common=1.0, keras_on_jax=4.0)]
    found = findings(layers, model, 1.0)
    (better,) = (x for name, x in found.items() if "better" in name)
    assert better.value == 0.25
    jax = [x.value for name, x in found.items() if "jax" in name]
    assert jax == [0.25, 0.25, 0.5, 0.5]


def test_the_table_has_times_ratio_memory_and_kernel():
    measured = comparison(common=0.01, torch=0.04)
    lines = report.table("layer", measured, peak=1e9).splitlines()
    (torch,) = (x for x in lines if x.split()[:2] == ["train", "torch"])
    flops = 3 * 2 * 2 * 3 * (4 + 5) * 4 * 5
    assert torch.split()[2:] == [
        *["40.0", "40.0", "40.0", "0.25", f"{flops / 0.04 / 1e9:.0%}"],
        *["1.5", "700", "the", "one"],
    ]


def test_an_exponent_needs_values_above_zero():
    assert growth.exponent([1, 2, 4], [3.0, -1.0, 5.0]) is None


@pytest.mark.parametrize("text", ["2,3,4", "2,3,4,5,6", "2,3,0,5", "a,3,4,5"])
def test_a_shape_is_four_counts(text):
    with pytest.raises(argparse.ArgumentTypeError, match="expected four"):
        lstm.shape(text)


def test_shapes_alone_leave_out_the_bidirectional_model():
    assert lstm.arguments(["--shapes", "2,3,4,5"]).bidirectional is None
    assert lstm.arguments([]).bidirectional == Shape(64, 200, 128, 128)


def test_a_contender_that_stops_says_how_to_see_why():
    worker = Worker("layer", "no such", TINY)
    with pytest.raises(RuntimeError, match="benchmarks.worker layer 'no such'"):
        worker.ask("train")
    worker.process.communicate()


@pytest.mark.nightly
def test_the_benchmark_compares_side_by_side(command, tmp_path):
    done = command(
        "benchmarks.lstm",
        *["--rounds", "1", "--shapes", "2,3,4,5", "--json", "out.json"],
        *["--bidirectional", "2,3,4,5", "--precision", "2,3,4,5"],
        *["--contenders", "keras graph"],
    )
    assert "batch, time, features, units = 2, 3, 4, 5" in done.stdout
    assert "(goal at most 0.80)" in done.stdout
    record = json.loads((tmp_path / "out.json").read_text())
    for measured in (record["shapes"][0], record["bidirectional"]):
        assert list(measured["results"]) == ["common", "keras graph"]
        check_rows(measured["results"])
        kernel = measured["results"]["common"]["train"]["kernel"]
        assert kernel == "fused kernel: it fits"
    check_rows(record["precision"]["results"])
    assert "common bf16" in record["precision"]["results"]
    assert record["versions"].keys() >= {"python", "tensorflow", "keras"}
    peak = record["peak_flops"]
    assert peak["best"] == max(peak["start"], peak["end"]) > 0
    assert record["num_processors"] >= 1
    assert len(record["summary"]) == 4


def check_rows(rows):
    for row in rows.values():
        for kind in ("forward", "train"):
            (seconds,) = row[kind]["seconds"]
            assert 0 < seconds == row[kind]["median"] <= row[kind]["max"]
            assert row[kind]["first"] > 0
            assert row[kind]["kernel"]
        assert 100 < row["forward"]["memory_mib"] <= row["train"]["memory_mib"]


@pytest.mark.nightly
def test_growth_is_measured_along_both_axes(monkeypatch, tmp_path, capsys):
    plan = growth.Plan(
        time=[Shape(2, n, 4, 5) for n in (1, 2, 4)],
        batch=[Shape(n, 3, 4, 5) for n in (1, 2, 4)],
        longest=TINY,
    )
    monkeypatch.setattr(growth, "PLAN", plan)
    path = tmp_path / "out.json"
    lstm.main(["--rounds", "2", "--shapes", "--growth", "--json", str(path)])
    assert "exponent against batch" in capsys.readouterr().out
    found = json.loads(path.read_text())["growth"]
    assert found["longest"]["shape"] == TINY._asdict()
    for axis in ("time", "batch"):
        rows = found[axis]["rows"]
        assert [row["shape"][axis] for row in rows] == [1, 2, 4]
        medians = [row["train"]["median"] for row in rows]
        assert found[axis]["time_exponent"] == pytest.approx(
            growth.exponent([1, 2, 4], medians)
        )


@pytest.mark.slow
@pytest.mark.parametrize("table", ["layer", "bidirectional"])
@pytest.mark.parametrize("name", ["keras jit", "keras on jax"])
def test_the_compiled_contenders_run(table, name):
    if name == "keras on jax":
        pytest.importorskip("jax")
    check_rows(compare(table, TINY, [name], rounds=1)["results"])


@pytest.mark.slow
def test_torch_runs():
    pytest.importorskip("torch")
    check_rows(compare("layer", TINY, ["torch"], rounds=1)["results"])


def test_small_sets_are_what_their_names_say(tmp_path):
    for tickets in small_sets.TICKETS:
        small_sets.write_tickets(tmp_path, tickets)
        lines = (tmp_path / "train.csv").read_text().splitlines()
        rows = list(csv.DictReader(lines))
        rarest = collections.Counter(row["label"] for row in rows)
        name = f"{len(rows):,} rows, {len(rarest)} classes"
        assert name == tickets.name
        assert min(rarest.values()) >= 3
        # A person could tell them, and so can counts of words.
        assert 0.85 < small_data.score_counts(tmp_path) < 1
    small_sets.write_dates(tmp_path)
    train, new = (
        (tmp_path / f"{name}.tsv").read_text().splitlines()
        for name in ("pairs", "new")
    )
    assert (len(train), len(new)) == (200, 300)
    sources = [line.split("\t")[0] for line in [*train, *new]]
    assert len(set(sources)) == 500
