"""Types of the arguments of layers."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

Tensor: TypeAlias = tf.Tensor | keras.KerasTensor
# What a cell carries from step to step, in the order of its `state_size`.
States: TypeAlias = Sequence[Tensor]
Shape: TypeAlias = Sequence[int | None]
ActivationFn: TypeAlias = Callable[[Tensor], Tensor]
# Everything that `keras.activations.get` and its like take.
Activation: TypeAlias = str | ActivationFn | None
Initializer: TypeAlias = str | dict[str, Any] | Callable[..., Tensor]
Regularizer: TypeAlias = str | dict[str, Any] | Callable[..., Tensor] | None
Constraint: TypeAlias = str | dict[str, Any] | Callable[..., Tensor] | None
Config: TypeAlias = dict[str, Any]
