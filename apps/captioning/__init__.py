"""One-to-many: one image in, a sentence out.

image: string[batch], the content of a JPEG, PNG, GIF or BMP file
-> pixels: float32[batch, height, width, 3]
-> encoder, a convolutional network: float32[batch, regions, features]
-> decoder, one step for each word of the caption:
       attention over the regions: float32[batch, regions]
    -> LSTM state float32[batch, units]
    -> logits of the next word: float32[batch, vocab]
-> the best hypothesis of a beam: int32[batch, time]
-> caption: string[batch]
"""

import sys

try:
    from common import startup
except ImportError as error:
    if not (error.name or "").endswith("common"):  # Keras is missing, say.
        raise
    print(
        "error: the package common that Python imports is not this project's:"
        " run from the folder that holds ours, or copy ours beside this app",
        file=sys.stderr,
    )
    sys.exit(2)

startup.answer_early(__name__)  # Before TensorFlow is imported.
