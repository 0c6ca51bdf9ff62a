"""What the tools know of Flax modules: which are norms, how they are called."""

import contextlib
import inspect
import math
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from bnjax.linen import BatchNorm
from bnjax.ops import Moments, batch_moments
from bnjax.ops._axes import reduced_axes
from bnjax.tools._batches import check_count

Path = tuple[Any, ...]

NORMS = (nn.BatchNorm, BatchNorm)
_FUNCTIONS = tuple(inspect.unwrap(norm.__call__) for norm in NORMS)
_program = jax.make_user_context(default_value=None)


@contextlib.contextmanager
def intercepted(
  interceptor: nn.module.Interceptor, key: Hashable
) -> Iterator[None]:
  """Intercepts methods as `nn.intercept_methods`, in `nn.jit` too.

  What `nn.jit` has traced it does not trace again, nor ask an interceptor
  about; and what it traced with one, it would run without one.

  Args:
    interceptor: as there.
    key: says what the interceptor does. Programs of another key, or of none,
      are not taken for this one.
  """
  with _program(key), nn.intercept_methods(interceptor):
    yield


def is_norm_call(context: nn.module.InterceptorContext) -> bool:
  """Whether a batch norm's own `__call__` is intercepted, Flax's or ours.

  So it is where a subclass calls `super().__call__`; not where its own starts.
  """
  method = getattr(context.orig_method, "func", None)
  return isinstance(context.module, nn.BatchNorm) and method in _FUNCTIONS


def is_other_norm_call(context: nn.module.InterceptorContext) -> bool:
  """Whether the `__call__` of a subclass of batch norm is intercepted."""
  named = context.method_name == "__call__"
  norm = isinstance(context.module, nn.BatchNorm)
  return norm and named and not is_norm_call(context)


class NormCall(NamedTuple):
  """How a norm is called.

  Attributes:
    x: what it normalizes.
    mask: which of it counts, or None.
    by_batch: whether it normalizes by the batch.
    affine: whether the call brings a scale or bias of its own.
    updates: whether it is told to update its running statistics.
    weights: how much each cell counts, or None.
  """

  x: jax.Array
  mask: jax.Array | None
  by_batch: bool
  affine: bool
  updates: bool
  weights: jax.Array | None = None


def norm_call(
  norm: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> NormCall:
  """Sorts the arguments of a batch norm's `__call__`, Flax's or ours."""

  def sort(
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
    weights: jax.Array | None = None,
    normalize_with: str | None = None,
    update_running: bool | None = None,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
  ) -> NormCall:
    source = normalize_with or getattr(norm, "normalize_with", None)
    if source is None:
      running = use_running_average
      running = norm.use_running_average if running is None else running
      source = "running" if running else "batch"
    affine = scale is not None or bias is not None
    if update_running is None:
      update_running = getattr(norm, "update_running", None)
    by_batch, updates = source == "batch", bool(update_running)
    return NormCall(jnp.asarray(x), mask, by_batch, affine, updates, weights)

  return sort(*args, **kwargs)


def moments_of(norm: Any, called: NormCall, axis_name: Any) -> Moments:
  """The moments of what a norm normalizes.

  Args:
    norm: of either of Flax's libraries.
    called: how.
    axis_name: to pool over besides the norm's own, where that is bound.

  Raises:
    ValueError: one value per feature.
  """
  x, mask = called.x, called.mask
  names = (*_names(_bound(norm.axis_name)), *_names(axis_name))
  names = tuple(dict.fromkeys(names))
  axes = norm.axis if isinstance(norm.axis, int) else tuple(norm.axis)
  rows = [x.shape[axis] for axis in reduced_axes(x.ndim, axes)]
  check_count(math.prod([*rows, *(lax.axis_size(name) for name in names)]))
  moments = getattr(norm, "_moments", batch_moments)
  weighted: dict[str, Any] = {}
  if called.weights is not None:
    weighted["weights"] = called.weights
  return moments(
    x if jnp.issubdtype(x.dtype, jnp.inexact) else x.astype(jnp.float32),
    feature_axes=axes,
    mask=None if mask is None else jnp.asarray(mask).astype(bool),
    axis_name=names or None,
    **weighted,
  )


def unseen(name: str, path: Path) -> ValueError:
  """The error for a subclass whose input cannot be seen."""
  return ValueError(
    f"{name} ({'/'.join(map(str, path))}) is a subclass of BatchNorm that does "
    "not call BatchNorm's own __call__: what it normalizes cannot be seen."
  )


def get(tree: Any, path: Path) -> Any:
  """Returns the node at a path of nested dicts, or an empty one."""
  for name in path:
    tree = tree.get(name, {})
  return tree


def as_types(given: Any, name: str) -> tuple[type, ...]:
  """Returns module classes, of which there may be one, as a tuple."""
  types = given if isinstance(given, (tuple, list)) else (given,)
  if not all(isinstance(kind, type) for kind in types):
    raise TypeError(f"{name} must be module classes, got {given!r}.")
  return tuple(types)


def _names(axis_name: str | tuple[str, ...] | None) -> tuple[str, ...]:
  if axis_name is None:
    return ()
  return (axis_name,) if isinstance(axis_name, str) else tuple(axis_name)


def _bound(axis_name: Any) -> Any:
  """Returns the axis name, or None where no such axis is mapped over."""
  if axis_name is None:
    return None
  try:
    lax.axis_index(axis_name)
  except NameError:
    return None
  return axis_name
