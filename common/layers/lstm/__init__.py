"""The LSTM, from one step to whole sequences.

Read in this order:
    cell: `LSTMCell` and the equations of one step.
    layer: `LSTM`, which takes the place of `keras.layers.LSTM`.
    options, gates, variants: peepholes, coupled gates and the like.
    kernels: which kernel a layer takes, and why.
    fused, fused_loops: whole sequences as one differentiable operation.
"""
