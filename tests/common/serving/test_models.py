"""Versions that come and go, and what is wrong with some of them."""

import concurrent.futures
import gc
import shutil
import threading

import numpy as np
import pytest

from common import warmup
from common.errors import UserError
from common.serving import models
from common.serving.batching import Batching, can_batch
from common.serving.failures import RequestError
from common.serving.saved_model import SavedModel
from tests.support import serving


@pytest.fixture
def folder(made_exports, tmp_path):
    shutil.copytree(made_exports / "half", tmp_path / "half")
    return tmp_path


@pytest.fixture
def served(folder):
    served = models.Models(folder, tell=serving.Events())
    served.refresh()
    yield served
    served.close()


def ask(served, value=2.0, **where):
    with served.lease("half", **where) as (version, model):
        signature = model.find_signature("serving_default")
        outputs = model.run(signature, {"x": np.array([value], np.float32)})
        return version.number, outputs["y"].tolist()


def export(folder, number, offset):
    path = folder / f".partial-{number}"
    serving.save(serving.Half(offset), path)
    path.rename(folder / "half" / str(number))


def test_a_new_version_takes_over_and_the_old_one_is_closed(folder, served):
    assert ask(served) == (1, [4.0])
    export(folder, 2, 10.0)
    with served.lease("half") as (old, model):
        served.refresh()
        assert ask(served) == (2, [11.0])
        # Whoever was there before is answered by the old one.
        signature = model.find_signature("serving_default")
        assert model.run(signature, {"x": np.ones(1, "f")})["y"] == [3.5]
        assert old.state == models.UNLOADING
    assert old.state == models.END and old.model is None
    assert [version.number for version in served.statuses("half")] == [2]
    assert served._tell.names()[-2:] == ["loaded", "retired"]


def test_several_versions_and_labels(folder):
    for number in (2, 3, 10):
        serving.copy_version(folder / "half" / "1", number)
    labels = {"half": {"stable": 1}}
    served = models.Models(folder, num_versions=2, labels=labels)
    served.refresh()
    assert [x.number for x in served.statuses("half")] == [10, 3, 1]
    assert ask(served)[0] == 10
    assert ask(served, number=0)[0] == 10
    assert ask(served, number=3)[0] == 3
    assert ask(served, label="stable")[0] == 1
    for where, words in (
        ({"number": 2}, r"Servable not found .*Specific\(half, 2\)"),
        ({"label": "canary"}, "Unrecognized .* label: canary.*are: stable"),
    ):
        with pytest.raises(RequestError, match=words):
            ask(served, **where)
    served.close()


