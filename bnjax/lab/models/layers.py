"""What follows a kernel in every model: norm, activation, pool, taps."""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from bnjax import linen
from bnjax.lab.errors import UserError
from bnjax.lab.models.arguments import kernel_init_of
from bnjax.lab.models.initializers import Initializer, bias_of
from bnjax.lab.models.norms import NoNorm, Norm


class Tap(nn.Module):
  """The identity: what passes through can be found by the module's name.

  Models put `Tap(name="preactivation_2")(x)` where something is worth seeing.
  It has no parameters and costs nothing; `bnjax.lab.probes` finds it by name.
  """

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns `x`."""
    return x


def is_none(norm: Norm | None) -> bool:
  """Whether there is no normalization."""
  return norm is None or _module_of(norm) is NoNorm


def is_batch_norm(norm: Norm | None) -> bool:
  """Whether it is `bnjax.linen.BatchNorm`, which can apply the relu itself."""
  return norm is not None and _module_of(norm) is linen.BatchNorm


def dense(
  model: Any,
  x: jax.Array,
  features: int,
  name: str,
  *,
  use_bias: bool = True,
  init: str = "",
  kernel_init: Initializer | None = None,
) -> jax.Array:
  """A dense layer of x, started as its model's fields ask, or as `init`.

  With `kernel_init` the kernel starts by that, the bias as before.
  """
  return nn.Dense(
    features,
    use_bias=use_bias,
    kernel_init=kernel_init or kernel_init_of(model, init),
    bias_init=bias_of(init or model.initializer, x.shape[-1]),
    name=name,
  )(x)


def normalize(
  norm: Norm | None,
  x: jax.Array,
  *,
  name: str,
  train: bool,
  mask: jax.Array | None,
  **fields: Any,
) -> jax.Array:
  """Applies a new norm in the compact method of a model.

  Args:
    norm: makes the module; None leaves x as it is.
    x: activations `[n, ..., features]`.
    name: of the module.
    train: normalize by this batch (and update running statistics) or not.
    mask: `[n]`, True where a row is an example and not padding.
    **fields: of the module besides.

  Returns:
    An array like `x`, of its dtype.

  Raises:
    UserError: the norm refuses shapes or arguments.
  """
  if norm is None:
    return x
  if mask is not None:
    mask = mask.reshape(-1, *[1] * (x.ndim - 1))
  if _takes_dtype(norm):  # not that of x and the parameters together
    fields = {"dtype": x.dtype, **fields}
  module: Any = norm(name=name, **fields)
  try:
    y = module(x, use_running_average=not train, mask=mask)
  except ValueError as error:
    raise UserError(f"norm: {type(module).__name__}: {error}") from error
  return y.astype(x.dtype)


def finish(
  parts: Mapping[str, jax.Array],
  *,
  norm: Norm | None,
  placement: str,
  activation: Callable[[jax.Array], jax.Array],
  train: bool,
  mask: jax.Array | None,
  tap: Tap | None = None,
  enter: Sequence[Callable[[jax.Array], jax.Array]] = (),
  pool: Callable[[jax.Array], jax.Array] | None = None,
  per_activation: bool = False,
  fuse: bool = False,
) -> jax.Array:
  """Joins results of kernels, with their norms, the activation and a pool.

  Args:
    parts: name of a norm -> the result that it belongs to, `[n, ..., f]`.
    norm: see `normalize`.
    placement: the norm "before" or "after" the activation, or "after_pool".
    activation: elementwise function.
    train: see `normalize`.
    mask: see `normalize`.
    tap: shows what enters the activation.
    enter: what comes right before a norm, such as dropout, in this order.
    pool: what follows the activation and a norm right after it.
    per_activation: normalize each place of an image by itself, like the units
      of a dense layer.
    fuse: the activation is relu and the norm applies it; nothing is tapped.

  Returns:
    `[n, ..., features]` of all parts, side by side.
  """

  def apply(name: str, x: jax.Array, **fields: Any) -> jax.Array:
    for function in enter if norm is not None else ():
      x = function(x)
    rows = x.reshape(x.shape[0], -1) if per_activation else x
    y = normalize(norm, rows, name=name, train=train, mask=mask, **fields)
    return y.reshape(x.shape)

  def apply_each(x: jax.Array) -> jax.Array:
    ends = np.cumsum([part.shape[-1] for part in parts.values()])
    pieces = jnp.split(x, ends[:-1], axis=-1) if len(parts) > 1 else [x]
    each = zip(parts, pieces, strict=True)
    return _join([apply(*pair) for pair in each])

  if placement == "before":
    fields = {"activation": "relu"} if fuse else {}
    parts = {name: apply(name, x, **fields) for name, x in parts.items()}
  x = _join([*parts.values()])
  if not fuse:
    x = activation(x if tap is None else tap(x))
  if placement == "after":
    x = apply_each(x)
  x = x if pool is None else pool(x)
  return apply_each(x) if placement == "after_pool" else x


def _join(parts: list[jax.Array]) -> jax.Array:
  return jnp.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]


def _module_of(norm: Norm) -> Callable[..., Any]:
  """What a partial of an entry of `NORMS`, or of a module, makes."""
  entry = norm.func if isinstance(norm, functools.partial) else norm
  return inspect.unwrap(entry)


def _takes_dtype(norm: Norm) -> bool:
  """Whether the norm has a field `dtype` that is not set yet."""
  if isinstance(norm, functools.partial) and "dtype" in norm.keywords:
    return False
  parameters = inspect.signature(_module_of(norm)).parameters
  return "dtype" in parameters or any(
    p.kind is p.VAR_KEYWORD for p in parameters.values()
  )
