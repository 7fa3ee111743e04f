"""A server for exported models: `python -m common.serving exports/`.

It speaks TensorFlow Serving's REST API, so that the same folder and the same
clients go on with TensorFlow Serving where one machine is not enough.

Read in this order:
    failures: refused requests, and their status of HTTP and gRPC.
    signatures: the named tensors of a SavedModel.
    codec, answers: JSON to arrays and back, without HTTP.
    examples: the JSON of `classify` and `regress`.
    saved_model: a SavedModel in a session of its own.
    batching: requests that come at one time, run as one.
    models: a folder of exports, watched; versions that come and go.
    runner: a few threads, and a queue with an end.
    telemetry: metrics and logs.
    bodies, connection: what clients send, and how long they may take.
    routes: the HTTP surface.
    streams: video tagging over a WebSocket.
    rpc: the same over gRPC.
"""
