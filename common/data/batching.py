"""Batches of similar length: few fixed shapes, little padding, seeded order."""

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

WIDTH_MULTIPLE = 8

Planned = TypeVar("Planned")


class Batch(NamedTuple):
    """The examples of a batch and the width to which they are padded.

    Attributes:
        indices: <int64>[rows], the examples; rows <= batch_size.
        width: the padded length, one of the bucket widths.
    """

    indices: np.ndarray
    width: int


def bucket_widths(
    lengths: np.ndarray, num_buckets: int, multiple: int = WIDTH_MULTIPLE
) -> list[int]:
    """Chooses padded widths so that each bucket holds as many examples.

    Args:
        lengths: <int>[examples], at least one example.
        num_buckets: the most widths to choose, at least 1.
        multiple: the divisor of all widths. Default 8.

    Returns:
        Ascending widths; the last holds the longest example.

    Example:
        >>> bucket_widths(np.arange(1, 101), num_buckets=4)
        [32, 56, 80, 104]
    """
    shares = np.linspace(0, 1, num_buckets + 1)[1:]
    edges = np.quantile(lengths, shares, method="higher")
    rounded = -(-edges // multiple) * multiple
    return sorted({int(width) for width in rounded})


def plan(
    lengths: np.ndarray,
    widths: list[int],
    batch_size: int | Sequence[int],
    rng: np.random.Generator | None = None,
) -> list[Batch]:
    """Groups examples of similar length into batches.

    Examples that do not fill a batch move to the next wider bucket, so that
    only the very last batch of the widest bucket is smaller than the others.

    Args:
        lengths: <int>[examples].
        widths: ascending; the last is at least the longest length.
        batch_size: rows of a batch, or one number for each width.
        rng: shuffles the examples and the order of the batches. Default None:
            the order of the data, by bucket.

    Returns:
        Batches in which every example occurs once.

    Raises:
        ValueError: if an example is longer than the widest bucket, or a batch
            has no rows.

    Example:
        >>> for batch in plan(np.array([3, 9, 2, 16]), [8, 16], batch_size=2):
        ...     print(batch.indices, batch.width)
        [0 2] 8
        [1 3] 16
    """
    if len(lengths) and lengths.max() > widths[-1]:
        raise ValueError(
            f"widths must reach the longest example, {lengths.max()},"
            f" got {widths}"
        )
    if np.min(batch_size) < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    order = np.arange(len(lengths))
    if rng is not None:
        rng.shuffle(order)
    buckets = np.searchsorted(widths, lengths[order])
    sizes = np.broadcast_to(batch_size, [len(widths)]).tolist()
    batches, waiting = [], order[:0]
    for bucket, (width, size) in enumerate(zip(widths, sizes, strict=True)):
        rows = np.concatenate([waiting, order[buckets == bucket]])
        full = len(rows) // size * size
        for indices in rows[:full].reshape(-1, size):
            batches.append(Batch(indices, width))
        waiting = rows[full:]
    if len(waiting):
        batches.append(Batch(waiting, widths[-1]))
    if rng is not None:
        batches = [batches[k] for k in rng.permutation(len(batches))]
    return batches


def repeat(
    plan_pass: Callable[[], list[Planned]], passes: int
) -> list[Planned]:
    """Plans the passes of an epoch, one after the other.

    Args:
        plan_pass: plans one; with its generator, each in another order.
        passes: how many.

    Raises:
        ValueError: if there are none.

    Example:
        >>> orders = iter([[1, 2], [2, 1]])
        >>> repeat(lambda: next(orders), 2)
        [1, 2, 2, 1]
    """
    if passes < 1:
        raise ValueError(f"passes must be at least 1, got {passes}")
    return [batch for _ in range(passes) for batch in plan_pass()]
