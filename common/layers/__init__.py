"""Recurrent layers, attention and structured outputs.

Read in this order:
    lstm/: `LSTM` and `LSTMCell`, the variants, and the fused kernel.
    simple: `ElmanCell` and `JordanCell`, the two simple recurrences.
    attention: `Attention`, soft attention over a memory.
    crf, crf_loops: `LinearChainCRF`, and its loops over time.
    pretrained: image networks of `keras.applications`.
    types: aliases of types, such as `Tensor`.
"""
