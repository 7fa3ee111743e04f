"""The LSTM layer.

`LSTM` takes the place of `keras.layers.LSTM`, with the same arguments and the
same weights in the same order. The maths is `lstm_step`, in `lstm_cell.py`,
where it can be read and changed; masks, states, saving and the cuDNN kernel
are Keras's.
"""

import logging
from typing import Any

import keras
import tensorflow as tf

from common import shapes
from common.layers.lstm.cell import LSTMCell, LSTMState, lstm_step
from common.layers.lstm.kernels import (
    KERNELS,
    run_fused,
    run_with_a_step_in_each_row,
    why_not_fused,
)
from common.layers.lstm.options import (
    OPTIONS,
    pop_options,
    without_cudnn,
)
from common.layers.lstm.variants import VariantLSTMCell

logger = logging.getLogger("common.layers.lstm")

__all__ = ["LSTM", "LSTMCell", "LSTMState", "lstm_step"]


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
    So right padding changes neither states nor gradients, and a row without
    any real step returns its initial state, and zeros as its output.

    On a GPU, Keras takes the cuDNN kernel if `activation` is tanh,
    `recurrent_activation` is sigmoid, `recurrent_dropout` is 0, `use_bias`
    is True and `unroll` is False. It refuses a mask that is not
    right-padded: pass `use_cudnn=False` for those. `use_cudnn` is a matter
    of the machine: as in Keras it is not saved with the model. A variant has
    no cuDNN kernel: on a GPU too it takes one of the next two, under XLA.

    On a CPU there are two kernels, with the same numbers to rounding: the
    generic loop, one step after another, and the fused one (`fused.py`),
    compiled by XLA, which takes about a second for every new shape. "auto"
    takes the fused kernel in training inside a graph, where shapes are few
    and steps are many, and the generic loop for everything else. The fused
    kernel has no second gradient: for a gradient penalty pass "generic". The
    logger `common.lstm` tells, at level INFO, which one was taken and why.

    Args:
        units: size of the hidden state, of the cell and of the output.
        activation: of the candidate and of the output.
        recurrent_activation: of the gates i, f and o.
        use_bias: whether there is a bias.
        kernel_initializer, recurrent_initializer, bias_initializer: of W, U, b.
        unit_forget_bias: whether 1 is added to the forget gate's bias.
        kernel_regularizer, recurrent_regularizer, bias_regularizer: of W, U, b.
        activity_regularizer: of the output.
        kernel_constraint, recurrent_constraint, bias_constraint: of W, U, b.
        dropout: share of the inputs dropped in training, 0 to 1.
        recurrent_dropout: share of the hidden state dropped, 0 to 1.
        seed: of dropout and zoneout.
        return_sequences: whether to return every step's output, or the last.
        return_state: whether to return the last hidden state and cell too.
        go_backwards: whether to run, and return, from the last step on.
        stateful: whether a batch starts from the state of the one before.
        unroll: whether to write the loop out as `time` steps.
        use_cudnn: True, False or "auto".
        kernel: "auto", "fused" or "generic". What the fused kernel cannot do
            (see `kernels.py`) takes the generic loop all the same.
        **kwargs: of every layer (`name`, `dtype`, `trainable`),
            `zero_output_for_mask`, and the options of `VariantLSTMCell`:
            `variant`, `peepholes`, `layer_normalization`, `forget_bias`,
            `zoneout_hidden`, `zoneout_cell`, `projection_units`. With any of
            them the cell is that one, and cuDNN is never taken.

    Call arguments:
        sequences: <float>[batch, time, features].
        initial_state: two of <float>[batch, units], hidden and cell; with
            options, here and below, the states of `VariantLSTMCell`.
        mask: <bool>[batch, time], True where a step is real.
        training: whether dropout is on.

    Returns:
        <float>[batch, time, units] with `return_sequences`, else
        <float>[batch, units]; with `return_state` a tuple of that, the last
        hidden state and the last cell, both <float>[batch, units].

    Raises:
        ValueError: if the sequences are not [batch, time, features].

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
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
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
        **kwargs: Any,
    ) -> None:
        options = pop_options(kwargs)
        cell = self.make_cell(
            units,
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
            implementation=kwargs.pop("implementation", 2),
            dtype=kwargs.get("dtype"),
            trainable=kwargs.get("trainable", True),
            name="lstm_cell",
            **options,
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
        self.use_cudnn = _checked("use_cudnn", use_cudnn, ("auto", True, False))
        self.kernel = _checked("kernel", kernel, KERNELS)
        if options:
            self.use_cudnn = without_cudnn(use_cudnn, options)
        # Keras 3.16 says no, and warns, though it uses masks as before.
        self.supports_masking = True
        # XLA cannot compile cuDNN's kernel.
        self.supports_jit = not self._fits_cudnn()

    def make_cell(self, units: int, **kwargs: Any) -> LSTMCell:
        """Makes the cell; the layer of a variant overrides it.

        The cuDNN kernel knows the standard equations only: a variant passes
        `use_cudnn=False` too.

        Args:
            units: size of the hidden state.
            **kwargs: every other argument of `LSTMCell`, and those options of
                `VariantLSTMCell` that are not at their defaults.

        Returns:
            The cell.
        """
        is_variant = not OPTIONS.keys().isdisjoint(kwargs)
        return (VariantLSTMCell if is_variant else LSTMCell)(units, **kwargs)

    def build(
        self, sequences_shape: Any, initial_state_shape: Any = None
    ) -> None:
        """Creates the weights; see the class."""
        shapes.check_sequence(sequences_shape, type(self).__name__)
        super().build(sequences_shape, initial_state_shape)

    def call(
        self,
        sequences: Any,
        initial_state: Any = None,
        mask: Any = None,
        training: bool = False,
    ) -> Any:
        """Computes the outputs; see the class."""
        shapes.check_sequence(sequences, type(self).__name__)
        sequences = keras.ops.cast(sequences, self.compute_dtype)
        return super().call(sequences, initial_state, mask, training)

    def inner_loop(
        self,
        sequences: Any,
        initial_state: Any,
        mask: Any,
        training: Any = False,
    ) -> tuple[Any, Any, list[Any]]:
        """Runs over the sequences with the kernel that fits.

        Returns:
            The last output, all outputs, and the last states, as
            `keras.layers.RNN` wants them.
        """
        sequences = shapes.with_a_step(sequences, type(self).__name__)
        reason = why_not_fused(
            self.cell,
            self.kernel,
            unroll=self.unroll,
            has_gpu=_has_gpu(),
            trains_in_graph=training is True and tf.inside_function(),
        )
        name = "fused" if reason is None else "generic"
        logger.info("%s: %s kernel: %s", self.name, name, reason or "it fits")
        mask = tf.nest.flatten(mask)[0] if mask is not None else None
        arguments = (sequences, initial_state, mask, training)
        if reason is None:
            return run_fused(self, *arguments)
        if mask is not None and self._fits_cudnn():
            return run_with_a_step_in_each_row(super().inner_loop, *arguments)
        return super().inner_loop(*arguments)

    def get_config(self) -> dict[str, Any]:
        """Returns every argument, for saving."""
        options = getattr(self.cell, "options", {})
        return {**super().get_config(), "kernel": self.kernel, **options}

    def _fits_cudnn(self) -> bool:
        """Whether Keras may take the cuDNN kernel for this layer, here."""
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


def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))


def _checked(name: str, value: Any, allowed: tuple) -> Any:
    if value not in allowed:
        *others, last = map(repr, allowed)
        raise ValueError(
            f"{name} must be {', '.join(others)} or {last}, got {value!r}"
        )
    return value
