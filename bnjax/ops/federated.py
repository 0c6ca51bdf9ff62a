"""The running statistics of several models as those of all their data."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from bnjax.ops._dtypes import widest
from bnjax.ops.rules import Preset, Rule, as_rule
from bnjax.ops.state import Running

Path = tuple[str, ...]

_PARTS = Running._fields


def merge_batch_stats(
  trees: Sequence[Any],
  counts: Sequence[int | float | Float[Array, "..."]],
  *,
  rule: Rule | Preset | str | None = None,
) -> Any:
  """Returns the statistics of all models' data from those of each model's.

  With n = sum(n_i) and, by the law of total variance,

  mean = sum(n_i mean_i) / n
  var = sum(n_i (var_i + (mean_i - mean)^2)) / n

  for every mean and variance in the trees. A mean of the variances alone, as
  in plain federated averaging, leaves out what differs between the models'
  data. Where `rule` says that variances are unbiased, n_i and n above the
  fraction bar of var are n_i - 1, and below it n - 1: exact only if counts
  are the numbers of values per feature, positions of images included. Else
  their ratios are enough, so examples will do.

  Args:
    trees: the `batch_stats` of linen models, `nnx.state(model,
      nnx.BatchStat)` of NNX ones, or `Running`; alike in structure and shapes.
    counts: one number for each model; or one that broadcasts to every
      statistic. A model of count 0 is left out, whatever it holds.
    rule: of the layers, or a preset or its name. Only needed for unbiased
      variances, and for trees with a `weight`: counts of cumulative averages
      are added up, those of debiased ones averaged as the means are.

  Returns:
    A tree of their structure and dtypes. With counts that are traced and all
    0, the first one.

  Raises:
    TypeError: a count is no number; rule is none.
    ValueError: no trees, another number of counts, a negative or not finite
      one, or all 0; trees of different structure or shapes, of which it names
      the path; statistics other than means and variances; a weight without a
      rule.

  Reference:
    Chan, Golub, LeVeque (1983), Algorithms for computing the sample variance.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import merge_batch_stats
    >>> here = {"norm": {"mean": jnp.array([3.0]), "var": jnp.array([4.0])}}
    >>> there = {"norm": {"mean": jnp.array([9.0]), "var": jnp.array([1.0])}}
    >>> merge_batch_stats([here, there], [200, 100])
    {'norm': {'mean': Array([5.], dtype=float32),
              'var': Array([11.], dtype=float32)}}
  """
  if rule is not None:
    rule = as_rule(rule)
  trees = list(trees)
  counts = _checked_counts(counts, len(trees))
  structure = jax.tree.structure(trees[0])
  flat = [_by_path(tree) for tree in trees]
  for i, other in enumerate(flat):
    _check_alike(flat[0], other, i)
  norms = dict.fromkeys(path[:-1] for path in flat[0])
  merged: dict[Path, Array] = {}
  for norm in norms:
    names = [path[-1] for path in flat[0] if path[:-1] == norm]
    _check_names(norm, names, rule)
    parts = {
      name: jnp.stack([jnp.asarray(tree[*norm, name]) for tree in flat])
      for name in names
    }
    for name, value in _merged(parts, counts, rule).items():
      merged[*norm, name] = value
  return jax.tree.unflatten(structure, [merged[path] for path in flat[0]])


def _merged(
  parts: Mapping[str, Array], counts: Sequence[Any], rule: Rule | None
) -> dict[str, Array]:
  """Returns one norm's statistics of all models, which are stacked."""
  dtype = widest(parts["mean"].dtype, parts["var"].dtype)
  shape = parts["mean"].shape[1:]
  n = jnp.stack(
    [jnp.broadcast_to(jnp.asarray(c, dtype), shape) for c in counts]
  )
  wide = {
    # What was left out may be NaN.
    name: jnp.where(n > 0, part.astype(dtype), 0)
    for name, part in parts.items()
  }
  total = n.sum(0)
  share = n / jnp.where(total > 0, total, 1)[None]
  first = jnp.argmax(n > 0, 0)
  near = jnp.take_along_axis(wide["mean"], first[None], 0)
  apart = jnp.where(n > 0, wide["mean"] - near, 0) + wide.get("rest", 0)
  offset = (share * apart).sum(0)
  less = 1 if rule is not None and rule.unbiased else 0
  m2 = jnp.maximum(n - less, 0) * wide["var"]
  m2 = m2 + n * jnp.square(apart - offset[None])
  divisor = total - less
  mean = lax.optimization_barrier(
    (near[0] + offset).astype(parts["mean"].dtype)
  )
  new = {
    "mean": mean,
    "var": m2.sum(0) / jnp.where(divisor > 0, divisor, 1),
    "rest": (near[0] - mean.astype(dtype)) + offset,
  }
  sums = rule is not None and rule.decay is None
  for name in ("weight", "var_weight"):
    if name in wide:
      new[name] = (wide[name] if sums else share * wide[name]).sum(0)
  return {
    name: jnp.where(total > 0, new[name].astype(part.dtype), part[0])
    for name, part in parts.items()
  }


def _by_path(tree: Any) -> dict[Path, Any]:
  """Returns the leaves by the names on the way to them, as a user's."""
  found = {}
  for keys, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
    path = [
      getattr(k, "key", getattr(k, "name", getattr(k, "idx", k))) for k in keys
    ]
    if isinstance(keys[-1], jax.tree_util.GetAttrKey) and path[-1] == "value":
      path.pop()  # Of a box: a Variable of NNX, metadata of linen.
    found[tuple(map(str, path))] = leaf
  return found


def _check_alike(
  first: Mapping[Path, Any], other: Mapping[Path, Any], i: int
) -> None:
  for here, there, who in ((first, other, i), (other, first, 0)):
    for path in here:
      if path not in there:
        raise ValueError(
          f"Trees differ in structure: tree {who} has no {'/'.join(path)}."
        )
  for path, leaf in first.items():
    shapes = jnp.shape(leaf), jnp.shape(other[path])
    if shapes[0] != shapes[1]:
      raise ValueError(
        f"Trees differ in shape: {'/'.join(path)} is {shapes[0]} in tree 0 "
        f"and {shapes[1]} in tree {i}."
      )


def _check_names(norm: Path, names: Sequence[str], rule: Rule | None) -> None:
  where = "/".join(norm) or "The tree"
  if not {"mean", "var"} <= set(names) or not set(names) <= set(_PARTS):
    raise ValueError(
      f"{where} holds {sorted(names)}: only a mean and a var, with what "
      f"running statistics keep beside them, can be merged. Give batch_stats."
    )
  if "weight" in names and rule is None:
    raise ValueError(
      f"{where} has a weight, which is a number of batches, of values or a "
      "share: say the layer's rule=."
    )


def _checked_counts(counts: Sequence[Any], models: int) -> list[Any]:
  found = list(counts)
  if not models or len(found) != models:
    raise ValueError(
      f"Each of {models} trees needs a count, and there are {len(found)}."
    )
  if any(isinstance(count, jax.core.Tracer) for count in found):
    return found
  found = [np.asarray(count) for count in found]
  for i, count in enumerate(found):
    if count.dtype.kind not in "iuf":
      raise TypeError(f"Count {i} must be a number, got {counts[i]!r}.")
    if not (np.isfinite(count) & (count >= 0)).all():
      raise ValueError(f"Count {i} must be finite and not negative: {count}.")
  if not np.any(sum(found)):
    raise ValueError("All counts are 0: there is nothing to merge.")
  return found


__all__ = ["merge_batch_stats"]
