"""Forward and backward of batch norm: ours beside every library installed.

Two ways. A *call*: one jitted forward and backward, outputs in fresh memory.
The *loop*: ten of them inside one compiled program, the output of each the
input of the next, so that memory is reused as in training.
"""

import math
import statistics
from collections.abc import Callable, Collection
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.candidates import Candidate, jax_candidates
from benchmarks.timing import take_turns, torch_device

SHAPES: tuple[tuple[int, ...], ...] = (
  (256, 256),
  (4096, 256),
  (65536, 256),
  (64, 32, 32, 64),
  (32, 56, 56, 64),
  (128, 28, 28, 128),
  (8, 128, 128, 32),
)
GPU_SHAPES = ((256, 112, 112, 64), (256, 56, 56, 256))
_ITERATIONS = 10
_PASSES = 8  # read, read and write; then read x and dy, twice, and write dx


def rows(
  shape: tuple[int, ...],
  dtype: Any,
  rounds: int,
  only: Collection[str] | None = None,
) -> dict[str, Any]:
  """Milliseconds of every candidate on one shape, and ratios to ours.

  Args:
    shape: of x, features last.
    dtype: of x.
    rounds: how many times each.
    only: the libraries beside PyTorch; None: all that are installed.

  Returns:
    `{"shape", "MB", "floor_ms", "loop": {name: ms}, "call": {name: ms}}`;
    `floor_ms` is the time to move 32 bytes per float32 element (16 per
    bfloat16) at the bandwidth of a copy measured in the same rounds.
  """
  rng = np.random.default_rng(0)
  x = jnp.asarray(rng.normal(size=shape), dtype)
  dy = jnp.asarray(rng.normal(size=shape), dtype)
  scale, bias = jnp.ones(shape[-1]), jnp.zeros(shape[-1])
  candidates = {
    name: candidate
    for name, candidate in jax_candidates(shape[-1], dtype).items()
    if only is None or name in only
  }
  loops = {"copy": _copy(x)} | {
    name: _loop(candidate, x, dy, scale, bias)
    for name, candidate in candidates.items()
  }
  calls = {
    name: _call(candidate, x, dy, scale, bias)
    for name, candidate in candidates.items()
  }
  calls |= _torch_calls(shape, dtype)
  loop, call = take_turns(loops, rounds), take_turns(calls, rounds)
  copy = 1e3 * statistics.median(loop.pop("copy")) / _ITERATIONS
  return {
    "shape": "x".join(map(str, shape)),
    "MB": math.prod(shape) * x.dtype.itemsize / 1e6,
    "floor_ms": copy * _PASSES / 2,
    "loop": _medians(loop, _ITERATIONS),
    "call": _medians(call, 1),
  }


def _medians(times: dict[str, list[float]], per: int) -> dict[str, float]:
  return {k: 1e3 * statistics.median(v) / per for k, v in times.items()}


def _step(candidate: Candidate, x: Any, dy: Any, scale: Any, bias: Any) -> Any:
  y, vjp, rest = jax.vjp(candidate, x, scale, bias, has_aux=True)
  return y, vjp(dy), rest


def _call(candidate: Candidate, *arguments: Any) -> Callable[[], Any]:
  step = jax.jit(lambda *a: _step(candidate, *a))
  return lambda: step(*arguments)


def _loop(
  candidate: Candidate, x: Any, dy: Any, scale: Any, bias: Any
) -> Callable[[], Any]:
  def body(_: Any, carry: Any) -> Any:
    x, dy, scale, bias, rest = carry
    y, (dx, dscale, dbias), rest = _step(candidate, x, dy, scale, bias)
    return y, dx, scale + 1e-9 * dscale, bias + 1e-9 * dbias, rest

  def run(x: Any, dy: Any, scale: Any, bias: Any) -> Any:
    first = _step(candidate, x, dy, scale, bias)[2]
    carry = x, dy, scale, bias, jax.tree.map(jnp.zeros_like, first)
    return jax.lax.fori_loop(0, _ITERATIONS, body, carry)[2:]

  compiled = jax.jit(run)
  return lambda: compiled(x, dy, scale, bias)


def _copy(x: jax.Array) -> Callable[[], Any]:
  """Ten times: read an array as large as x, write it."""
  body = lambda _, x: x * jnp.asarray(1.0009765625, x.dtype)
  run = jax.jit(lambda x: jax.lax.fori_loop(0, _ITERATIONS, body, x))
  return lambda: run(x)


def _torch_calls(shape: tuple[int, ...], dtype: Any) -> dict[str, Any]:
  """PyTorch's, if it is installed and sees the kind of device that JAX uses."""
  device = torch_device()
  if device is None:
    return {}
  import torch

  torch.set_num_threads(torch.get_num_threads())
  kind = torch.bfloat16 if dtype == jnp.bfloat16 else torch.float32

  def call(channels_last: bool) -> Callable[[], Any]:
    sizes = (shape[0], shape[-1], *shape[1:-1])
    layout = torch.contiguous_format
    if channels_last and len(shape) == 4:
      layout = torch.channels_last
    draw = lambda: torch.randn(sizes, dtype=kind, device=device)
    x, dy = (draw().to(memory_format=layout) for _ in range(2))
    x.requires_grad_()
    norm = (torch.nn.BatchNorm2d if len(shape) == 4 else torch.nn.BatchNorm1d)(
      shape[-1], device=device
    ).train()

    def run() -> None:
      torch.autograd.grad(norm(x), (x, norm.weight, norm.bias), dy)
      if device != "cpu":
        torch.cuda.synchronize()

    return run

  calls = {"torch channels-last": call(True)}
  if len(shape) == 4:
    calls["torch NCHW"] = call(False)
  return calls
