"""One-to-many: one image in, a sentence out.

image: string[batch], the content of a JPEG, PNG, GIF or BMP file
-> pixels: float32[batch, height, width, 3]
-> encoder, a convolutional network: float32[batch, regions, features]
-> decoder, one step for each word of the caption:
       attention over the regions: float32[batch, regions]
    -> LSTM state float32[batch, units]
    -> logits of the next word: float32[batch, vocab]
-> the best of a beam of beginnings: int32[batch, time]
-> caption: string[batch]
"""

# First of all: it chooses Keras's backend and quiets TensorFlow's start.
import common  # noqa: F401