def damage(path, kind):
    if kind == "cut":
        content = (path / "saved_model.pb").read_bytes()
        (path / "saved_model.pb").write_bytes(content[: len(content) // 2])
    elif kind == "empty":
        (path / "saved_model.pb").write_bytes(b"")
    elif kind == "no variables":
        shutil.rmtree(path / "variables")
    elif kind == "cut variables":
        (data,) = path.glob("variables/*.data*")
        data.write_bytes(data.read_bytes()[:1])
    elif kind == "warm-up":
        (path / "assets.extra").mkdir()
        (path / warmup.RECORDS).write_bytes(b"no records" * 9)


@pytest.mark.parametrize(
    "kind", ["cut", "empty", "no variables", "cut variables", "warm-up"]
)
def test_a_damaged_version_is_told_and_the_old_one_goes_on(
    folder, served, kind
):
    new = serving.copy_version(folder / "half" / "1", 2)
    damage(new, kind)
    served.refresh()
    served.refresh()
    assert ask(served) == (1, [4.0])
    failed = served.statuses("half", 2)[0]
    assert failed.state == models.END and failed.error
    assert served._tell.names().count("load_failed") == 1, "told once"
    shutil.rmtree(new)
    serving.copy_version(folder / "half" / "1", 2)
    served.refresh()  # Mended, it is served.
    assert ask(served)[0] == 2


def test_a_damaged_newest_version_at_the_start(folder):
    damage(serving.copy_version(folder / "half" / "1", 2), "cut")
    served = models.Models(folder)
    served.refresh()
    assert ask(served) == (1, [4.0])
    served.close()


def test_a_half_written_version_is_not_there(folder, served):
    (folder / "half" / "2").mkdir()
    (folder / "half" / ".partial-3").mkdir()
    (folder / "half" / "notes").mkdir()
    (folder / "models.config").write_text("")
    served.refresh()
    assert [x.number for x in served.statuses("half")] == [1]
    assert served.names() == ["half"]


def test_a_model_that_is_removed_goes_at_the_second_look(folder, served):
    shutil.rmtree(folder / "half")
    served.refresh()
    assert ask(served) == (1, [4.0]), "a disk may be gone for a moment"
    served.refresh()
    assert served.names() == []
    with pytest.raises(RequestError, match="Servable not found") as caught:
        ask(served)
    assert caught.value.status == 404
    with pytest.raises(RequestError, match="Could not find any versions"):
        served.statuses("half")


def test_a_disk_that_is_gone_takes_no_model_with_it(folder, served):
    folder.rename(folder.with_name("away"))
    for _ in range(3):
        served.refresh()
    assert ask(served) == (1, [4.0])
    assert served._tell.names()[-1] == "scan_failed"
    folder.with_name("away").rename(folder)


def test_a_folder_may_be_a_model_or_a_version(folder):
    for path in (folder, folder / "half", folder / "half" / "1"):
        assert models.find_models(path) == {"half": {1: folder / "half" / "1"}}


def test_nothing_to_serve_is_one_line(tmp_path):
    for make, words in (
        (lambda path: None, "no such folder; expected exports, such as"),
        (lambda path: path.mkdir(), "no exported model in it; expected NAME/1"),
        (
            lambda path: (path / "config.json").write_text("{}"),
            "a run folder; export it first: python -m apps.APP.export",
        ),
    ):
        make(tmp_path / "a")
        with pytest.raises(UserError, match=words):
            models.Models(tmp_path / "a")


def test_no_answer_is_wrong_while_versions_change(folder, served):
    """Version n answers 2 * n: threads ask while eight versions come."""
    stop, wrong, seen = threading.Event(), [], set()

    def client():
        while not stop.is_set():
            number, (value,) = ask(served, 0.0)
            seen.add(number)
            if number > 1 and value != 2.0 * number:
                wrong.append((number, value))

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for number in range(2, 6):
        export(folder, number, 2.0 * number)
        served.refresh()
    stop.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(seen) > 1
    assert all(version.leases == 0 for version in served.statuses("half"))


def test_a_closed_model_leaves_nothing(folder):
    def load():
        model = SavedModel(folder / "half" / "1")
        model.warm_up()
        model.close()

    def resident():
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096 / 1e6

    for _ in range(3):
        load()
    before = resident()
    for _ in range(20):
        load()
    # tf.saved_model.load keeps megabytes of each, even of so small a model.
    assert resident() - before < 10


def test_warm_up_requests_are_read_as_tensorflow_serving_reads_them(tmp_path):
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    (tmp_path / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(tmp_path / warmup.RECORDS)) as writer:
        for values in (["a"], ["a", "b"]):
            request = predict_pb2.PredictRequest()
            request.model_spec.name = "texts"
            request.model_spec.signature_name = "other"
            request.inputs["text"].CopyFrom(tf.make_tensor_proto(values))
            log = prediction_log_pb2.PredictionLog(
                predict_log=prediction_log_pb2.PredictLog(request=request)
            )
            writer.write(log.SerializeToString())
    read = list(warmup.read_requests(tmp_path))
    assert [name for name, _ in read] == ["other", "other"]
    assert read[1][1]["text"].tolist() == [b"a", b"b"]


def test_a_warm_up_that_takes_too_long_is_no_fault_of_a_version(
    made_exports, tmp_path
):
    folder = tmp_path / "slow" / "1"
    shutil.copytree(made_exports / "slow" / "1", folder)
    inputs = {"turns": np.array([10**9], np.int32)}
    warmup.write_requests(folder, "serving_default", inputs)
    served = models.Models(tmp_path, seconds=0.1)
    served.refresh()
    (version,) = served.statuses("slow")
    assert (version.state, version.error) == (models.AVAILABLE, "")
    served.close()


def test_a_graph_that_takes_too_long_is_stopped(made_exports):
    model = SavedModel(made_exports / "slow" / "1", seconds=0.5)
    signature = model.find_signature("serving_default")
    with pytest.raises(RequestError) as caught:
        model.run(signature, {"turns": np.array([10**9], np.int32)})
    assert caught.value.code == "DEADLINE_EXCEEDED"
    assert model.run(signature, {"turns": np.array([1], np.int32)})
    model.close()


def test_requests_at_one_time_are_one_batch(made_exports):
    """The greatest batch that the graph sees is larger than any request."""
    batching = Batching(rows=64, milliseconds=200.0)
    model = SavedModel(made_exports / "batches" / "1", batching=batching)
    signature = model.find_signature("serving_default")

    def ask(number):
        rows = np.arange(number, number + 3, dtype=np.float32)
        outputs = model.run(signature, {"x": rows})
        return outputs["y"].tolist(), outputs["size"].max()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(8)))
    for number, (values, _) in enumerate(answers):
        assert values == [number * 2, number * 2 + 2, number * 2 + 4]
    assert max(size for _, size in answers) > 3
    many = np.arange(100, dtype=np.float32)  # More than a batch has.
    assert (
        model.run(signature, {"x": many})["y"].tolist() == (many * 2).tolist()
    )
    assert model.run(signature, {"x": many[:0]})["y"].shape == (0,)
    model.close()


def test_one_refused_request_of_a_batch_is_refused_alone(made_exports):
    batching = Batching(rows=64, milliseconds=200.0)
    model = SavedModel(made_exports / "texts" / "1", batching=batching)
    signature = model.find_signature("serving_default")

    def ask(size):
        texts = np.array([b"ab"] * size, object)
        try:
            return len(model.run(signature, {"text": texts})["label"])
        except RequestError as error:
            return str(error)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(ask, [1, 5, 2]))
    assert answers == [1, "at most 4 rows", 2]
    model.close()


def test_videos_of_different_lengths_are_never_one_batch(made_exports):
    model = SavedModel(made_exports / "sums" / "3", batching=Batching(8))
    assert not can_batch(model.find_signature("serving_default"))
    assert can_batch(model.find_signature("step"))
    model.close()
