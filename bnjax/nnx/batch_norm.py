"""Batch normalization for Flax NNX, instead of `flax.nnx.BatchNorm`."""

from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from flax import nnx
from flax.nnx import summary
from flax.nnx.bridge.wrappers import current_linen_module
from flax.nnx.nn import dtypes
from jax import lax

from bnjax.linen import _checks, _layer
from bnjax.ops import Preset, Rule, Running
from bnjax.ops._axes import as_array


class BatchNorm(nnx.BatchNorm):
  """Drop-in for `flax.nnx.BatchNorm`: same arguments, same Variables.

  y = (x - mean) / sqrt(var + epsilon) * scale + bias

  Takes every argument of Flax's, which mean what they do there, and those
  below by keyword. `momentum` is what bnjax calls `decay`, `new = momentum *
  old + (1 - momentum) * batch`; PyTorch's is one minus this. `scale` and
  `bias` are `nnx.Param`, `mean` and `var` are `nnx.BatchStat`; `train()`,
  `eval()` and `nnx.view` set `use_running_average`.

  It differs on purpose in what `bnjax.linen.BatchNorm` lists, and in dtypes,
  where it is as linen: `dtype` is that of the result, and neither x nor the
  statistics are rounded to it before they are subtracted. A `promote_dtype`
  other than Flax's is obeyed for x, scale and bias.

  One value per feature is an error in training, once that is run or compiled.
  `nnx.eval_shape` goes through; so do `nnx.tabulate`, `nnx.bridge.lazy_init`
  and `init` of `nnx.bridge.ToLinen` and `nnx.bridge.Module`, where the layer
  does as linen's in `init`: y is `bias` for one value, axes are not pooled
  over, and the running statistics stay as they are (in Flax: they move). What
  remains: a training step, or `jit(...).lower`, with a dummy of one row.

  With `nnx.vmap` over examples, set its `axis_name` and the layer's, or
  `update_running=False`: else every example would leave other statistics.

  Args:
    num_features: the number of features.
    rngs: for the initializers of `scale` and `bias`.
    normalize_with: see `bnjax.linen.BatchNorm`, as for the following.
    update_running: likewise.
    train_affine: likewise.
    rule: likewise.
    groups: likewise.
    missing_axis: likewise.
    activation: likewise.
    skip_nonfinite: likewise.
    **arguments: of `flax.nnx.BatchNorm`.

  Raises:
    TypeError: x is complex; a mask not of booleans or integers; or an argument
      of another type.
    ValueError: axes, shapes, groups or masks that do not fit; an argument out
      of its range, or none of its values; x has not `num_features` features.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167.

  Example:
    >>> import jax.numpy as jnp
    >>> from flax import nnx
    >>> from bnjax.nnx import BatchNorm
    >>> norm = BatchNorm(1, momentum=0.9, rngs=nnx.Rngs(0))
    >>> norm(jnp.array([[1.0], [5.0]])).round(3)
    Array([[-1.],
           [ 1.]], dtype=float32)
    >>> norm.mean[...]
    Array([0.3], dtype=float32)
    >>> norm.eval()
    >>> norm(jnp.array([[0.3]]))
    Array([[0.]], dtype=float32)
  """

  def __init__(
    self,
    num_features: int,
    *,
    rngs: nnx.Rngs,
    normalize_with: _layer.Source | None = None,
    update_running: bool | None = None,
    train_affine: bool = True,
    rule: Rule | Preset | str | None = None,
    groups: int | None = None,
    missing_axis: Literal["error", "ignore"] = "error",
    activation: Literal["relu"] | None = None,
    skip_nonfinite: bool = False,
    **arguments: Any,
  ) -> None:
    super().__init__(num_features, rngs=rngs, **arguments)
    self.normalize_with = normalize_with
    self.update_running = update_running
    self.train_affine = train_affine
    self.rule = _data(rule)
    self.groups = groups
    self.missing_axis = missing_axis
    self.activation = activation
    self.skip_nonfinite = skip_nonfinite
    _checks.check(self)
    dtype = _layer.statistics_dtype(self.param_dtype)
    self.mean = nnx.BatchStat(jnp.zeros(num_features, dtype))
    self.var = nnx.BatchStat(jnp.ones(num_features, dtype))
    for name in _layer.kept(self)[2:]:
      setattr(self, name, nnx.BatchStat(jnp.zeros(num_features, dtype)))

  def __call__(
    self,
    x: jax.Array,
    use_running_average: bool | None = None,
    *,
    mask: jax.Array | None = None,
    weights: jax.Array | None = None,
    normalize_with: _layer.Source | None = None,
    update_running: bool | None = None,
    scale: jax.Array | None = None,
    bias: jax.Array | None = None,
  ) -> jax.Array:
    """Normalizes `x`, and updates the running statistics in training.

    Args:
      x: floating or integer array, `num_features` long on its `axis`.
      use_running_average: as the argument of that name, which it overrides.
      mask: broadcastable to `x`, True (or 1) where a value counts. Floats are
        refused: they may be meant as weights.
      weights: broadcastable to `x`, how often a value counts in the mean and
        the variance, from 0; see `bnjax.batch_norm`.
      normalize_with: as the argument, which it overrides.
      update_running: as the argument, which it overrides.
      scale: instead of the layer's own (`use_scale=False`), with the shape of
        the features; or broadcastable to `x` with all of its axes, to differ
        between examples (conditional batch norm).
      bias: likewise.

    Returns:
      An array of the shape of `x` and of `dtype`, by default that of `x`,
      statistics, scale and bias promoted together.
    """
    x = as_array(x)
    self._check(x)
    if use_running_average is None:
      use_running_average = self.use_running_average
    if (use_running_average, self.normalize_with, normalize_with) == (
      None,
    ) * 3:
      raise ValueError(
        "No `use_running_average` argument was provided to BatchNorm: pass it "
        "to the constructor, to the call or to `nnx.view`."
      )
    source, update = _layer.switches(
      self, use_running_average, normalize_with, update_running
    )
    own = [None if v is None else v[...] for v in (self.scale, self.bias)]
    scale = _layer.affine_of(self, own[0], scale, "scale")
    bias = _layer.affine_of(self, own[1], bias, "bias")
    kept = {name: getattr(self, name) for name in _layer.kept(self)}
    old = {name: variable[...] for name, variable in kept.items()}
    mean, var = old["mean"], old["var"]
    arrays = (x, mean, var, scale, bias)
    dtype = _layer.result_dtype(self.dtype, *arrays)
    if self.promote_dtype is not dtypes.promote_dtype:
      x, _, _, scale, bias = self.promote_dtype(arrays, dtype=self.dtype)
      dtype = _layer.result_dtype(self.dtype, x, scale, bias)
    initializing = _initializing(self)
    update = update and not initializing
    y, running = _layer.forward(
      self,
      x,
      Running(**{"weight": jnp.zeros_like(mean), **old}),
      scale,
      bias,
      dtype=dtype,
      source=source,
      update=update,
      mask=mask,
      initializing=initializing,
      weights=weights,
      by_batch=self._by_batch(update, source),
    )
    if update:
      running = lax.stop_gradient(running)
      for name, variable in kept.items():
        variable[...] = getattr(running, name)
    return y

  def _check(self, x: jax.Array) -> None:
    _checks.check(self, x.shape)
    axes = _layer.feature_axes(x.ndim, self.axis)
    shape = tuple(x.shape[axis] for axis in axes)
    if shape != self.mean.shape:
      raise ValueError(
        f"x {x.shape} has the features {shape} on axis={self.axis}, and the "
        f"layer num_features={self.num_features}."
      )

  def set_view(
    self,
    use_running_average: bool | None = None,
    normalize_with: _layer.Source | None = None,
    update_running: bool | None = None,
    train_affine: bool | None = None,
  ) -> None:
    """Sets what `nnx.view` may set.

    Args:
      use_running_average: normalize with the running statistics.
      normalize_with: "batch" or "running".
      update_running: whether a call updates the running statistics.
      train_affine: whether gradients reach `scale` and `bias`.
    """
    super().set_view(use_running_average)
    if normalize_with is not None:
      self.normalize_with = normalize_with
    if update_running is not None:
      self.update_running = update_running
    if train_affine is not None:
      self.train_affine = train_affine

  def _by_batch(
    self, update: bool, source: _layer.Source
  ) -> Callable[..., tuple[jax.Array, Running]] | None:
    """What a subclass normalizes a batch by, one of `bnjax.linen._batches`."""
    del update, source
    return None


def _data(rule: Any) -> Any:
  """Marks a rule with a traced decay, or an array, as data of the module."""
  traced = any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(rule))
  return nnx.data(rule) if traced else rule


def _initializing(layer: nnx.Module) -> bool:
  """Whether the call is to make variables or a summary, not to train."""
  if layer._pytree__state.initializing:  # nnx.bridge.lazy_init
    return True
  # nnx.tabulate puts functions of its own in the place of methods.
  call = type(layer).__call__
  if getattr(call, "__globals__", None) is vars(summary):
    return True
  # nnx.bridge.ToLinen, and nnx.bridge.Module around a layer it has just made
  around = (current_linen_module(), nnx.bridge.current_module())
  return any(each is not None and each.is_initializing() for each in around)
