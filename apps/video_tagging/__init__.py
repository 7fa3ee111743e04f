"""Many-to-many, aligned: a tag, or a set of tags, for every frame.

frames: uint8[batch, time, height, width, 3]
-> encoder, one frame at a time: float32[batch, time, features]
   (or features that are given)
-> LSTM layers, which read from both sides or, for a live stream, from the past
   alone: float32[batch, time, units]
-> logits: float32[batch, time, classes]
-> further stages, each reads the tags of the one before and refines them
-> tags: string[batch, time]
"""

# First of all: it chooses Keras's backend and quiets TensorFlow's start.
import common  # noqa: F401
