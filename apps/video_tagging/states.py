"""The states of a causal model under names, as clients see them."""

import itertools
from collections.abc import Iterator

import tensorflow as tf

from .config import Config
from .model import State

# <float32>[batch, units] each, by name.
States = dict[str, tf.Tensor]


def names(config: Config) -> list[str]:
    """The names of all states, in the order of stages and layers.

    Example:
        >>> names(Config(causal=True, num_stages=2))
        ['stage_1_layer_1_hidden', 'stage_1_layer_1_cell',
        'stage_2_layer_1_hidden', 'stage_2_layer_1_cell']
    """
    return [
        f"stage_{stage}_layer_{layer}_{part}"
        for stage, layer, part in itertools.product(
            range(1, config.num_stages + 1),
            range(1, config.num_layers + 1),
            ("hidden", "cell"),
        )
    ]


def zeros(config: Config, batch: int = 1) -> States:
    """The states before the first frame."""
    return {name: tf.zeros([batch, config.units]) for name in names(config)}


def flat(states: list[State], config: Config) -> States:
    """Puts states under their names."""
    return dict(zip(names(config), tf.nest.flatten(states), strict=True))


def nested(states: States, config: Config) -> list[State]:
    """Puts named states into stages and layers: the inverse of `flat`."""
    values = (states[name] for name in names(config))
    return [
        [_take(values, 2) for _ in range(config.num_layers)]
        for _ in range(config.num_stages)
    ]


def _take(values: Iterator[tf.Tensor], count: int) -> list[tf.Tensor]:
    return list(itertools.islice(values, count))
