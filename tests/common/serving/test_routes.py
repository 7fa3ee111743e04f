"""The HTTP surface, as clients of TensorFlow Serving ask it."""

import asyncio
import base64
import concurrent.futures
import gzip
import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from common.serving import bodies
from common.serving import routes as routes_module
from common.serving.config import Config
from tests.support import serving

MODELS = "/v1/models"


@pytest.fixture(scope="module")
def client(routes):
    with TestClient(routes.make_app()) as client:
        yield client


def with_options(routes, **options):
    """A client of the same models with other limits."""
    other = routes_module.Routes(
        routes.models,
        routes.runner,
        routes.metrics,
        routes.log,
        Config(**options),
    )
    return TestClient(other.make_app())


def refusal(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    return answer.json()["error"]


def test_the_example_of_the_documentation(client):
    answer = client.post(
        f"{MODELS}/half:predict", content='{"instances": [1.0,2.0,5.0]}'
    )
    assert answer.json() == {"predictions": [3.5, 4.0, 5.5]}
    assert answer.headers["content-type"] == "application/json"
    assert client.get(f"{MODELS}/half").json() == {
        "model_version_status": [
            {
                "version": "1",
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }
    regressed = client.post(
        f"{MODELS}/examples:regress",
        content='{"examples": [{"x": 1.0}, {"x": 2.0}]}',
    )
    assert regressed.json() == {"results": [3.5, 4.0]}
    assert refusal(client.post(f"{MODELS}/no:predict", content="{}"), 404) == (
        "Servable not found for request: Latest(no); there are batches,"
        " examples, half, slow, sums, texts"
    )


def test_any_content_type_is_taken(client):
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        answer = client.post(
            f"{MODELS}/texts:predict",
            content='{"inputs": ["ab"]}',
            headers={"content-type": kind},
        )
        assert answer.json()["outputs"] == {
            "label": ["<ab>"],
            "probabilities": [[2.0, -2.0]],
            "raw_bytes": [{"b64": "YWI="}],
            "score": [0.5],
        }


def test_infinite_scores_are_written(client):
    answer = client.post(
        f"{MODELS}/texts:predict", content='{"instances": [""]}'
    )
    assert '"score": Infinity' in answer.text


def test_versions_labels_and_metadata(client):
    for path in ("sums/versions/3", "sums"):
        (status,) = client.get(f"{MODELS}/{path}").json()[
            "model_version_status"
        ]
        assert status["version"] == "3"
    body = '{"signature_name": "serving_default", "instances": [2]}'
    path = f"{MODELS}/half/versions/1:predict"
    assert client.post(path, content=body).json() == {"predictions": [4.0]}
    path = f"{MODELS}/half/labels/x:predict"
    assert "label: x" in refusal(client.post(path, content=body), 400)
    path = f"{MODELS}/half/versions/9:predict"
    assert "Specific(half, 9)" in refusal(client.post(path, content=body), 404)
    answer = client.get(f"{MODELS}/half/metadata").json()
    assert answer["model_spec"] == {
        "name": "half",
        "signature_name": "",
        "version": "1",
    }
    definition = answer["metadata"]["signature_def"]["serving_default"]
    assert definition["inputs"]["x"] == {
        "dtype": "DT_FLOAT",
        "name": "serving_default_x:0",
        "tensor_shape": {
            "dim": [{"size": "-1", "name": ""}],
            "unknown_rank": False,
        },
    }
    assert definition["method_name"] == "tensorflow/serving/predict"


def test_classes_with_and_without_context(client):
    body = '{"signature_name": "classify", "context": {"x": 1.0},'
    body += ' "examples": [{}, {"x": 2.0}]}'
    answer = client.post(f"{MODELS}/examples:classify", content=body)
    assert answer.json() == {
        "results": [
            [["3.5", 3.5], ["-3.5", -3.5]],
            [["4.0", 4.0], ["-4.0", -4.0]],
        ]
    }


def test_examples_that_are_none(client):
    for body, words in (
        ("{}", "key 'examples' is expected"),
        ('{"examples": []}', "key 'examples' is expected"),
        ('{"examples": [1]}', "Example must be JSON object but got 1"),
        ('{"examples": [{"x": null}]}', "Feature: x has values of several"),
        ('{"examples": [{"x": [1, "a"]}]}', "Feature: x has values of several"),
        ('{"examples": [{"x": {"b64": 1}}]}', "unexpected JSON type"),
        ('{"examples": [{"x": 1e999}]}', ""),
        ('{"examples": [{"x": 99999999999999999999}]}', ""),
        ('{"examples": [{"x": "a"}]}', ""),
    ):
        answer = client.post(f"{MODELS}/examples:regress", content=body)
        if words:
            assert words in refusal(answer, 400)
        assert answer.status_code in (200, 400)
    answer = client.post(
        f"{MODELS}/half:classify", content='{"examples": [{}]}'
    )
    assert "Was: tensorflow/serving/predict" in refusal(answer, 400)


def test_what_the_graph_refuses_is_a_sentence(client):
    body = '{"instances": ["a", "b", "c", "d", "e"]}'
    answer = client.post(f"{MODELS}/texts:predict", content=body)
    assert refusal(answer, 400) == "at most 4 rows"


def test_paths_that_are_none(client):
    for method, path, status in (
        ("GET", "/v1/models/half:predict", 400),
        ("POST", "/v1/models/half", 400),
        ("POST", "/v1/models/half:delete", 400),
        ("DELETE", "/v1/models/half", 400),
        ("GET", "/v1/models/half/versions/x", 400),
        ("GET", "/v1/nothing", 400),
        ("GET", "/nothing", 404),
        ("GET", "/v1/models/..%2F..%2Fetc", 404),
        ("GET", "/v1/models/%00", 404),
        ("GET", "/v1/models/" + "a" * 5000, 404),
        ("POST", "/v1/models/a%0Ab:predict", 404),
        ("GET", "/page/..%2f..%2froutes.py", 404),
    ):
        answer = client.request(method, path, content="{}")
        assert answer.status_code == status, path
        assert len(answer.text) < 600


def test_bodies_are_limited(routes):
    client = with_options(routes, max_bytes=100)
    body = b'{"instances": [1]' + b" " * 99 + b"}"
    path = f"{MODELS}/half:predict"
    assert "at most 100 bytes" in refusal(client.post(path, content=body), 413)
    chunks = iter([body[:50], body[50:]])  # Without a length.
    assert "at most 100 bytes" in refusal(
        client.post(path, content=chunks), 413
    )
    bomb = gzip.compress(b" " * 10**6)
    packed = {"content-encoding": "gzip"}
    answer = client.post(path, content=bomb[:99], headers=packed)
    assert "at most 100 bytes" in refusal(answer, 413)


def test_the_bodies_of_all_requests_are_limited(routes):
    config = Config(max_bytes=100)
    crowded = routes_module.Routes(
        routes.models, routes.runner, routes.metrics, routes.log, config
    )
    crowded.bodies.num_bytes = 100 * bodies.MAX_BODIES
    client = TestClient(crowded.make_app())
    answer = client.post(f"{MODELS}/half:predict", content='{"instances": [1]}')
    assert "ask again later" in refusal(answer, 503)
    crowded.bodies.num_bytes = 0
    answer = client.post(f"{MODELS}/half:predict", content='{"instances": [1]}')
    assert answer.status_code == 200
    assert crowded.bodies.num_bytes == 0


def test_packed_bodies(client):
    path, body = f"{MODELS}/half:predict", gzip.compress(b'{"instances": [1]}')
    packed = {"content-encoding": "gzip"}
    answer = client.post(path, content=body, headers=packed)
    assert answer.json() == {"predictions": [3.5]}
    for content, encoding, status, words in (
        (b"no gzip", "gzip", 400, "no gzip"),
        (body[:-9], "gzip", 400, "it is cut"),
        (body, "br", 415, "expected gzip or none"),
    ):
        headers = {"content-encoding": encoding}
        answer = client.post(path, content=content, headers=headers)
        assert words in refusal(answer, status)


def test_a_token_is_asked_of_all_but_health(routes):
    client = with_options(routes, token="secret")
    path, body = f"{MODELS}/half:predict", '{"instances": [1]}'
    for headers in ({}, {"authorization": "Bearer wrong"}):
        answer = client.post(path, content=body, headers=headers)
        assert "Authorization: Bearer TOKEN" in refusal(answer, 401)
        for other in (f"{MODELS}/half", MODELS, "/page/models"):
            refusal(client.get(other, headers=headers), 401)
    right = {"authorization": "Bearer secret"}
    assert client.post(path, content=body, headers=right).status_code == 200
    for other in ("/healthz", "/readyz", "/ping", "/metrics", "/"):
        assert client.get(other).status_code == 200


def test_health_and_metrics(client):
    assert client.get("/readyz").json()["status"] == "ready"
    client.post(f"{MODELS}/half:predict", content='{"instances": [1]}')
    client.post(f"{MODELS}/nosuch:predict", content='{"instances": [1]}')
    text = client.get("/metrics").text
    assert 'serving_version_available{model="sums",version="3"} 1.0' in text
    assert 'method="predict",model="half",status="200"' in text
    # Names that nobody has make no new series.
    assert 'model="nosuch"' not in text
    assert 'method="predict",model="",status="404"' in text


def test_routes_of_clouds(routes, client):
    body = '{"instances": [1], "parameters": {"a": 1}}'
    answer = client.post("/invocations", content=body)
    assert "--default-model: batches, examples" in refusal(answer, 400)
    named = {routes_module.CUSTOM_ATTRIBUTES: "tfs-model-name=half"}
    answer = client.post("/invocations", content=body, headers=named)
    assert answer.json() == {"predictions": [3.5]}
    other = with_options(
        routes,
        default_model="half",
        health_route="/health",
        predict_route="/predict",
    )
    assert other.get("/health").status_code == 200
    answer = other.post("/predict", content=body)
    assert answer.json() == {"predictions": [3.5]}


def test_a_full_queue_and_a_slow_answer(made_exports):
    routes = serving.make_routes(made_exports / "slow", threads=1, queue=1)
    routes.runner._seconds = 1.0
    body = b'{"instances": [2000000000]}'
    target = routes_module.Target("slow")
    begun = threading.Event()

    def predict(body, target):
        begun.set()
        return routes.predict(body, target)

    async def ask_all():
        first = asyncio.ensure_future(routes.runner.run(predict, body, target))
        await asyncio.to_thread(begun.wait)
        second = asyncio.ensure_future(
            routes.runner.run(routes.predict, body, target)
        )
        await asyncio.sleep(0)
        return await asyncio.gather(
            first,
            second,
            routes.runner.run(routes.predict, body, target),
            return_exceptions=True,
        )

    first, second, third = asyncio.run(ask_all())
    assert third.code == "RESOURCE_EXHAUSTED"
    assert third.status == 429
    assert "ask again later" in str(third)
    assert first.code == second.code == "DEADLINE_EXCEEDED"
    routes.runner.close()
    routes.models.close()


def call(app, *messages):
    """Asks an ASGI application; returns what it sends.

    Behind the last message nothing comes for ever.
    """
    waiting, sent = list(messages), []

    async def receive():
        if waiting:
            return waiting.pop(0)
        return await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    path = f"{MODELS}/half:predict"
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
    }
    asyncio.run(app(scope, receive, send))
    return sent


def test_a_client_that_leaves_is_not_answered_and_gives_up_its_place(routes):
    """Its request waits behind another one, and is never run."""
    busy = serving.make_routes(routes.models.folder / "half", threads=1)
    is_free = threading.Event()
    busy.runner._pool.submit(is_free.wait)
    body = b'{"instances": [1]}'
    sent = call(
        busy.make_app(),
        {"type": "http.request", "body": body, "more_body": False},
        {"type": "http.disconnect"},
    )
    assert sent[0]["status"] == 499
    assert busy.runner.num_pending == 0
    is_free.set()
    busy.runner.close()
    busy.models.close()


def test_a_body_that_does_not_come_in_time_is_told(routes):
    config = Config(timeout=0.01)
    hasty = routes_module.Routes(
        routes.models, routes.runner, routes.metrics, routes.log, config
    )
    part = {"type": "http.request", "body": b"{", "more_body": True}
    start, answer = call(hasty.make_app(), part)
    assert start["status"] == 408
    assert b"the body did not come in 0.01 seconds" in answer["body"]
    assert hasty.bodies.num_bytes == 0


def test_what_nobody_expected_is_no_traceback(routes, monkeypatch):
    failing = with_options(routes)
    monkeypatch.setattr(
        type(routes), "predict", lambda *args: {}["a secret of the house"]
    )
    answer = failing.post(f"{MODELS}/half:predict", content="{}")
    assert refusal(answer, 500) == "internal error; the log says more"
    errors = [line.get("error", "") for line in routes.log]
    assert errors[-1] == "KeyError: 'a secret of the house'"


def test_a_full_queue_says_when_to_come_again(routes):
    full = serving.make_routes(
        routes.models.folder / "half", threads=1, queue=0
    )
    full.runner.num_pending = 1
    answer = TestClient(full.make_app()).post(
        f"{MODELS}/half:predict", content='{"instances": [1]}'
    )
    assert "ask again later" in refusal(answer, 429)
    assert answer.headers["retry-after"] == "1"
    full.runner.close()
    full.models.close()


def test_many_threads_get_their_own_answers(client):
    def ask(number):
        answer = client.post(
            f"{MODELS}/half:predict", content=f'{{"instances": [{number}]}}'
        )
        return answer.json()["predictions"]

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(200)))
    assert answers == [[number / 2 + 3] for number in range(200)]


