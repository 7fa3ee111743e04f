"""The LSTM layer, and the choice of its kernel.

`LSTM` takes the place of `keras.layers.LSTM`, with the same arguments and the
same weights in the same order. The equations are those of `cell.py`, where
they can be read and changed; masks, states, saving and the cuDNN kernel are
Keras's.
"""

import logging
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from common import shapes
from common.layers import checks
from common.layers.lstm.cell import LSTMCell
from common.layers.lstm.choice import KERNELS, why_not_fused, why_not_inference
from common.layers.lstm.fused import run_fused
from common.layers.lstm.fused_loops import GateStep
from common.layers.lstm.inference import run_inference
from common.layers.lstm.options import OPTIONS, check_no_cudnn
from common.layers.lstm.variants import VariantLSTMCell, gate_function
from common.layers.types import (
    Activation,
    Config,
    Constraint,
    Initializer,
    Regularizer,
    Shape,
    States,
    Tensor,
)

logger = logging.getLogger("common.layers.lstm")


@keras.saving.register_keras_serializable(package="common")
class LSTM(keras.layers.LSTM):
    """An LSTM over a batch of sequences; takes `keras.layers.LSTM`'s place.

    The layer applies one cell to one step after another:

        state = initial_state  # zeros by default
        for t in range(time):
            output[:, t], state = cell(sequences[:, t], state)

    See `LSTMCell` for the equations and the weights: those of
    `keras.layers.LSTM` fit, both ways. Under the same
    `keras.utils.set_random_seed`, both layers start from the same weights
    and drop the same inputs.

    Masking: at a step where `mask` is False the state stays as it was and
    the output repeats the last one (zeros with `zero_output_for_mask=True`).
    So right padding changes neither states nor gradients, whatever it holds
    (NaN too), and a row without any real step returns its initial state, and
    zeros as its output.

    On a GPU, Keras takes the cuDNN kernel if `activation` is tanh,
    `recurrent_activation` is sigmoid, `recurrent_dropout` is 0, `use_bias`
    is True and `unroll` is False. It refuses a mask that is not
    right-padded: pass `use_cudnn=False` for those. `use_cudnn` is a matter
    of the machine: as in Keras it is not saved with the model. A variant has
    no cuDNN kernel: on a GPU too it takes one of the next two, under XLA.

    On a CPU there are three kernels, with the same numbers to rounding: the
    generic loop, one step after another; the fused one (`fused.py`),
    compiled by XLA, which takes about a second for every new shape; and that
    for inference (`inference.py`), which compiles nothing and has no gradient.
    "auto" takes the fused kernel in training inside a graph, where shapes are
    few and steps are many, and the generic loop for everything else. The fused
    kernel has no second gradient: for a gradient penalty pass "generic".
    "inference" is "auto" in training; else a gradient through it is an error.
    Exports and predictors take it (`common.layers.kernels`). The logger
    `common.layers.lstm` tells, at level INFO, which one ran and why.

    Args:
        units: size of the hidden state, of the cell and of the output.
        activation: of the candidate and of the output. Default "tanh".
        recurrent_activation: of the gates i, f and o. Default "sigmoid".
        use_bias: whether there is a bias. Default True.
        kernel_initializer: of W. Default "glorot_uniform".
        recurrent_initializer: of U. Default "orthogonal".
        bias_initializer: of b. Default "zeros".
        unit_forget_bias: whether 1 is added to the forget gate's bias.
            Default True.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: of W, U,
            b. Default None.
        activity_regularizer: of the output. Default None.
        kernel_constraint, recurrent_constraint, bias_constraint: of W, U, b.
            Default None.
        dropout: share of the inputs dropped in training. Default 0.
        recurrent_dropout: share of the hidden state dropped. Default 0.
        seed: of dropout and zoneout. Default None: another one each time.
        return_sequences: whether to return every step's output, or the last.
            Default False.
        return_state: whether to return the last hidden state and cell too.
            Default False.
        go_backwards: whether to run, and return, from the last step on.
            Default False.
        stateful: whether a batch starts from the state of the one before.
            Default False.
        unroll: whether to write the loop out as `time` steps. Default False.
        use_cudnn: True, False or "auto" (default).
        kernel: "auto" (default), "fused", "generic" or "inference". A layer
            that a kernel does not fit (see `why_not_fused` and
            `why_not_inference`) takes the generic loop.
        variant, peepholes, layer_normalization, forget_bias, zoneout_hidden,
            zoneout_cell, projection_units: see `VariantLSTMCell`. With any of
            them the cell is that one, and cuDNN is never taken. Default: the
            plain LSTM.
        **kwargs: of every layer (`name`, `dtype`, `trainable`), and
            `zero_output_for_mask`, default False.

    Call arguments:
        sequences: <float>[batch, time, features].
        initial_state: two of <float>[batch, units], hidden and cell, or of
            [1, units] for all rows; with options, here and below, the states
            of `VariantLSTMCell`.
        mask: <bool>[batch, time], True where a step is real; of another dtype
            likewise what is not 0.
        training: whether dropout is on. Default False.

    Returns:
        <float>[batch, time, units] with `return_sequences`, else
        <float>[batch, units]; with `return_state` a tuple of that, the last
        hidden state and the last cell, both <float>[batch, units].

    Raises:
        ValueError: if an argument is out of range; if the sequences are not
            [batch, time, features], or mask and states not of their size.

    Example:
        >>> layer = LSTM(64, return_sequences=True)
        >>> layer(tf.ones([2, 5, 128]), mask=shapes.sequence_mask([5, 3])).shape
        TensorShape([2, 5, 64])
        >>> layer.count_params()
        49408
    """

    def __init__(
        self,
        units: int,
        activation: Activation = "tanh",
        recurrent_activation: Activation = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Initializer = "glorot_uniform",
        recurrent_initializer: Initializer = "orthogonal",
        bias_initializer: Initializer = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Regularizer = None,
        recurrent_regularizer: Regularizer = None,
        bias_regularizer: Regularizer = None,
        activity_regularizer: Regularizer = None,
        kernel_constraint: Constraint = None,
        recurrent_constraint: Constraint = None,
        bias_constraint: Constraint = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        use_cudnn: bool | str = "auto",
        kernel: str = "auto",
        *,
        variant: str | None = None,
        peepholes: bool = False,
        layer_normalization: bool = False,
        forget_bias: float = 1.0,
        zoneout_hidden: float = 0.0,
        zoneout_cell: float = 0.0,
        projection_units: int | None = None,
        **kwargs: Any,
    ) -> None:
        cell = _make_cell(
            kwargs,
            {
                "variant": variant,
                "peepholes": peepholes,
                "layer_normalization": layer_normalization,
                "forget_bias": forget_bias,
                "zoneout_hidden": zoneout_hidden,
                "zoneout_cell": zoneout_cell,
                "projection_units": projection_units,
            },
            units=units,
            activation=activation,
            recurrent_activation=recurrent_activation,
            use_bias=use_bias,
            kernel_initializer=kernel_initializer,
            recurrent_initializer=recurrent_initializer,
            bias_initializer=bias_initializer,
            unit_forget_bias=unit_forget_bias,
            kernel_regularizer=kernel_regularizer,
            recurrent_regularizer=recurrent_regularizer,
            bias_regularizer=bias_regularizer,
            kernel_constraint=kernel_constraint,
            recurrent_constraint=recurrent_constraint,
            bias_constraint=bias_constraint,
            dropout=dropout,
            recurrent_dropout=recurrent_dropout,
            seed=seed,
        )
        # The constructor of keras.layers.LSTM would make a cell of its own:
        # go past it, to that of keras.layers.RNN, which takes ours.
        super(keras.layers.LSTM, self).__init__(
            cell,
            return_sequences=return_sequences,
            return_state=return_state,
            go_backwards=go_backwards,
            stateful=stateful,
            unroll=unroll,
            activity_regularizer=activity_regularizer,
            **kwargs,
        )
        self._set_kernel(use_cudnn, kernel)

    def _set_kernel(self, use_cudnn: bool | str, kernel: str) -> None:
        self.use_cudnn = _check_choice(
            "use_cudnn", use_cudnn, ("auto", True, False)
        )
        self.kernel = _check_choice("kernel", kernel, KERNELS)
        if isinstance(self.cell, VariantLSTMCell):
            check_no_cudnn(use_cudnn, self.cell.options)
            self.use_cudnn = False
        # Keras 3.16 says no, and warns, though it uses masks as before.
        self.supports_masking = True
        # XLA cannot compile cuDNN's kernel.
        self.supports_jit = not self._fits_cudnn()

    def build(
        self,
        sequences_shape: Shape,
        initial_state_shape: Shape | None = None,
    ) -> None:
        shapes.check_sequence(sequences_shape, type(self).__name__)
        super().build(sequences_shape, initial_state_shape)

    def call(
        self,
        sequences: Tensor,
        initial_state: States | None = None,
        mask: Tensor | None = None,
        training: bool = False,
    ) -> Tensor | tuple[Tensor, ...]:
        shapes.check_sequence(sequences, type(self).__name__)
        sequences = keras.ops.cast(sequences, self.compute_dtype)
        name, batch = type(self).__name__, sequences.shape[0]
        checks.check_states(initial_state, self.state_size, batch, name)
        initial_state = checks.repeat_states(initial_state, sequences)
        mask = tf.nest.flatten(mask)[0]  # Keras may have wrapped it.
        if mask is not None:
            mask = checks.check_mask(mask, sequences, name)
            sequences = checks.clear_padding(sequences, mask)
        return super().call(sequences, initial_state, mask, training)

    def inner_loop(
        self,
        sequences: Tensor,
        initial_state: States,
        mask: Tensor | None,
        training: bool = False,
    ) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Runs over the sequences with the kernel that fits.

        Returns:
            The last output, all outputs, and the last states, as
            `keras.layers.RNN` wants them.
        """
        sequences = shapes.assert_has_steps(sequences, type(self).__name__)
        arguments = (sequences, initial_state, mask, training)
        name, reason = self._choose_kernel(training)
        logger.info("%s: %s kernel: %s", self.name, name, reason or "it fits")
        if name == "inference":
            return run_inference(self, _gate_step(self.cell), *arguments[:3])
        if name == "fused":
            return run_fused(self, _gate_step(self.cell), *arguments)
        if mask is not None and self._fits_cudnn():
            return _run_cudnn_allowing_empty_rows(
                super().inner_loop, *arguments
            )
        return super().inner_loop(*arguments)

    def _choose_kernel(self, training: bool) -> tuple[str, str | None]:
        """Returns the kernel's name; of "generic" also why it is no other."""
        if self.kernel == "inference" and not training:
            reason = why_not_inference(
                self.cell, unroll=self.unroll, fits_cudnn=self._fits_cudnn()
            )
            return ("generic", reason) if reason else ("inference", None)
        reason = why_not_fused(
            self.cell,
            self.kernel,
            unroll=self.unroll,
            has_gpu=_has_gpu(),
            trains_in_graph=training is True and tf.inside_function(),
        )
        return ("generic", reason) if reason else ("fused", None)

    def get_config(self) -> Config:
        options = getattr(self.cell, "options", {})
        return {**super().get_config(), "kernel": self.kernel, **options}

    def _fits_cudnn(self) -> bool:
        """Returns True if Keras may take the cuDNN kernel, on this machine."""
        return bool(
            self.use_cudnn
            and self.activation is keras.activations.tanh
            and self.recurrent_activation is keras.activations.sigmoid
            and self.use_bias
            and not self.unroll
            and type(self.cell) is LSTMCell
            and not self.recurrent_dropout
            and _has_gpu()
        )


