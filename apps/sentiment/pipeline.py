"""The whole as one model: a text in, the probability of each label out."""

import dataclasses
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from . import model, text
from .config import Config


class Explanation(NamedTuple):
    """An answer, and how much each word had to do with it.

    Attributes:
        probabilities: <float32>[batch, classes].
        tokens: <string>[batch, tokens], the words that were read; "" on
            padding, and of a text without words.
        weights: <float32>[batch, tokens], the attention to each, which sums to
            1; 0 on padding.
    """

    probabilities: tf.Tensor
    tokens: tf.Tensor
    weights: tf.Tensor


@keras.saving.register_keras_serializable(package=__package__)
class Classifier(keras.Model):
    """A vectorizer and the network behind it.

    Args:
        config: all options, as a `Config` or its fields.
        vocabulary: the known words, most frequent first.
        labels: the class names, in the order of the outputs.

    Call arguments:
        text: <string>[batch].

    Returns:
        Probabilities <float32>[batch, classes].

    Attributes:
        network: the part that is trained, from ids to logits.
    """

    def __init__(
        self,
        config: Config | dict[str, Any],
        vocabulary: list[str],
        labels: list[str],
        **kwargs: object,
    ) -> None:
        super().__init__(**kwargs)
        self.config = config if isinstance(config, Config) else Config(**config)
        self.labels = list(labels)
        self.vectorizer = text.Vectorizer(vocabulary, self.config.max_tokens)
        self.network = model.build(
            self.config, len(vocabulary), len(self.labels)
        )
        self.vectorizer.build((None,))
        self.built = True

    @property
    def has_attention(self) -> bool:
        """True if its pooling weighs the words, so that it can explain."""
        return "attention" in self.config.pooling

    def call(self, text: tf.Tensor) -> tf.Tensor:
        logits = self.network(self.vectorizer(text), training=False)
        return tf.nn.softmax(tf.cast(logits, tf.float32))

    def explain(self, texts: tf.Tensor) -> Explanation:
        """Classifies texts <string>[batch], with the attention to each word."""
        words = self.vectorizer.split(texts)
        ids = text.pad_rows(self.vectorizer.look_up(words), text.PADDING_ID)
        pooling = self.network.get_layer("pooling")
        # The same layers: what the pooling gets, beside the answer.
        inside = keras.Model(
            self.network.input, [*pooling.input, self.network.output]
        )
        sequence, mask, logits = inside(ids, training=False)
        tokens = text.pad_rows(words, "")
        return Explanation(
            tf.nn.softmax(tf.cast(logits, tf.float32)),
            tf.where(tokens == text.EMPTY_TEXT, "", tokens),
            pooling.attention_weights(sequence, mask),
        )

    def get_config(self) -> dict:
        return super().get_config() | {
            "config": dataclasses.asdict(self.config),
            "vocabulary": self.vectorizer.vocabulary,
            "labels": self.labels,
        }


def build(
    config: Config, vocabulary: list[str], labels: list[str]
) -> Classifier:
    """Builds the classifier; its `network` is trained."""
    return Classifier(config, vocabulary, labels, name="classifier")