def test_the_page_loads_nothing_from_outside(client):
    answer = client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    (half,) = (
        model
        for model in client.get("/page/models").json()["models"]
        if model["name"] == "half"
    )
    assert half["signatures"]["serving_default"]["inputs"] == {
        "x": {"dtype": "float32", "shape": [None]}
    }


@given(
    st.sampled_from(["half", "texts", "sums", "examples", "no"]),
    st.sampled_from(["predict", "classify", "regress"]),
    st.binary(max_size=60)
    | st.sampled_from(
        [b'{"inputs": ', b'{"instances": [', b'{"examples": [{"x": ']
    ).flatmap(
        lambda start: st.sampled_from(
            [b"NaN", b'"\\u0000"', b"[]", b"{}", b"1e999", b'"\\ud800"', b"-0"]
        ).map(lambda value: start + value + b"]}"[b"[" not in start :])
    ),
)
@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_whatever_is_sent_is_answered(client, name, method, body):
    answer = client.post(f"{MODELS}/{name}:{method}", content=body)
    assert answer.status_code in (200, 400, 404, 413, 415), answer.text
    if answer.status_code != 200:
        refusal(answer, answer.status_code)


class TestStreams:
    def test_states_stay_between_frames(self, client):
        frame = np.ones([4, 4, 3], int).tolist()
        with client.websocket_connect(f"{MODELS}/sums/stream") as socket:
            for total in (48, 96):
                socket.send_json({"frame": frame})
                assert socket.receive_json() == {"tags": str(total)}
            socket.send_json({"reset": True})
            assert socket.receive_json() == {"reset": True}
            socket.send_json(frame)
            assert socket.receive_json() == {"tags": "48"}

    def test_a_picture_is_a_frame(self, client):
        import tensorflow as tf

        picture = tf.io.encode_png(np.full([9, 7, 3], 2, np.uint8)).numpy()
        with client.websocket_connect(f"{MODELS}/sums/stream") as socket:
            socket.send_bytes(picture)
            assert socket.receive_json() == {"tags": "96"}
            text = base64.b64encode(picture).decode()
            socket.send_json({"frame": {"b64": text}})
            assert socket.receive_json() == {"tags": "192"}

    def test_what_is_no_frame_is_told_and_the_state_stays(self, client):
        frame = np.ones([4, 4, 3], int).tolist()
        with client.websocket_connect(f"{MODELS}/sums/stream") as socket:
            socket.send_json(frame)
            socket.receive_json()
            for text, words in (
                ("{", "JSON Parse error"),
                ("[[1]]", "expected shape [?, 4, 4, 3], got [1, 1, 1]"),
                ('{"b64": "YQ=="}', "no picture: "),
                ('{"b64": "%"}', "Unable to base64 decode"),
            ):
                socket.send_text(text)
                assert words in socket.receive_json()["error"]
            socket.send_bytes(b"no picture")
            assert "not a picture" in socket.receive_json()["error"]
            socket.send_json(frame)
            assert socket.receive_json() == {"tags": "96"}

    def test_a_model_without_steps_says_so(self, client):
        with client.websocket_connect(f"{MODELS}/half/stream") as socket:
            assert "no signature step" in socket.receive_json()["error"]

    def test_streams_are_limited_and_closed_when_silent(self, routes):
        client = with_options(routes, max_streams=1, stream_timeout=0.05)
        path = f"{MODELS}/sums/stream"
        with client, client.websocket_connect(path) as first:
            with client.websocket_connect(path) as second:
                message = second.receive()
                assert message["code"] == 1013
            assert first.receive()["code"] == 1001
            with client.websocket_connect(path) as third:
                assert third.receive()["code"] == 1001

    def test_a_token_may_be_a_protocol(self, routes):
        client = with_options(routes, token="secret")
        path = f"{MODELS}/sums/stream"
        with client.websocket_connect(path) as socket:
            assert socket.receive()["code"] == 1008
        with client.websocket_connect(
            path, subprotocols=["bearer.secret"]
        ) as socket:
            socket.send_json({"reset": True})
            assert socket.receive_json() == {"reset": True}
