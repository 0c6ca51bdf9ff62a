"""Training of some parameters alone; the others stay as they were drawn."""

import zlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from bnjax.lab.probes.capture import flatten
from bnjax.lab.probes.names import select


class OnlyState(NamedTuple):
  """The optimizer's own state, and which weights of kernels are trained."""

  inner: Any
  weights: dict[str, jax.Array]  # name -> bool of the kernel's shape


def only(
  optimizer: optax.GradientTransformation,
  names: Sequence[str],
  weights: int = 0,
) -> optax.GradientTransformation:
  """The optimizer, whose updates of all other parameters are 0.

  Args:
    optimizer: any; it sees the gradient of all parameters.
    names: patterns of the trained ones: "norm_*", "output/kernel".
    weights: of each unit of their kernels (`[..., inputs, units]`) train so
      many weights, drawn at random, the same for every seed; all if 0.

  Raises:
    UserError: a pattern matches no parameter; in `init`.

  Reference:
    Frankle, Schwab and Morcos (2021), arXiv:2003.00152: batch norm's parameters
    alone, and as many random weights.

  Example:
    >>> optimizer = only(optax.sgd(0.5), ["b"])
    >>> params = {"a": jnp.ones(2), "b": jnp.ones(2)}
    >>> optimizer.update(params, optimizer.init(params), params)[0]
    {'a': Array([0., 0.], dtype=float32), 'b': Array([-0.5, -0.5],
    dtype=float32)}
  """

  def init(params: Any) -> OnlyState:
    flat = flatten(params)
    chosen = select("trained", names, flat)
    sparse = {
      name: _some(name, flat[name], weights)
      for name in chosen
      if weights and name.rpartition("/")[2] == "kernel"
    }
    return OnlyState(optimizer.init(params), sparse)

  def update(
    updates: Any, state: OnlyState, params: Any = None
  ) -> tuple[Any, OnlyState]:
    updates, inner = optimizer.update(updates, state.inner, params)
    flat = flatten(updates)
    chosen = {*select("trained", names, flat)}
    kept = [
      jnp.where(state.weights.get(name, True), x, jnp.zeros_like(x))
      if name in chosen
      else jnp.zeros_like(x)
      for name, x in flat.items()
    ]
    tree = jax.tree.unflatten(jax.tree.structure(updates), kept)
    return tree, OnlyState(inner, state.weights)

  return optax.GradientTransformation(init, update)


def _some(name: str, kernel: jax.Array, count: int) -> jax.Array:
  """True for `count` weights of each unit, by the parameter's name."""
  key = jax.random.fold_in(jax.random.key(0), zlib.crc32(name.encode()))
  rows = kernel.reshape(-1, kernel.shape[-1])
  places = jnp.argsort(jax.random.uniform(key, rows.shape), axis=0)
  ranks = jnp.argsort(places, axis=0)
  return (ranks < count).reshape(kernel.shape)
