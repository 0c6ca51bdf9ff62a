"""Batch norm in PyTorch's state dicts, to and from Flax's variables.

Arrays are NumPy's on both sides, and torch is not imported. For all norms of
a model, and back into one of PyTorch's:

  state = {k: v.numpy() for k, v in model.state_dict().items()}
  variables = {name: from_torch(state, name) for name in torch_norms(state)}

  tensors = {k: torch.from_numpy(v) for k, v in to_torch(variables).items()}
  torch_norm.load_state_dict(tensors)  # or of a model, with strict=False

| PyTorch               | Flax                 |                              |
|-----------------------|----------------------|------------------------------|
| `weight`              | `params/scale`       | absent with affine=False     |
| `bias`                | `params/bias`        | likewise                     |
| `running_mean`        | `batch_stats/mean`   | absent with                  |
| `running_var`         | `batch_stats/var`    | track_running_stats=False    |
| `num_batches_tracked` | `batch_stats/weight` | of the rule `cumulative()`,  |
|                       | and `/var_weight`    | which weighs batches alike   |

The state says nothing of what differs between the libraries' layers:

- PyTorch's `momentum` is the share of the new batch, 0.1 by default: bnjax's
  decay, and Flax's momentum, is one minus that, so 0.9.
- PyTorch's `running_var` follows the unbiased variance (Bessel's correction),
  though a batch is normalized by the biased one. `rule=PRESETS["pytorch"].rule`
  goes on with that; Flax's rule would let it drift by a factor (n - 1) / n.
- `momentum=None` is a cumulative average: `PRESETS["pytorch_cumulative"].rule`.
  `cumulative(weighting="count")` is none of PyTorch's: its `weight` counts
  values, and `to_torch` asks for the number of batches.
- `epsilon` is 1e-5 in both by default; Keras' is 1e-3.
- PyTorch's features are axis 1: `axis=1`, unless data are transposed as well.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

Variables = dict[str, dict[str, np.ndarray]]

_PARAMS = {"weight": "scale", "bias": "bias"}
_STATS = {"running_mean": "mean", "running_var": "var"}
_COUNT = "num_batches_tracked"


def from_torch(
  state_dict: Mapping[str, Any], prefix: str = "", *, cumulative: bool = False
) -> Variables:
  """Returns one norm of a PyTorch state dict as Flax variables.

  Args:
    state_dict: names to arrays: NumPy's, or whatever `np.asarray` takes, such
      as torch tensors on the CPU. Other entries are ignored.
    prefix: of the norm's names, with or without its last dot.
    cumulative: take `num_batches_tracked` over as `weight` and `var_weight`,
      for layers with `rule=cumulative(...)`. Other rules do not keep it.

  Returns:
    {"params": {"scale", "bias"}, "batch_stats": {"mean", "var"}}, copied, in
    the dtypes they had; without what the state dict lacks.

  Raises:
    KeyError: there is no batch norm of this prefix; it has one of
      `running_mean` and `running_var`; or cumulative=True and it has none of
      them, or no `num_batches_tracked`.
    ValueError: shapes that do not fit each other.

  Example:
    >>> from bnjax.interop import from_torch
    >>> state = {"bn.weight": [2.0], "bn.bias": [0.0], "fc.weight": [[1.0]]}
    >>> from_torch(state, "bn")
    {'params': {'scale': array([2.]), 'bias': array([0.])}}
  """
  prefix = _dotted(prefix)

  def group(names: Mapping[str, str]) -> dict[str, np.ndarray]:
    return {
      ours: np.asarray(state_dict[prefix + theirs]).copy()
      for theirs, ours in names.items()
      if prefix + theirs in state_dict
    }

  variables = {"params": group(_PARAMS), "batch_stats": group(_STATS)}
  variables = {name: found for name, found in variables.items() if found}
  if not variables:
    raise KeyError(
      f"No batch norm at {prefix!r}: it would have {prefix}weight or "
      f"{prefix}running_mean. There are {torch_norms(state_dict)}."
    )
  _check_shapes(variables, prefix)
  stats = variables.get("batch_stats", {})
  needed = {*(_STATS if stats or cumulative else ()), *[_COUNT] * cumulative}
  missing = sorted(n for n in needed if prefix + n not in state_dict)
  if missing:
    raise KeyError(
      f"{prefix!r} has no {' and no '.join(missing)}, which "
      f"{'cumulative=True needs' if cumulative else 'goes with the other'}. "
      "Without running statistics (track_running_stats=False) there is no "
      "average to go on with."
    )
  if cumulative:
    for name in ("weight", "var_weight"):
      stats[name] = np.full_like(stats["mean"], state_dict[prefix + _COUNT])
  return variables


def to_torch(
  variables: Mapping[str, Mapping[str, Any]],
  prefix: str = "",
  *,
  num_batches_tracked: int | None = None,
) -> dict[str, np.ndarray]:
  """Returns the variables of one norm, or of all norms of a model, for PyTorch.

  Args:
    variables: {"params": {...}, "batch_stats": {...}} of one `BatchNorm`, where
      either collection and either parameter may be missing, as in layers made
      without them. Or those of a whole linen model: every module in it that has
      running statistics is a norm, and all else is left out.
    prefix: to put before the names, with or without its last dot.
    num_batches_tracked: PyTorch counts batches and reads the count only with
      momentum=None. By default the `weight` of `cumulative()`, 0 of averages
      that count nothing.

  Returns:
    Names to arrays, copied, in PyTorch's order; those of a model begin with the
    names of its modules, joined by dots. A lone scale gets a bias of
    zeros and a lone bias a weight of ones, since PyTorch has both or none.

  Raises:
    ValueError: nothing to export, mean without var or the reverse, names that
      are none of a batch norm's, or shapes other than one vector's; or a
      `weight` that is no number of batches (by count, or different between
      features), and no num_batches_tracked.

  Example:
    >>> import numpy as np
    >>> from bnjax.interop import to_torch
    >>> stats = {"mean": np.zeros(1), "var": np.ones(1)}
    >>> sorted(to_torch({"batch_stats": stats}, "bn"))
    ['bn.num_batches_tracked', 'bn.running_mean', 'bn.running_var']
    >>> sorted(to_torch({"batch_stats": {"stem": {"bn": stats}}}))
    ['stem.bn.num_batches_tracked', 'stem.bn.running_mean',
     'stem.bn.running_var']
  """
  prefix = _dotted(prefix)
  if paths := _norms(variables.get("batch_stats", {})):
    state: dict[str, np.ndarray] = {}
    for path in paths:
      own = {
        name: found
        for name, group in variables.items()
        if name in ("params", "batch_stats") and (found := _at(group, path))
      }
      name = prefix + ".".join(path)
      state |= to_torch(own, name, num_batches_tracked=num_batches_tracked)
    return state
  params = {k: np.array(v) for k, v in variables.get("params", {}).items()}
  stats = {k: np.array(v) for k, v in variables.get("batch_stats", {}).items()}
  if not params and not stats:
    raise ValueError("There are neither params nor batch_stats to export.")
  _check_names(params, stats, prefix)
  _check_shapes({"params": params, "batch_stats": stats}, prefix)
  if params:
    params.setdefault("scale", np.ones_like(params.get("bias")))
    params.setdefault("bias", np.zeros_like(params["scale"]))
  state = {}
  if params:
    state |= {prefix + name: params[ours] for name, ours in _PARAMS.items()}
  if stats:
    state |= {prefix + name: stats[ours] for name, ours in _STATS.items()}
    if num_batches_tracked is None:
      num_batches_tracked = _batches(stats)
    state[prefix + _COUNT] = np.array(num_batches_tracked, np.int64)
  return state


def torch_norms(state_dict: Mapping[str, Any]) -> list[str]:
  """Returns the prefixes of all norms with running statistics, in order.

  Without running statistics a norm cannot be told from a layer norm, and with
  them an instance norm looks the same.

  Args:
    state_dict: of a whole PyTorch model.

  Returns:
    Prefixes for `from_torch`, without the last dot.

  Example:
    >>> from bnjax.interop import torch_norms
    >>> torch_norms({"stem.bn.running_mean": 0, "fc.weight": 0})
    ['stem.bn']
  """
  return [
    name.removesuffix("running_mean").removesuffix(".")
    for name in state_dict
    if name == "running_mean" or name.endswith(".running_mean")
  ]


def _norms(stats: Mapping[str, Any]) -> list[tuple[str, ...]]:
  """Returns the paths of the modules in a model that have statistics."""
  return [
    (name, *path)
    for name, found in stats.items()
    if isinstance(found, Mapping)
    for path in _norms(found) or [()]
  ]


def _at(group: Any, path: tuple[str, ...]) -> Any:
  """Returns what a collection has of a module; None where it has nothing."""
  for name in path:
    group = group.get(name) if isinstance(group, Mapping) else None
  return group


def _dotted(prefix: str) -> str:
  return prefix if not prefix or prefix.endswith(".") else prefix + "."


def _batches(stats: Mapping[str, np.ndarray]) -> int:
  """Returns how many batches a weight says were averaged, 0 if it does not."""
  weight = stats.get("weight", np.zeros(1))
  if "rest" in stats:
    raise ValueError(
      f"weight {weight} counts values, by cumulative(weighting='count'), and "
      "PyTorch counts batches: say num_batches_tracked=."
    )
  if (weight % 1).any():  # The share of the batches in a debiased average.
    return 0
  if (weight != weight[0]).any():
    raise ValueError(
      f"weight {weight} differs between features, of which PyTorch keeps one "
      "number: say num_batches_tracked=."
    )
  return int(weight[0])


def _check_names(
  params: Mapping[str, np.ndarray],
  stats: Mapping[str, np.ndarray],
  prefix: str,
) -> None:
  known = {*_PARAMS.values(), *_STATS.values(), "weight", "var_weight", "rest"}
  unknown = sorted({*params, *stats} - known)
  if unknown:
    raise ValueError(
      f"{prefix}{unknown} are not of one BatchNorm, which has params scale and "
      "bias, and batch_stats mean and var. The norms of a model without "
      "running statistics are to be exported one by one."
    )
  missing = sorted({"mean", "var"} - set(stats)) if stats else []
  if missing:
    raise ValueError(
      f"batch_stats has {sorted(stats)} and no {' and no '.join(missing)}."
    )


def _check_shapes(
  variables: Mapping[str, Mapping[str, np.ndarray]], prefix: str
) -> None:
  shapes = {
    name: value.shape
    for group in variables.values()
    for name, value in group.items()
  }
  if len(set(shapes.values())) > 1 or any(
    len(shape) != 1 for shape in shapes.values()
  ):
    raise ValueError(
      f"A norm of PyTorch has vectors of one length, but {prefix!r} {shapes}."
    )
