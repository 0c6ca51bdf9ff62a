"""D1, D7, D8, D11 and D14: one batch on several devices."""

import re
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec

from benchmarks.conformance.library import (
  Library,
  NotApplicable,
  Settings,
  require,
  running,
)
from benchmarks.conformance.outcome import Check, Outcome, judge, number
from benchmarks.conformance.reference import (
  batch,
  error,
  normalized,
  on_devices,
  to_numpy,
)

_POOLED = Settings(decay=0.0, axis_name="d")
X = batch((8, 1), 1)
_UNEVEN = np.array([1, 1, 1, 1, 0, 0, 1, 0], bool)[:, None]
_EMPTY = np.array([1, 1, 1, 1, 0, 0, 0, 0], bool)[:, None]
GROUPS = ((0, 1), (2, 3))
FAR = batch((256, 1), 1e4)
_FAR_VAR = float(FAR.astype(np.float64).var())


def _pooled(mask: np.ndarray) -> tuple[float, float]:
  values = X[mask].astype(np.float64)
  return values.mean(), values.var()


def _masked(library: Library, mask: np.ndarray) -> Outcome:
  require(library, _POOLED, mask)

  def step(x: Any, mask: Any) -> tuple[Any, Any]:
    _, state = library.step(x, _POOLED, mask=mask)
    mean, var = running(library, state, _POOLED)
    return mean[None], var[None]

  mean, var = jax.jit(on_devices(lambda xm: step(*xm), 2))((X, mask))
  measured, expected = np.array([mean[0], var[0]]), np.array(_pooled(mask))
  right = error(measured, expected) < 1e-3
  return judge(bool(right), f"{number(mean[0])}, {number(var[0])}")


def _groups(library: Library, how: str) -> Outcome:
  settings = _POOLED._replace(groups=GROUPS)
  require(library, settings)
  x = batch((32, 2), 1)
  step = lambda x: library.step(x, settings)[0]
  if how == "vmap":
    y = jax.jit(jax.vmap(step, axis_name="d"))(x.reshape(4, 8, 2))
  else:
    y = jax.jit(on_devices(step, 4))(x)
  halves = [normalized(half) for half in np.split(x, 2)]
  off = error(np.reshape(y, x.shape), np.concatenate(halves))
  return judge(off < 1e-5, f"{off:.0e}")


def _unbound(library: Library) -> Outcome:
  settings = _POOLED._replace(optional_axis=True)
  require(library, settings)
  if library.axis_in_call:
    raise NotApplicable("an argument of each call")
  y = library.compile(lambda x: library.step(x, settings)[0])(X)
  off = error(y, normalized(X))
  return judge(off < 1e-5, f"{off:.0e}")


def _collectives(library: Library) -> Outcome:
  require(library, _POOLED)
  x = batch((32, 2))
  forward = lambda x: library.step(x, _POOLED)[0]

  def both(x: Any) -> Any:
    y, pullback = jax.vjp(forward, x)
    return y, pullback(y * y)[0]

  counts = []
  for function in (forward, both):
    compiled = jax.jit(on_devices(function, 4)).lower(x).compile()
    found = re.findall(
      r" (?:all-\w+|reduce-scatter|collective-permute)(?:-start)?\(",
      compiled.as_text() or "",
    )
    counts.append(len(found))
  return judge(counts[0] <= 1 and counts[1] <= 2, f"{counts[0]}, {counts[1]}")


def _far(library: Library) -> Outcome:
  require(library, _POOLED)

  def step(x: Any) -> Any:
    _, state = library.step(x, _POOLED)
    return running(library, state, _POOLED, near=1e4)[1][None]

  var = to_numpy(jax.jit(on_devices(step, 4))(FAR))[0]
  return judge(abs(var / _FAR_VAR - 1) < 0.01, number(var))


def _explicit(library: Library, spec: PartitionSpec) -> Outcome:
  if library.calculus is not jax:
    raise NotApplicable("not of JAX")
  mesh = jax.make_mesh((4,), ("d",))
  x = batch((100, 8), 1)
  sharded = jax.device_put(x, NamedSharding(mesh, spec))

  def run(x: Any) -> Any:
    y, pullback = jax.vjp(lambda x: library.step(x, Settings())[0], x)
    return y, pullback(y * y * y)[0]

  y, _ = jax.jit(run)(sharded)
  off = error(y, normalized(x))
  kept = jax.typeof(y).sharding.spec == jax.typeof(sharded).sharding.spec
  return judge(off < 1e-5 and kept, f"{off:.0e}" + ("" if kept else ", moved"))


def _said(mask: np.ndarray) -> str:
  return "mean {:.3g}, variance {:.3g}".format(*_pooled(mask))


CHECKS = [
  Check(
    "D1a",
    "Two shards with masks of 4 and 1 rows have the mean and variance of the "
    f"five: {_said(_UNEVEN)}.",
    lambda library: _masked(library, _UNEVEN),
  ),
  Check(
    "D1b",
    "Two shards with masks of 4 and 0 rows have those of the four: "
    f"{_said(_EMPTY)}.",
    lambda library: _masked(library, _EMPTY),
  ),
  Check(
    "D7a",
    "Two groups of two members under `vmap` are normalized apart: relative "
    "error at most 1e-5.",
    lambda library: _groups(library, "vmap"),
  ),
  Check(
    "D7b",
    "The same under `shard_map` with its default checks.",
    lambda library: _groups(library, "shard_map"),
  ),
  Check(
    "D8",
    "A layer with an `axis_name` can be told to run under plain `jit`, too, "
    "where there is no such axis: relative error at most 1e-5.",
    _unbound,
  ),
  Check(
    "D11a",
    "Collectives in the compiled program of one layer over 4 devices "
    "(`shard_map`), forward, and forward and backward: at most 1, 2.",
    _collectives,
  ),
  Check(
    "D11b",
    "Mean 10⁴ over 4 devices (`shard_map`): the running variance is that of "
    f"the whole batch, {_FAR_VAR:.3g} within 1%.",
    _far,
  ),
  Check(
    "D14a",
    "100 rows on 4 devices of an explicit mesh (the default of "
    "`jax.make_mesh`), forward and backward: relative error at most 1e-5, and "
    "the output sharded as the input.",
    lambda library: _explicit(library, PartitionSpec("d")),
  ),
  Check(
    "D14b",
    "The same with the features sharded.",
    lambda library: _explicit(library, PartitionSpec(None, "d")),
  ),
]
