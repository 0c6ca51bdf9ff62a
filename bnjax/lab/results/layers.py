"""A probe's numbers layer by layer, over seeds: for tables and figures."""

import fnmatch
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

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
  """The layers that patterns such as "*/kernel" name, in their order.

  All that were seen if there are no patterns.
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
    probe = Probe(wanted.probe, name, point=wanted.point())
    if curve := measured.probes.curve(arm, probe):
      curves[name] = curve
  steps = [curve.last_step for curve in curves.values()]
  if not steps:
    return None
  step = max(steps) if wanted.step is None else wanted.step
  columns = {
    name: pd.Series(own)
    for name, curve in curves.items()
    if (own := curve.at(step))
  }
  if not columns:
    return None
  seeds = max(map(len, columns.values()))
  over = pd.DataFrame(columns)
  mean, *ends = over.agg([_mean(wanted.log_y), "min", "max"]).to_numpy()
  return Profile(arm, step, tuple(columns), mean, ends[0], ends[1], seeds)


def _mean(geometric: bool) -> Callable[["pd.Series[float]"], float]:
  def mean(values: "pd.Series[float]") -> float:
    finite = values.dropna()
    if not geometric or not finite.size or finite.min() < 0:
      return float(finite.mean())
    return float(np.exp(np.log(finite).mean())) if finite.min() > 0 else 0.0

  return mean
