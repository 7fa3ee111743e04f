"""Many-to-one: a text in, one label out.

text: string[batch]
-> ids: int32[batch, time]
-> embedding: float32[batch, time, features]
-> LSTM, both directions: float32[batch, time, 2 * units]
-> pooling over the real steps: float32[batch, pools * 2 * units]
-> probabilities: float32[batch, classes]
"""

# First of all: it chooses Keras's backend and quiets TensorFlow's start.
import common  # noqa: F401
