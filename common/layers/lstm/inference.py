"""The LSTM over whole sequences where answers alone are wanted, as served.

Nothing is compiled and there is no gradient; every TensorFlow build can run it
on a CPU. The graph holds two ways, and chooses by the number of rows:

- `BlockLSTMV2`, one operation for all steps, and each half of the rows in one
  of its own. Of few rows it takes a third of the time of a loop of operations;
  of many rows with many units it takes more.
- A loop that takes several steps a turn: the inputs of these steps meet the
  kernel in one product, and the cost of a turn is shared.

Both know nothing of masks. The real steps of each row are moved to its front,
and what comes out is put back in their places: a masked step, wherever it is,
costs nothing and changes nothing.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import keras
import tensorflow as tf

from common.layers.lstm.cell import LSTMCell, masked_matmul
from common.layers.lstm.fused import Weights
from common.layers.lstm.fused_loops import GateStep

# The most rows for the operation, by the most units; above them the loop.
# Measured: `python -m benchmarks.inference --limits`.
MAX_ROWS = {64: 256, 96: 8, 128: 4}
MAX_ROWS_OF_MORE_UNITS = 2
# Steps of a turn of the loop: with more, no time is gained.
STEPS = 8
NO_GRADIENT = (
    'the inference kernel of LSTM has no gradient: pass kernel="generic"'
)


class RealSteps(NamedTuple):
    """The places of the real steps of each row, by a mask.

    Attributes:
        mask: <bool>[batch, time].
        counts: <int32>[batch, time], real steps up to and with each step.
        sources: <int32>[batch, longest], the places of the real steps; behind
            the last one any place.
    """

    mask: tf.Tensor
    counts: tf.Tensor
    sources: tf.Tensor

    @classmethod
    def from_mask(cls, mask: tf.Tensor) -> "RealSteps":
        """Reads a mask; the longest row has at least one step, real or not.

        Example:
            >>> mask = tf.constant([[False, True, False, True, False]])
            >>> RealSteps.from_mask(mask).sources.numpy()
            array([[1, 3]], dtype=int32)
        """
        counts = tf.cumsum(tf.cast(mask, tf.int32), axis=1)
        longest = tf.maximum(tf.reduce_max(counts), 1)
        numbers = tf.range(1, longest + 1)[None]
        numbers = tf.tile(numbers, [tf.shape(mask)[0], 1])
        # The first step by which so many were real.
        sources = tf.searchsorted(counts, numbers)
        return cls(mask, counts, tf.minimum(sources, tf.shape(mask)[1] - 1))

    def take(self, sequences: tf.Tensor) -> tf.Tensor:
        """Takes the real steps: <any>[batch, longest, ...]."""
        taken = tf.gather(sequences, self.sources, batch_dims=1)
        shape = [sequences.shape[0], None, *sequences.shape[2:]]
        return tf.ensure_shape(taken, shape)

    def put_back(self, outputs: tf.Tensor, zeros_on_mask: bool) -> tf.Tensor:
        """Puts outputs of real steps in their places.

        Args:
            outputs: <float>[batch, longest, units].
            zeros_on_mask: whether the output of a masked step is zero, or
                that of the real step before, as in Keras. Before the first
                one it is zero.

        Returns:
            <float>[batch, time, units].
        """
        latest = tf.maximum(self.counts - 1, 0)
        repeated = tf.gather(outputs, latest, batch_dims=1)
        has_output = self.mask if zeros_on_mask else self.counts > 0
        return tf.where(has_output[:, :, None], repeated, 0.0)

    def last(self, values: tf.Tensor, initial: tf.Tensor) -> tf.Tensor:
        """Returns the value <float>[batch, units] after the last real step.

        Args:
            values: after every real step, <float>[batch, longest, units].
            initial: of rows without a real step, <float>[batch, units].
        """
        count = self.counts[:, -1]
        last = tf.gather(values, tf.maximum(count - 1, 0), batch_dims=1)
        return tf.where(count[:, None] > 0, last, initial)


def run_inference(
    layer: keras.layers.LSTM,
    step: GateStep,
    sequences: tf.Tensor,
    initial_state: Sequence[tf.Tensor],
    mask: tf.Tensor | None,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Does the work of `keras.layers.LSTM.inner_loop`, without a gradient.

    Args:
        layer: a `common.LSTM` that the kernel fits.
        step: the elementwise part of a step of its cell.
        sequences: <float>[batch, time, features], time at least 1.
        initial_state: two of <float>[batch, units], hidden and cell.
        mask: <bool>[batch, time], or None.

    Returns:
        The last output, all outputs, and the list of the last states. The
        last cell of a masked batch is only right if the layer returns or
        keeps its states.
    """
    if layer.go_backwards:
        sequences = tf.reverse(sequences, [1])
        mask = None if mask is None else tf.reverse(mask, [1])
    time = sequences.shape[1]
    real_steps = None
    if mask is not None:
        real_steps = RealSteps.from_mask(mask)
        sequences = real_steps.take(sequences)
    has_states = layer.return_state or layer.stateful
    hidden, cells = run_steps(
        layer.cell,
        step,
        sequences,
        initial_state[0],
        initial_state[1],
        all_cells=mask is not None and has_states,
    )
    outputs, last_hidden, last_cell = hidden, hidden[:, -1], cells[:, -1]
    if real_steps is not None:
        outputs = real_steps.put_back(hidden, layer.zero_output_for_mask)
        last_hidden = real_steps.last(hidden, initial_state[0])
        if has_states:
            last_cell = real_steps.last(cells, initial_state[1])
    outputs = tf.ensure_shape(outputs, [None, time, None])
    outputs, last_hidden, last_cell = (
        tf.raw_ops.PreventGradient(input=x, message=NO_GRADIENT)
        for x in (outputs, last_hidden, last_cell)
    )
    return outputs[:, -1], outputs, [last_hidden, last_cell]


