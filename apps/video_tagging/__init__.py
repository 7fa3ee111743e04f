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
