import keras
import numpy as np
import pytest
import tensorflow as tf

from common import LSTM, export, export_check
from common.errors import UserError


class Greeter(tf.Module):
    """Answers "hello NAME" and the length of the name."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "name")])
    def serve(self, name):
        length = tf.cast(tf.strings.length(name), tf.float32)
        return {"greeting": tf.strings.join(["hello ", name]), "length": length}


@pytest.fixture
def saved(tmp_path):
    greeter = Greeter()
    signatures = {"serving_default": greeter.serve, "again": greeter.serve}
    tf.saved_model.save(greeter, str(tmp_path / "model"), signatures)
    return tmp_path / "model"


def case(names, greetings, lengths, **options):
    inputs = {"name": np.array(names, object)}
    outputs = {
        "greeting": np.array(greetings, object),
        "length": np.array(lengths, np.float32),
    }
    return export.Case(inputs, outputs, **options)


@pytest.mark.slow
def test_equal_answers_pass(saved):
    cases = [
        case([], [], []),
        case([b"Ann"], [b"hello Ann"], [3]),
        case([b"", b"Zo\xc3\xab"], [b"hello ", b"hello Zo\xc3\xab"], [0, 4]),
    ]
    export.check(saved, cases)
    wrong = case([b"Ann"], [b"hello Eve"], [3])
    with pytest.raises(UserError, match="case 1: greeting differs"):
        export.check(saved, [cases[0], wrong])


def test_rows_are_asked_alone_and_cut_to_their_length():
    batch = export.Case(
        {"frames": np.arange(24).reshape(2, 3, 4), "lengths": np.array([3, 1])},
        {
            "tags": np.array([[b"a", b"b", b"c"], [b"d", b"", b""]], object),
            "pooled": np.array([[1.0, 2.0], [3.0, 4.0]]),
        },
    )
    first, second = export.split_rows(batch)
    assert second.row == (1, 2)
    assert second.inputs["frames"].tolist() == [[[12, 13, 14, 15]]]
    assert second.inputs["lengths"].tolist() == [1]
    assert second.outputs["tags"].tolist() == [[b"d"]]
    assert second.outputs["pooled"].tolist() == [[3.0, 4.0]]
    assert first.inputs["frames"].shape == (1, 3, 4)
    assert export.split_rows(first) == []
    assert export.split_rows(batch._replace(signature="step")) == []


@pytest.mark.slow
def test_an_answer_that_depends_on_the_company_is_told(tmp_path):
    class Leaky(tf.Module):
        """Counts the bytes of the longest row, as a padded mean would."""

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "name")])
        def serve(self, name):
            length = tf.cast(tf.strings.length(name), tf.float32)
            most = tf.reduce_max(tf.concat([length, [1.0]], 0))
            return {"share": length / most}

    leaky = Leaky()
    signatures = {"serving_default": leaky.serve}
    tf.saved_model.save(leaky, str(tmp_path / "model"), signatures)
    names = np.array([b"Bo", b"Anna"], object)
    shares = np.array([0.5, 1.0], np.float32)
    batch = export.Case({"name": names}, {"share": shares})
    export.check(tmp_path / "model", [batch])
    with pytest.raises(UserError) as caught:
        export.check(tmp_path / "model", [batch, *export.split_rows(batch)])
    assert str(caught.value).endswith(
        "model: serving_default, row 0: share differs from the model's"
        " (expected 0.5, got 1) when it is asked alone and not among 2 rows:"
        " something reads the padding or the other rows; look for a layer that"
        " gets no mask= (convolution, pooling, mean, backward LSTM) or"
        " normalizes over the batch"
    )


@pytest.mark.slow
def test_each_case_is_put_to_its_own_signature(saved):
    right = case([b"Ann"], [b"hello Ann"], [3], signature="again")
    wrong = case([b"Ann"], [b"hello Eve"], [3], signature="again")
    default = case([b"Ann"], [b"hello Ann"], [3])
    export.check(saved, [right, default])
    with pytest.raises(UserError, match="again, case 1: greeting differs"):
        export.check(saved, [default, wrong])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lengths", "text"),
    [([3.1], "length differs"), ([[3]], "length differs")],
)
def test_other_numbers_and_shapes_are_told(saved, lengths, text):
    with pytest.raises(UserError, match=text):
        export.check(saved, [case([b"Ann"], [b"hello Ann"], lengths)])


@pytest.mark.slow
def test_missing_outputs_and_missing_models_are_told(saved, tmp_path):
    asked = case([b"Ann"], [b"hello Ann"], [3])
    asked.outputs.pop("length")
    with pytest.raises(UserError, match="expected .'greeting'."):
        export.check(saved, [asked])
    with pytest.raises(UserError, match="does not answer by itself"):
        export.check(tmp_path / "gone", [asked])


def test_versions_count_up_and_only_whole_ones_count(tmp_path):
    base = tmp_path / "exports" / "app"
    assert export.latest_version(base) == 0
    for number in (1, 2):
        with export.new_version(base) as folder:
            folder.mkdir()
            (folder / "saved_model.pb").write_text("")
        assert export.latest_version(base) == number
    (base / "notes").mkdir()
    with pytest.raises(ZeroDivisionError), export.new_version(base) as folder:
        folder.mkdir()
        raise ZeroDivisionError
    names = sorted(path.name for path in base.iterdir())
    assert names == ["1", "2", "notes"]


def test_a_model_is_found_by_its_folder_or_its_latest_version(tmp_path):
    assert export.find_saved_model(tmp_path) is None
    for number in (2, 10):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / "saved_model.pb").write_text("")
    assert export.find_saved_model(tmp_path) == tmp_path / "10"
    assert export.find_saved_model(tmp_path / "2") == tmp_path / "2"


def test_a_failed_first_version_leaves_no_empty_folder(tmp_path):
    base = tmp_path / "app"
    with pytest.raises(ZeroDivisionError), export.new_version(base):
        raise ZeroDivisionError
    assert not base.exists()


def test_portable_takes_every_layer_off_cudnn_and_back():
    model = keras.Sequential(
        [
            keras.Input((None, 2)),
            keras.layers.Bidirectional(LSTM(3, return_sequences=True)),
            keras.layers.LSTM(3, use_cudnn=False),
        ]
    )
    wrapper, plain = model.layers
    layers = [wrapper.forward_layer, wrapper.backward_layer, plain]
    before = [layer.use_cudnn for layer in layers]
    with export.portable(model):
        assert [layer.use_cudnn for layer in layers] == [False] * 3
        assert wrapper.forward_layer.kernel == "inference"
    assert wrapper.forward_layer.kernel == "auto"
    assert [layer.use_cudnn for layer in layers] == before
    assert before[0] == "auto"


def test_an_archive_has_the_inference_kernel(tmp_path):
    """However often it is traced: each time is portable."""
    layer = LSTM(3)
    model = keras.Sequential([keras.Input((None, 2)), layer])
    kernels = []
    archive = keras.export.ExportArchive()
    archive.track(model)

    def serve(x):
        kernels.append((layer.use_cudnn, layer.kernel))
        return {"y": model(x)}

    spec = tf.TensorSpec([None, None, 2], name="x")
    export.add_signature(archive, model, "serving_default", serve, [spec])
    archive.write_out(tmp_path, verbose=False)
    assert set(kernels) == {(False, "inference")}
    assert layer.kernel == "auto"
    assert "BlockLSTMV2" in export_check.operations(tmp_path)
    x = np.random.default_rng(0).normal(size=[2, 9, 2]).astype("float32")
    loaded = tf.saved_model.load(str(tmp_path))
    actual = loaded.signatures["serving_default"](x=x)["y"]
    np.testing.assert_allclose(actual, model(x), rtol=1e-5, atol=1e-6)


def test_cudnn_inside_a_function_is_refused(tmp_path):
    """Saved where there is a GPU, and not inside `portable`."""

    class Bound(tf.Module):
        @tf.function
        def inner(self, x):
            outputs, *_ = tf.raw_ops.CudnnRNN(
                input=x,
                input_h=tf.zeros([1, 1, 2]),
                input_c=tf.zeros([1, 1, 2]),
                params=tf.zeros([64]),
                is_training=False,
            )
            return outputs

        @tf.function(input_signature=[tf.TensorSpec([1, 1, 2], name="x")])
        def serve(self, x):
            return {"y": self.inner(x)}

    bound = Bound()
    signatures = {"serving_default": bound.serve}
    tf.saved_model.save(bound, str(tmp_path), signatures)
    assert "CudnnRNN" in export_check.operations(tmp_path)
    with pytest.raises(UserError, match="holds CudnnRNN, which no CPU can run"):
        export.check(tmp_path, [])
