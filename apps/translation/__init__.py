"""Many-to-many, unaligned: a sentence in, its translation out.

text: string[batch]
-> source ids: int32[batch, source]
-> encoder, LSTMs in both directions: float32[batch, source, units]
-> decoder, one step for each token of the translation:
       LSTM state float32[batch, units]
    -> attention over the source: float32[batch, source]
    -> logits of the next token: float32[batch, vocab]
-> the best of a beam of beginnings: int32[batch, time]
-> translation: string[batch]
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
