"""A SavedModel in a session of its own, as TensorFlow Serving runs it.

`tf.saved_model.load` keeps 14 to 57 MB of a model for ever once it is dropped
(measured with TensorFlow 2.21), which a server that takes a new version every
hour cannot afford, and takes twice as long. A session gives all back.
"""

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import config_pb2
from tensorflow.python.saved_model import loader_impl

from common import warmup
from common.data import name_lists
from common.errors import UserError
from common.export_folder import CARD
from common.export_usage import REQUEST
from common.export_versions import LABELS
from common.serving import failures, signatures
from common.serving.batching import Batching, add_batched
from common.serving.failures import RequestError
from common.serving.signatures import DEFAULT, Signature

PROTO = "saved_model.pb"
TAG = "serve"

# Arrays by the order of a signature's inputs, to arrays of its outputs.
RunFn = Callable[..., list[np.ndarray]]


class SavedModel:
    """A SavedModel whose signatures can be called from any thread.

    Args:
        folder: with `saved_model.pb`.
        seconds: after which the graph of a request is stopped. Default:
            never.
        batching: of requests that come at one time. Default: none.

    Attributes:
        folder: likewise.
        signatures: by name.
        meta_graph: the MetaGraphDef.

    Raises:
        OSError: if a file cannot be read.
        tf.errors.OpError, ValueError: if it is no SavedModel, or not whole.
    """

    def __init__(
        self,
        folder: Path,
        seconds: float = 0,
        batching: Batching | None = None,
    ) -> None:
        self.folder = folder
        self._milliseconds = int(seconds * 1000)
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        self._run_fns: dict[str, RunFn] = {}
        self._batch_fns: dict[str, RunFn] = {}
        try:
            self._load(batching)
        except BaseException:
            self.close()
            raise

    def _load(self, batching: Batching | None) -> None:
        loader = loader_impl.SavedModelLoader(str(self.folder))
        self.meta_graph = loader.get_meta_graph_def_from_tags([TAG])
        self.signatures = signatures.read_signatures(self.meta_graph)
        batched = {
            name: added
            for name, signature in self.signatures.items()
            if batching
            and (added := add_batched(self.meta_graph, signature, batching))
        }
        with self._session.graph.as_default():
            loader.load(self._session, [TAG])
        self._run_fns = {
            name: self._make_run_fn(signature)
            for name, signature in self.signatures.items()
        }
        self._batch_fns = {
            name: self._make_run_fn(signature)
            for name, signature in batched.items()
        }

    def _make_run_fn(self, signature: Signature) -> RunFn:
        options = config_pb2.CallableOptions(
            feed=[tensor.name for tensor in signature.inputs.values()],
            fetch=[tensor.name for tensor in signature.outputs.values()],
        )
        options.run_options.timeout_in_ms = self._milliseconds
        # `make_callable` and `run` take a millisecond longer for each request.
        return self._session._make_callable_from_options(options)

    def find_signature(self, name: str) -> Signature:
        """Returns the signature of a name.

        Raises:
            RequestError: if there is none.
        """
        if name not in self.signatures:
            known = ", ".join(self.signatures)
            raise RequestError(
                failures.shorten(
                    f'Serving signature name: "{name[:60]}" not found in'
                    f" signature def; expected one of {known}"
                )
            )
        return self.signatures[name]

    def run(
        self, signature: Signature, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Answers one request.

        Args:
            signature: one of this model.
            inputs: all of it, by name, of its types and numbers of axes.

        Returns:
            The outputs, by name; strings are bytes.

        Raises:
            RequestError: if the graph refuses the inputs, or takes too long.
        """
        values = [inputs[name] for name in signature.inputs]
        try:
            outputs = self._call(signature.name, values)
        except tf.errors.OpError as error:
            raise failures.from_tensorflow(error) from error
        except (TypeError, ValueError) as error:  # Of another type or shape.
            raise RequestError(failures.shorten(str(error))) from error
        return dict(zip(signature.outputs, outputs, strict=True))

    def _call(self, name: str, values: list[np.ndarray]) -> list[np.ndarray]:
        # No row is no batch.
        if name in self._batch_fns and len(values[0]):
            try:
                return self._batch_fns[name](*values)
            except tf.errors.InvalidArgumentError:
                pass  # Perhaps of another one's rows: ask alone.
        return self._run_fns[name](*values)

    def warm_up(self) -> int:
        """Plays the warm-up requests beside the model; returns how many.

        All other signatures are asked once for nothing, with batches of no
        row: what a session prepares at its first call is ready afterwards.
        """
        count = 0
        for name, inputs in warmup.read_requests(self.folder):
            signature = self.signatures.get(name or DEFAULT)
            if signature and inputs.keys() == signature.inputs.keys():
                self._warm(signature, inputs)
                count += 1
        for signature in self.signatures.values():
            self._try_empty(signature)
        return count

    def _warm(
        self, signature: Signature, inputs: Mapping[str, np.ndarray]
    ) -> None:
        try:
            self.run(signature, inputs)
        except RequestError as error:
            # The first call takes longer than those that clients wait for.
            if error.code != "DEADLINE_EXCEEDED":
                raise

    def _try_empty(self, signature: Signature) -> None:
        shapes = [tensor.shape for tensor in signature.inputs.values()]
        if any(not shape or shape[0] is not None for shape in shapes):
            return
        inputs = {
            name: np.zeros(
                [0, *(n or 1 for n in tensor.shape[1:])], tensor.dtype
            )
            for name, tensor in signature.inputs.items()
            if tensor.shape
        }
        with contextlib.suppress(RequestError):  # It takes no empty batch.
            self.run(signature, inputs)

    def read_example(self) -> dict[str, Any] | None:
        """Returns the request beside the model; None if there is none."""
        try:
            value = json.loads((self.folder / REQUEST).read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def read_labels(self) -> list[str]:
        """Returns the label names beside the model; none if there are none."""
        try:
            return name_lists.read_names(self.folder / LABELS)
        except (UserError, OSError):
            return []

    def read_card(self) -> str:
        """Returns the model card, Markdown; "" if there is none."""
        try:
            return (self.folder / CARD).read_text("utf-8", "replace")[:20_000]
        except OSError:
            return ""

    def close(self) -> None:
        """Frees its memory; it cannot be asked afterwards."""
        self._run_fns, self._batch_fns = {}, {}
        self._session.close()
