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
from common.fused import fused_lstm
from common.lstm_cell import LSTMCell, LSTMState, lstm_step

KERNELS = ("auto", "fused", "generic")
logger = logging.getLogger(__name__)

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
    right-padded or that has a row without real steps: pass
    `use_cudnn=False` for those. `use_cudnn` is a matter of the machine: as
    in Keras it is not saved with the model.

    On a CPU there are two kernels, with the same numbers to rounding: the
    generic loop, one step after another, and the fused one (`common/fused.py`),
    compiled by XLA, which takes about a second for every new shape. "auto"
    takes the fused kernel in training inside a graph, where shapes are few
    and steps are many, and the generic loop for everything else. The logger
    `common.lstm` tells, at level INFO, which one was taken and why.

    Args:
        units: size of the hidden state, of the cell and of the output.
        activation: of the candidate and of the output.
        recurrent_activation: of the gates i, f and o.
        use_bias: whether there is a bias.
        kernel_initializer: of W.
        recurrent_initializer: of U.
        bias_initializer: of b.
        unit_forget_bias: whether 1 is added to the forget gate's bias.
        kernel_regularizer: of W.
        recurrent_regularizer: of U.
        bias_regularizer: of b.
        activity_regularizer: of the output.
        kernel_constraint: of W.
        recurrent_constraint: of U.
        bias_constraint: of b.
        dropout: share of the inputs dropped in training, 0 to 1.
        recurrent_dropout: share of the hidden state dropped, 0 to 1. Any at
            all keeps the layer off the cuDNN kernel.
        seed: of the dropout.
        return_sequences: whether to return the output of every step, or of
            the last one only.
        return_state: whether to return the last hidden state and cell too.
        go_backwards: whether to run from the last step to the first, and
            return the outputs in that order.
        stateful: whether a batch starts from the state of the one before.
        unroll: whether to write the loop out as `time` steps.
        use_cudnn: True, False or "auto".
        kernel: "auto", "fused" or "generic". What the fused kernel cannot do
            (other activations, `recurrent_dropout`, no bias, `unroll`, other
            precision than float32) takes the generic loop all the same.
        **kwargs: of every layer (`name`, `dtype`, `trainable`), and
            `zero_output_for_mask`.

    Call arguments:
        sequences: <float>[batch, time, features].
        initial_state: two of <float>[batch, units], hidden and cell.
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
        # XLA cannot compile cuDNN's kernel.
        self.supports_jit = not self._fits_cudnn()

    def make_cell(self, units: int, **kwargs: Any) -> LSTMCell:
        """Makes the cell; the layer of a variant overrides it.

        The cuDNN kernel knows the standard equations only: a variant passes
        `use_cudnn=False` too.

        Args:
            units: size of the hidden state.
            **kwargs: every other argument of `LSTMCell`.

        Returns:
            The cell.
        """
        return LSTMCell(units, **kwargs)

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
        reason = self._why_generic(training)
        name = "fused" if reason is None else "generic"
        logger.info("%s: %s kernel: %s", self.name, name, reason or "it fits")
        if reason is None:
            return self._run_fused(sequences, initial_state, mask, training)
        return super().inner_loop(sequences, initial_state, mask, training)

    def _why_generic(self, training: Any) -> str | None:
        """What speaks against the fused kernel here; None if nothing does."""
        cell = self.cell
        facts = {
            'kernel="generic"': self.kernel == "generic",
            "a GPU, where Keras has its own": bool(
                tf.config.list_logical_devices("GPU")
            ),
            "a variant of the cell": type(cell) is not LSTMCell,
            "not tanh and sigmoid": self.activation
            is not keras.activations.tanh
            or self.recurrent_activation is not keras.activations.sigmoid,
            "no bias": not self.use_bias,
            "unroll": self.unroll,
            "recurrent_dropout": bool(self.recurrent_dropout),
            "a mask for each gate": cell.implementation == 1,
            "not float32": cell.compute_dtype != "float32",
            "not training in a graph": self.kernel == "auto"
            and not (training is True and tf.inside_function()),
        }
        return next((name for name, holds in facts.items() if holds), None)

    def _run_fused(
        self, sequences: Any, initial_state: Any, mask: Any, training: Any
    ) -> tuple[Any, Any, list[Any]]:
        mask = tf.nest.flatten(mask)[0] if mask is not None else None
        if training and self.dropout:
            dropped = self.cell.get_dropout_mask(sequences[:, 0, :])
            sequences = sequences * dropped[:, None, :]
        if self.go_backwards:
            sequences = tf.reverse(sequences, [1])
            mask = None if mask is None else tf.reverse(mask, [1])
        states, last_cell = fused_lstm(
            sequences,
            *initial_state,
            *map(tf.convert_to_tensor, self.cell.weights),
            mask,
        )
        outputs = states
        if mask is not None:
            # Keras repeats the last output at a masked step, which is zero
            # before the first real one, whatever the initial state was.
            seen = tf.cumsum(tf.cast(mask, tf.int32), axis=1) > 0
            shown = mask if self.zero_output_for_mask else seen
            outputs = tf.where(shown[:, :, None], states, 0.0)
        return outputs[:, -1], outputs, [states[:, -1], last_cell]

    def get_config(self) -> dict[str, Any]:
        """Returns every argument, for saving."""
        return {**super().get_config(), "kernel": self.kernel}

    def _fits_cudnn(self) -> bool:
        """Whether Keras may take the cuDNN kernel for this layer, here."""
        return bool(
            self.use_cudnn
            and self.activation is keras.activations.tanh
            and self.recurrent_activation is keras.activations.sigmoid
            and self.use_bias
            and not self.unroll
            and tf.config.list_logical_devices("GPU")
        )


def _checked(name: str, value: Any, allowed: tuple) -> Any:
    if value not in allowed:
        *others, last = map(repr, allowed)
        raise ValueError(
            f"{name} must be {', '.join(others)} or {last}, got {value!r}"
        )
    return value
