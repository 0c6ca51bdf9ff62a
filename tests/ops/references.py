"""What batch norm should be, in float64 NumPy, and random batches for it."""

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.floating]
Affine = tuple[FloatArray, FloatArray]


def batch(
  shape: tuple[int, ...], mean: float = 0.0, std: float = 1.0, seed: int = 0
) -> FloatArray:
  """Returns a float32 batch with that mean and standard deviation."""
  rng = np.random.default_rng(seed)
  return (mean + std * rng.standard_normal(shape)).astype(np.float32)


def affine(features: int, seed: int = 1) -> Affine:
  """Returns a scale and a bias."""
  rng = np.random.default_rng(seed)
  scale = rng.uniform(0.5, 2.0, features).astype(np.float32)
  return scale, rng.standard_normal(features).astype(np.float32)


def error(actual: object, expected: object) -> float:
  """Returns the norm of the error over the norm of the reference."""
  expected = np.asarray(expected, np.float64)
  difference = np.asarray(actual, np.float64) - expected
  scale = float(np.linalg.norm(expected.ravel()))
  return float(np.linalg.norm(difference.ravel())) / (scale or 1.0)


def algorithm_1(
  x: FloatArray, scale: FloatArray, bias: FloatArray, epsilon: float = 1e-5
) -> FloatArray:
  """Algorithm 1 of Ioffe and Szegedy over the rows of a matrix."""
  x = np.asarray(x, np.float64)
  mean = x.sum(0) / len(x)
  var = ((x - mean) ** 2).sum(0) / len(x)
  return scale * (x - mean) / np.sqrt(var + epsilon) + bias


def algorithm_1_backward(
  dy: FloatArray, x: FloatArray, scale: FloatArray, epsilon: float = 1e-5
) -> tuple[FloatArray, FloatArray, FloatArray]:
  """The six equations of its section 3: gradients of x, scale and bias."""
  x, dy, m = np.asarray(x, np.float64), np.asarray(dy, np.float64), len(x)
  mean = x.mean(0)
  var = ((x - mean) ** 2).mean(0)
  normal = (x - mean) / np.sqrt(var + epsilon)
  dnormal = dy * scale
  dvar = (dnormal * (x - mean)).sum(0) * -0.5 * (var + epsilon) ** -1.5
  dmean = (dnormal * -1 / np.sqrt(var + epsilon)).sum(0)
  dmean = dmean + dvar * (-2 * (x - mean)).sum(0) / m
  dx = dnormal / np.sqrt(var + epsilon) + dvar * 2 * (x - mean) / m + dmean / m
  return dx, (dy * normal).sum(0), dy.sum(0)
