"""The LSTM, from one step to whole sequences.

Read in this order:
    cell: `LSTMCell` and the equations of one step.
    layer: `LSTM`, which takes the place of `keras.layers.LSTM`.
    options, variants: peepholes, coupled gates and the like.
    choice: which kernel fits a layer.
    fused, fused_loops: whole sequences as one differentiable operation.
    inference: whole sequences where answers alone are wanted.
"""

from common.layers.lstm.cell import LSTMCell
from common.layers.lstm.layer import LSTM
from common.layers.lstm.variants import VariantLSTMCell

__all__ = ["LSTM", "LSTMCell", "VariantLSTMCell"]
