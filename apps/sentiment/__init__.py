"""Many-to-one: a text in, one label out.

text: string[batch]
-> ids: int32[batch, time]
-> embedding: float32[batch, time, features]
-> LSTM, both directions: float32[batch, time, 2 * units]
-> pooling over the real steps: float32[batch, pools * 2 * units]
-> probabilities: float32[batch, classes]
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