def _make_cell(
    layer_arguments: dict[str, Any], options: dict[str, Any], **kwargs: Any
) -> LSTMCell:
    """Makes the cell of a layer.

    Args:
        layer_arguments: the arguments of every layer, changed in place:
            `implementation`, which is the cell's, is taken out.
        options: a value for each of OPTIONS.
        **kwargs: the arguments of `LSTMCell`.
    """
    kwargs |= {
        "implementation": layer_arguments.pop("implementation", 2),
        "dtype": layer_arguments.get("dtype"),
        "trainable": layer_arguments.get("trainable", True),
        "name": "lstm_cell",
    }
    if options == OPTIONS:
        return LSTMCell(**kwargs)
    return VariantLSTMCell(**kwargs, **options)


def _gate_step(cell: LSTMCell) -> GateStep:
    """Returns the elementwise part of a cell's step."""
    step = GateStep(
        activation=cell.activation,
        recurrent_activation=cell.recurrent_activation,
    )
    if not isinstance(cell, VariantLSTMCell):
        return step
    return step._replace(
        apply=gate_function(cell.variant),
        gates=shapes.gate_names(cell.variant),
        peepholes=shapes.peephole_names(cell.variant),
    )


def _run_cudnn_allowing_empty_rows(
    inner_loop: Callable[..., tuple[Tensor, Tensor, list[Tensor]]],
    sequences: Tensor,
    initial_state: States,
    mask: Tensor,
    training: bool,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Runs a loop that refuses rows without a real step, as cuDNN's does.

    Such a row is lent its first step; its results are zeros, and the initial
    state, as in the other loops.
    """
    empty = ~tf.reduce_any(mask, axis=1, keepdims=True)
    lent = tf.concat([mask[:, :1] | empty, mask[:, 1:]], axis=1)
    last, outputs, states = inner_loop(sequences, initial_state, lent, training)
    pairs = zip(initial_state, states, strict=True)
    return (
        tf.where(empty, 0.0, last),
        tf.where(empty[:, :, None], 0.0, outputs),
        [tf.where(empty, first, state) for first, state in pairs],
    )


def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))


def _check_choice(name: str, value: Any, choices: tuple) -> Any:
    """Returns the value, which must be one of the choices."""
    if value not in choices:
        *others, last = map(repr, choices)
        raise ValueError(
            f"{name} must be {', '.join(others)} or {last}, got {value!r}"
        )
    return value
