"""D10 and D13: what the backward pass keeps, and every derivative."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.conformance.library import EPSILON, Library, Settings
from benchmarks.conformance.outcome import Check, Outcome, judge
from benchmarks.conformance.reference import batch, error, to_numpy

_WIDE = batch((4096, 8), 1)
X, V, W = (batch((8, 3), 0.5, 1, seed) for seed in range(3))


def _kept(library: Library, dtype: str, relu: bool) -> Outcome:
  settings = Settings(dtype=dtype)
  state = library.initial(_WIDE.shape[1], settings)

  def layer(x: Any) -> Any:
    fused = relu and library.fuses_relu
    y, _ = library.step(x, settings, state=state, relu=fused)
    return library.relu(y) if relu and not fused else y

  x = library.array(_WIDE, dtype)
  each = library.residual_bytes(layer, x) / _WIDE.size
  size = jnp.dtype(dtype).itemsize
  return judge(each < size * 1.05, f"{each:.1f}")


def _modes(
  calculus: Any, layer: Callable[[Any], Any], x: Any, v: Any, w: Any
) -> dict[str, Callable[[], Any]]:
  """Returns five ways to differentiate, by name."""
  gradient = calculus.grad(lambda x: (w * layer(x) ** 3).sum())
  return {
    "jvp": lambda: calculus.jvp(layer, (x,), (v,))[1],
    "linearize": lambda: calculus.linearize(layer, x)[1](v),
    "jacfwd": lambda: (calculus.jacfwd(layer)(x) * v[None, None]).sum((-2, -1)),
    "forward over reverse": lambda: calculus.jvp(gradient, (x,), (v,))[1],
    "reverse over reverse": lambda: calculus.vjp(gradient, x)[1](v)[0],
  }


def _plain(x: Any) -> Any:
  mean, var = x.mean(0, keepdims=True), x.var(0, keepdims=True)
  return (x - mean) / jnp.sqrt(var + EPSILON)


@functools.cache
def _expected() -> dict[str, np.ndarray]:
  """Returns what the modes give in float64, for the formula itself."""
  with jax.enable_x64(True):
    x, v, w = (jnp.asarray(a, jnp.float64) for a in (X, V, W))
    modes = _modes(jax, _plain, x, v, w)
    return {name: to_numpy(mode()) for name, mode in modes.items()}


def _derivatives(library: Library) -> Outcome:
  x, v, w = (library.array(a) for a in (X, V, W))
  state = library.initial(X.shape[1], Settings())
  layer = lambda x: library.step(x, Settings(), state=state)[0]
  expected, failed = _expected(), {}
  for name, mode in _modes(library.calculus, layer, x, v, w).items():
    try:
      off = error(mode(), expected[name])
      if not off < 1e-4:
        failed[name] = f"off by {off:.0e}"
    except Exception as problem:
      failed[name] = type(problem).__name__
  right = len(expected) - len(failed)
  text = f"{right} of {len(expected)}"
  if failed:
    text += ": " + ", ".join(f"{k} {v}" for k, v in failed.items())
  return judge(not failed, text)


def _check(key: str, what: str, dtype: str, relu: bool) -> Check:
  return Check(key, what, lambda library: _kept(library, dtype, relu))


CHECKS = [
  _check(
    "D10a",
    "Bytes that an uncompiled backward pass keeps for each element in "
    "float32: 4.0, those of x.",
    "float32",
    False,
  ),
  _check("D10b", "The same with ReLU: 4.0.", "float32", True),
  _check("D10c", "The same with ReLU in bfloat16: 2.0.", "bfloat16", True),
  Check(
    "D13",
    "jvp, linearize, jacfwd, forward over reverse and reverse over reverse "
    "agree with float64 to 1e-4: 5 of 5.",
    _derivatives,
  ),
]
