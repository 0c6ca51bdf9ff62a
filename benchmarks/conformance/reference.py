"""Data, and what is right for it: batch norm in float64."""

from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, PartitionSpec as P

from benchmarks.conformance.library import EPSILON


def batch(
  shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0, seed: int = 0
) -> np.ndarray:
  """Returns random numbers in float32."""
  values = np.random.default_rng(seed).normal(mean, std, shape)
  return values.astype(np.float32)


def normalized(x: np.ndarray) -> np.ndarray:
  """Returns (x - mean) / sqrt(var + epsilon) over the rows, in float64."""
  x = np.asarray(x, np.float64)
  return (x - x.mean(0)) / np.sqrt(x.var(0) + EPSILON)


def to_numpy(array: Any) -> np.ndarray:
  """Returns any library's array in float64."""
  if hasattr(array, "detach"):  # NumPy knows no bfloat16 of torch's.
    array = array.detach().double()
  return np.asarray(array).astype(np.float64)


def error(actual: Any, expected: np.ndarray) -> float:
  """Returns the norm of the difference over the norm of what is expected."""
  difference = to_numpy(actual) - expected
  return float(np.linalg.norm(difference) / np.linalg.norm(expected))


def on_devices(function: Any, devices: int) -> Any:
  """Returns the function of rows, sharded: `shard_map` over axis "d"."""
  mesh = Mesh(jax.devices()[:devices], ("d",), axis_types=(AxisType.Auto,))
  rows = P("d")
  return jax.shard_map(function, mesh=mesh, in_specs=rows, out_specs=rows)
