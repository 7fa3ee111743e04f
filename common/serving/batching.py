"""Requests that come at one time, run as one batch: TensorFlow's own batcher.

A signature is a call of one function. Beside it a `BatchFunction` of the same
function is added to the graph: it waits a moment for other requests, runs all
as one, and gives each its rows. On a GPU, and for models whose steps cost the
same for one row and for many, it answers more requests a second; a single
client waits the moment in vain.

Reference:
    BatchFunction of TensorFlow (batch_ops), which TensorFlow Serving's batching
    of sessions has its queues from.
"""

from typing import Any, NamedTuple

from common.serving.signatures import Signature

_CALLS = ("StatefulPartitionedCall", "PartitionedCall")
PREFIX = "batched/"


class Batching(NamedTuple):
    """The size of batches, and the time to wait for them.

    Attributes:
        rows: the most of a batch; a larger request is split.
        milliseconds: that the first request of a batch waits for others.
        threads: batches that are run at one time.
    """

    rows: int
    milliseconds: float = 2.0
    threads: int = 2


def can_batch(signature: Signature) -> bool:
    """Returns True if rows of any two requests fit together.

    Texts and pictures do; videos of different lengths do not.
    """
    tensors = [*signature.inputs.values(), *signature.outputs.values()]
    has_rows = all(x.shape and x.shape[0] is None for x in tensors)
    return has_rows and all(
        None not in (x.shape or ())[1:] for x in signature.inputs.values()
    )


def add_batched(
    meta_graph: Any, signature: Signature, batching: Batching
) -> Signature | None:
    """Adds a signature that batches to a graph that is not yet loaded.

    Args:
        meta_graph: a MetaGraphDef, which is changed.
        signature: of it.
        batching: how requests are put together.

    Returns:
        The signature whose outputs come from batches; None if it cannot be.
    """
    nodes = {node.name: node for node in meta_graph.graph_def.node}
    outputs = [x.name.partition(":")[0] for x in signature.outputs.values()]
    call = nodes.get(outputs[0])
    if not can_batch(signature) or len(set(outputs)) > 1:
        return None
    names = [x.name.partition(":")[0] for x in signature.inputs.values()]
    if (
        not call
        or call.op not in _CALLS
        or list(call.input[: len(names)]) != [*names]
    ):
        return None
    added = meta_graph.graph_def.node.add(
        name=PREFIX + call.name, op="BatchFunction", input=call.input
    )
    added.attr["f"].CopyFrom(call.attr["f"])
    added.attr["Tout"].CopyFrom(call.attr["Tout"])
    types = call.attr["Tin"].list.type
    added.attr["Tin"].list.type.extend(types[: len(names)])
    added.attr["Tcaptured"].list.type.extend(types[len(names) :])
    for name, number in {
        "num_batch_threads": batching.threads,
        "max_batch_size": batching.rows,
        "batch_timeout_micros": int(batching.milliseconds * 1000),
        "max_enqueued_batches": 1000,
    }.items():
        added.attr[name].i = number
    added.attr["enable_large_batch_splitting"].b = True
    added.attr["shared_name"].s = added.name.encode()
    return signature._replace(
        outputs={
            name: tensor._replace(name=PREFIX + tensor.name)
            for name, tensor in signature.outputs.items()
        }
    )