def run_steps(
    cell: LSTMCell,
    step: GateStep,
    sequences: tf.Tensor,
    first_hidden: tf.Tensor,
    first_cell: tf.Tensor,
    all_cells: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs a cell over steps that are all real, the way that is quicker.

    Args:
        cell: the layer's cell.
        step: the elementwise part of its step.
        sequences: <float>[batch, time, features], time at least 1.
        first_hidden: <float>[batch, units].
        first_cell: <float>[batch, units].
        all_cells: whether the cell after every step is wanted, or only the
            last one.

    Returns:
        Hidden states <float>[batch, time, units], and cells of the same
        shape, or [batch, 1, units].
    """
    weights = Weights.from_cell(cell)
    states = first_hidden.shape.merge_with(first_cell.shape)
    rows = sequences.shape[:1].merge_with(states[:1])[0]
    sequences = tf.ensure_shape(sequences, [rows, *sequences.shape[1:]])
    first_hidden = tf.ensure_shape(first_hidden, [rows, cell.units])
    first_cell = tf.ensure_shape(first_cell, [rows, cell.units])
    # Inside, time is the first axis: a step's values lie side by side.
    inputs = tf.transpose(sequences, [1, 0, 2])
    arguments = inputs, first_hidden, first_cell, weights, all_cells

    def loop() -> tuple[tf.Tensor, tf.Tensor]:
        return run_loop(step, *arguments)

    def halves() -> tuple[tf.Tensor, tf.Tensor]:
        return run_block_in_halves(*arguments)

    def block() -> tuple[tf.Tensor, tf.Tensor]:
        return run_block(*arguments)

    # A few steps, as in a stream, are no loop at all.
    is_short = sequences.shape[1] is not None and sequences.shape[1] <= STEPS
    limit = 0 if is_short else max_block_rows(cell)
    if not limit:
        results = loop()
    else:
        # For one row, a half without any would be no gain.
        count = tf.shape(sequences)[0] if rows is None else tf.constant(rows)
        way = tf.cast(count > 1, tf.int32) + tf.cast(count > limit, tf.int32)
        results = tf.switch_case(way, [block, halves, loop])
    shape = [rows, None, cell.units]
    hidden, cells = (
        tf.ensure_shape(tf.transpose(x, [1, 0, 2]), shape) for x in results
    )
    return hidden, cells


def max_block_rows(cell: LSTMCell) -> int:
    """Returns the most rows that `BlockLSTMV2` is quicker with; 0 if none.

    It knows the plain LSTM in float32.

    Example:
        >>> max_block_rows(LSTMCell(64)), max_block_rows(LSTMCell(512))
        (256, 2)
    """
    is_plain = (
        type(cell) is LSTMCell
        and cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
        and cell.compute_dtype == "float32"
    )
    if not is_plain:
        return 0
    limits = (rows for units, rows in MAX_ROWS.items() if cell.units <= units)
    return next(limits, MAX_ROWS_OF_MORE_UNITS)


def run_block_in_halves(
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    weights: Weights,
    all_cells: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs half of the rows, and at the same time the other half.

    Arguments and results are those of `run_loop`.
    """
    rows = tf.shape(inputs)[1]
    sizes = [rows // 2, rows - rows // 2]
    halves = zip(
        tf.split(inputs, sizes, axis=1),
        tf.split(hidden, sizes),
        tf.split(cell, sizes),
        strict=True,
    )
    results = [run_block(*half, weights, all_cells) for half in halves]
    hidden, cells = (tf.concat(x, 1) for x in zip(*results, strict=True))
    return hidden, cells


def run_block(
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    weights: Weights,
    all_cells: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs `BlockLSTMV2`; arguments and results are those of `run_loop`.

    Its gates are i, f, g, o, as ours, and it adds no forget bias. Its own
    gradient is wrong (TensorFlow 2.21 has the gates in another order there).
    """
    no_peepholes = tf.zeros([weights.recurrent_kernel.shape[0]])
    bias = weights.bias
    if bias is None:
        bias = tf.zeros([weights.kernel.shape[1]])
    results = tf.raw_ops.BlockLSTMV2(
        seq_len_max=tf.shape(inputs, tf.int64)[0],
        x=inputs,
        cs_prev=cell,
        h_prev=hidden,
        w=tf.concat([weights.kernel, weights.recurrent_kernel], 0),
        wci=no_peepholes,
        wcf=no_peepholes,
        wco=no_peepholes,
        b=bias,
        cell_clip=0.0,  # None.
        use_peephole=False,
    )
    return results.h, results.cs if all_cells else results.cs[-1:]


def run_loop(
    step: GateStep,
    inputs: tf.Tensor,
    hidden: tf.Tensor,
    cell: tf.Tensor,
    weights: Weights,
    all_cells: bool,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Runs a loop that takes STEPS steps a turn, and those left one by one.

    Args:
        step: the elementwise part of a step.
        inputs: <float>[time, batch, features], time at least 1.
        hidden: <float>[batch, units], h_0.
        cell: <float>[batch, units], C_0.
        weights: of the cell.
        all_cells: whether to return all cells, or the last one.

    Returns:
        Hidden states <float>[time, batch, units], and cells of the same
        shape, or [1, batch, units].
    """
    advance = functools.partial(_advance, step, inputs, weights, all_cells)
    time = inputs.shape[0]
    if time is not None and time <= STEPS:
        hidden, cell, kept = advance(time, 0, hidden, cell)
        return kept[0], kept[1] if all_cells else cell[None]
    time = tf.shape(inputs)[0]

    def turn(
        t: tf.Tensor, hidden: tf.Tensor, cell: tf.Tensor, *arrays: tf.Tensor
    ) -> tuple:
        number = arrays[0].size()
        takes_many = t + STEPS <= time
        hidden, cell, kept = tf.cond(
            takes_many,
            lambda: advance(STEPS, t, hidden, cell),
            lambda: advance(1, t, hidden, cell),
        )
        written = [
            array.write(number, x)
            for array, x in zip(arrays, kept, strict=True)
        ]
        return t + tf.where(takes_many, STEPS, 1), hidden, cell, *written

    arrays = [
        tf.TensorArray(
            inputs.dtype, 0, dynamic_size=True, infer_shape=False,
            element_shape=[None, *hidden.shape],
        )
        for _ in range(2 if all_cells else 1)
    ]  # fmt: skip
    _, hidden, cell, *arrays = tf.while_loop(
        lambda t, *_: t < time, turn, [0, hidden, cell, *arrays]
    )
    states, *cells = (array.concat() for array in arrays)
    return states, cells[0] if all_cells else cell[None]


def _advance(
    step: GateStep,
    inputs: tf.Tensor,
    weights: Weights,
    all_cells: bool,
    count: int,
    t: tf.Tensor | int,
    hidden: tf.Tensor,
    cell: tf.Tensor,
) -> tuple[tf.Tensor, tf.Tensor, list[tf.Tensor]]:
    """Takes `count` steps from `t` on.

    Returns:
        The last hidden state and cell, and of all these steps the hidden
        states, and the cells if they are wanted.
    """
    pre_activations = masked_matmul(inputs[t : t + count], None, weights.kernel)
    if weights.bias is not None:
        pre_activations += weights.bias
    peepholes = weights.peephole_kernel
    states = []
    for z in tf.unstack(pre_activations, count):
        hidden, cell = step.apply(
            z + hidden @ weights.recurrent_kernel,
            cell,
            step.activation,
            step.recurrent_activation,
            *([] if peepholes is None else [peepholes]),
        )
        states.append((hidden, cell) if all_cells else (hidden,))
    return hidden, cell, [tf.stack(x) for x in zip(*states, strict=True)]
