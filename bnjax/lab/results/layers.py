"""A probe's numbers layer by layer, over seeds: for tables and figures."""

import fnmatch
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from bnjax.lab.results.aggregate import Curve
from bnjax.lab.results.figure_kinds import Layers
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.names import Probe


class Profile(NamedTuple):
  """A number of each layer of one arm.

  Attributes:
    arm: the arm's name.
    step: the training step.
    layers: their names, those that the probe saw at this step.
    mean: float64 [layers], over seeds; geometric where a logarithmic axis is
      asked for: 0 if any seed's is. NaN without a finite value.
    least: the least over seeds, likewise.
    greatest: the greatest.
    seeds: how many seeds it is of.
  """

  arm: str
  step: int
  layers: tuple[str, ...]
  mean: np.ndarray
  least: np.ndarray
  greatest: np.ndarray
  seeds: int


def chosen(patterns: Sequence[str], seen: Sequence[str]) -> list[str]:
  """The layers that patterns name, in their order.

  Args:
    patterns: names, or patterns of file names such as "*/kernel"; none for all.
    seen: the layers that there are.

  Returns:
    Those of `seen` that are named, once each.
  """
  found = [
    layer
    for pattern in patterns or ["*"]
    for layer in seen
    if fnmatch.fnmatchcase(layer, pattern)
  ]
  return list(dict.fromkeys(found))


def profiles(measured: Measured, wanted: Layers) -> list[Profile]:
  """What a layers figure or table shows: one profile an arm that has any."""
  found = []
  for arm in wanted.arms or measured.arms:
    if profile := _profile(measured, wanted, arm):
      found.append(profile)
  return found


def _profile(measured: Measured, wanted: Layers, arm: str) -> Profile | None:
  names = chosen(wanted.layers, measured.probes.layers(wanted.probe, arm))
  curves: dict[str, Curve] = {}
  for name in names:
    if curve := measured.probes.curve(arm, Probe(wanted.probe, name)):
      curves[name] = curve
  steps = [curve.last_step for curve in curves.values()]
  if not steps:
    return None
  step = max(steps) if wanted.step is None else wanted.step
  columns = {
    name: np.array(list(curve.at(step).values()))
    for name, curve in curves.items()
  }
  columns = {name: values for name, values in columns.items() if values.size}
  if not columns:
    return None
  mean, least, greatest = zip(
    *(_over_seeds(values, wanted.log_y) for values in columns.values()),
    strict=True,
  )
  return Profile(
    arm,
    step,
    tuple(columns),
    np.array(mean),
    np.array(least),
    np.array(greatest),
    max(values.size for values in columns.values()),
  )


def _over_seeds(
  values: np.ndarray, geometric: bool
) -> tuple[float, float, float]:
  finite = values[np.isfinite(values)]
  if not finite.size:
    return np.nan, np.nan, np.nan
  if not geometric or finite.min() < 0:
    mean = finite.mean()
  else:
    mean = np.exp(np.log(finite).mean()) if finite.min() > 0 else 0.0
  return float(mean), float(finite.min()), float(finite.max())
