"""Reports of the measurements: a table for each comparison, and a summary.

A comparison is what `benchmarks.turns.compare` returns: a shape, and by
contender and kind the seconds, the kernel and the memory.
"""

import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple

from benchmarks.contenders import Shape

# Matrix products of a training step, in those of a forward step: backward
# takes one for the inputs and one for the weights more.
PRODUCTS = {"forward": 1, "train": 3}
KERAS = ["keras graph", "keras jit"]
# Here matrix products are most of the work.
LARGE = Shape(32, 100, 512, 512)
GOALS = {
    "layer": "at most 0.80",
    "bidirectional": "at most 0.70",
    "mean": "at most 0.55",
    "torch": "at most 1.00",
    "keras on jax": "at most 1.00",
    "peak": "at least 0.70",
}


class Finding(NamedTuple):
    """A line of the summary."""

    what: str
    value: float
    goal: str | None = None

    def __str__(self) -> str:
        """The value, what it is of, and the goal."""
        goal = f" (goal {self.goal})" if self.goal else ""
        return f"  {self.value:5.2f}  {self.what}{goal}"


def table(
    title: str, comparison: dict[str, Any], peak: float | None = None
) -> str:
    """The rows of one comparison.

    Args:
        title: what is compared.
        comparison: what `compare` returned.
        peak: floating-point operations a second, where the products are
            those of one layer.

    Returns:
        Lines with medians, their spread, ratios of `common` to each, shares
        of the peak, seconds of the first step, which traces and compiles, the
        process's peak memory so far, and the kernel.
    """
    shape = Shape(**comparison["shape"])
    rows = comparison["results"]
    lines = [
        f"\n{title}: {_sizes(comparison)}",
        f"  {'':<24}{'ms':>7}{'min':>9}{'max':>9}{'common/this':>13}"
        f"{'of peak':>9}{'first s':>9}{'MiB':>7}  kernel",
    ]
    for kind in PRODUCTS:
        own = rows["common"][kind]["median"]
        for name, row in rows.items():
            seconds = row[kind]["median"]
            share = peak and share_of_peak(shape, kind, seconds, peak)
            lines.append(_line(f"{kind:<9}{name}", row[kind], own, share))
    return "\n".join(lines)


def _line(
    name: str, row: dict[str, Any], own: float, share: float | None
) -> str:
    of_peak = f"{share:.0%}" if share else ""
    ms = {key: 1e3 * row[key] for key in ("median", "min", "max")}
    return (
        f"  {name:<24}{ms['median']:7.1f}{ms['min']:9.1f}{ms['max']:9.1f}"
        f"{own / row['median']:13.2f}{of_peak:>9}{row['first']:9.1f}"
        f"{row['memory_mib']:7.0f}  {row['kernel']}"
    )


def _sizes(comparison: dict[str, Any]) -> str:
    shape = comparison["shape"]
    return f"{', '.join(shape)} = {', '.join(map(str, shape.values()))}"


def share_of_peak(
    shape: Shape, kind: str, seconds: float, peak: float
) -> float:
    """The rate of the matrix products over the best rate that was seen.

    Args:
        shape: the sizes.
        kind: "forward" or "train".
        seconds: of a step.
        peak: floating-point operations a second.

    Returns:
        From 0 to 1.

    Example:
        >>> share_of_peak(Shape(1, 1, 1, 1), "forward", seconds=1.0, peak=32.0)
        0.5
    """
    return PRODUCTS[kind] * shape.forward_flops / seconds / peak


def summary(
    layers: list[dict[str, Any]],
    bidirectional: dict[str, Any] | None,
    peak: float,
) -> list[Finding]:
    """Puts a number on every goal; a peer that did not run has none.

    Args:
        layers: a comparison for every shape.
        bidirectional: the comparison inside `fit`, if it was made.
        peak: floating-point operations a second.

    Returns:
        The findings: ratios of `common` to its peers, below 1 where `common`
        is faster, and shares of the peak.
    """
    in_fit = [bidirectional] if bidirectional else []
    return [
        *(x for each in layers for x in _against_keras(each, "layer")),
        *_means(layers),
        *(x for each in layers for x in _against(each, "layer", "torch")),
        *(
            x
            for each in layers
            for x in _against(each, "layer", "keras on jax")
        ),
        *(x for each in layers for x in _shares(each, peak)),
        *(x for each in in_fit for x in _against_keras(each, "bidirectional")),
        *(
            x
            for each in in_fit
            for x in _against(each, "bidirectional", "keras on jax")
        ),
    ]


def ratio(results: dict[str, Any], peers: list[str], kind: str) -> float | None:
    """The median of `common` over that of the fastest peer.

    Args:
        results: rows by contender.
        peers: names of contenders.
        kind: "forward" or "train".

    Returns:
        The ratio, or None if none of the peers ran.

    Example:
        >>> rows = {"common": 1.0, "torch": 2.0, "keras jit": 4.0}
        >>> results = {k: {"train": {"median": v}} for k, v in rows.items()}
        >>> ratio(results, ["torch", "keras jit", "keras graph"], "train")
        0.5
    """
    peer = [results[x][kind]["median"] for x in peers if x in results]
    return results["common"][kind]["median"] / min(peer) if peer else None


def _against_keras(comparison: dict[str, Any], what: str) -> Iterator[Finding]:
    value = ratio(comparison["results"], KERAS, "train")
    if value is not None:
        name = f"{what}, train, common / better of keras graph and jit"
        yield Finding(f"{name}, {_sizes(comparison)}", value, GOALS.get(what))


def _against(
    comparison: dict[str, Any], what: str, peer: str
) -> Iterator[Finding]:
    for kind in PRODUCTS:
        value = ratio(comparison["results"], [peer], kind)
        if value is not None:
            name = f"{what}, {kind}, common / {peer}, {_sizes(comparison)}"
            yield Finding(name, value, GOALS.get(peer))


def _means(layers: list[dict[str, Any]]) -> Iterator[Finding]:
    for kind in PRODUCTS:
        ratios = [ratio(x["results"], ["keras graph"], kind) for x in layers]
        ran = [x for x in ratios if x is not None]
        if ran:
            name = (
                f"layer, {kind}, common / keras graph, geometric mean of shapes"
            )
            goal = GOALS["mean"] if kind == "train" else None
            yield Finding(name, statistics.geometric_mean(ran), goal)


def _shares(comparison: dict[str, Any], peak: float) -> Iterator[Finding]:
    shape = Shape(**comparison["shape"])
    for kind in PRODUCTS if shape == LARGE else ():
        seconds = comparison["results"]["common"][kind]["median"]
        value = share_of_peak(shape, kind, seconds, peak)
        name = (
            f"layer, {kind}, share of the products' peak, {_sizes(comparison)}"
        )
        yield Finding(name, value, GOALS["peak"] if kind == "train" else None)
