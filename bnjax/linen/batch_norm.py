"""Batch normalization for Flax linen, instead of `flax.linen.BatchNorm`."""

import dataclasses
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp
from flax import linen as nn

from bnjax.linen import _checks, _layer
from bnjax.ops import Preset, Rule, Running
from bnjax.ops._axes import as_array


class BatchNorm(nn.BatchNorm):
  """Drop-in for `flax.linen.BatchNorm`: same arguments, same variables.

  y = (x - mean) / sqrt(var + epsilon) * scale + bias

  All of Flax's attributes come first and mean what they do there; its
  `momentum` is what bnjax calls `decay`, `new = momentum * old +
  (1 - momentum) * batch`, and PyTorch's is one minus this. `params` (`scale`,
  `bias`) and `batch_stats` (`mean`, `var`) are Flax's, so checkpoints load
  either way. Better than there, on purpose:

  - Statistics are exact whatever the mean, at the cost of the fast variance:
    `use_fast_variance` has no effect.
  - Shards with unequal masks are weighted by their counts, in one collective;
    `axis_index_groups` work under `vmap` and `shard_map` too.
  - A batch in which nothing counts leaves the running statistics as they are,
    and its output is finite, with zero gradient.
  - Masked cells of the output are 0 in training (in Flax: normalized).
  - One value per feature is a `ValueError` in training (in Flax: zeros),
    though not in `init`. Where a mask or `axis_name` hides that, y is `bias`.
  - Statistics are never narrower than float32, whatever
    `force_float32_reductions` says; it decides what `batch_stats` are kept
    in. They keep that dtype, which is float64 for a float64 `param_dtype`.
  - No gradient flows through the updated running statistics.
  - Complex inputs are a `TypeError`: they have a covariance, not a variance.

  Attributes:
    normalize_with: "batch" or "running"; here or in the call, it overrides
      `use_running_average`, which then need not be given. With "running" in
      training, the layer is frozen.
    update_running: whether a call updates the running statistics. By default
      if it normalizes with the batch and `use_running_average` is not True.
    train_affine: whether gradients reach `scale` and `bias`.
    rule: of the running statistics, see `bnjax.ops.rules`, instead of
      `ema(momentum)`; or a preset, or its name, such as "pytorch", for the
      preset's rule: its epsilon is not taken, that is the field `epsilon`.
      Rules that need to know how much has been averaged keep it as `weight`
      and `var_weight` in `batch_stats` (less by batches of one value, which
      have no variance), and by count also the mean's last digits, `rest`;
      inference does without them. At 0, where there were none, the first
      batch replaces the mean and variance.
    groups: number of groups of consecutive examples that are normalized apart
      (`ops.ghost_batch_norm`): of all devices of `axis_name`, the same groups
      whatever their number. The running statistics follow those of all groups
      together. Not with `axis_index_groups`.
    missing_axis: "ignore" leaves out those of `axis_name` that are not bound,
      so one model runs in and out of `pmap`; "error" is Flax's NameError.
    activation: "relu" applies it without storing what it is applied to.
    skip_nonfinite: leave a batch out of the running statistics if any of its
      means or variances is infinite or NaN.

  Raises:
    TypeError: x is complex; a mask not of booleans or integers; or, in the call
      and in any mode, a field of another type, such as an `activation` that is
      a function.
    ValueError: axes, shapes, groups or masks that do not fit; a field out of
      its range, or none of its values.

  Reference:
    Ioffe and Szegedy (2015), arXiv:1502.03167.

  Example:
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.linen import BatchNorm
    >>> x = jnp.array([[1.0], [5.0]])
    >>> norm = BatchNorm(momentum=0.9)
    >>> variables = norm.init(jax.random.key(0), x, use_running_average=True)
    >>> y, updates = norm.apply(
    ...   variables, x, use_running_average=False, mutable=["batch_stats"]
    ... )
    >>> y.round(3)
    Array([[-1.],
           [ 1.]], dtype=float32)
    >>> updates["batch_stats"]["mean"]
    Array([0.3], dtype=float32)
  """

  _: dataclasses.KW_ONLY
  normalize_with: _layer.Source | None = None
  update_running: bool | None = None
  train_affine: bool = True
  rule: Rule | Preset | str | None = None
  groups: int | None = None
  missing_axis: Literal["error", "ignore"] = "error"
  activation: Literal["relu"] | None = None
  skip_nonfinite: bool = False

  @nn.compact
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
      x: floating or integer array with the feature axes `axis`.
      use_running_average: as the attribute of that name; in one of the places.
      mask: broadcastable to `x`, True (or 1) where a value counts. Floats are
        refused: they may be meant as weights.
      weights: broadcastable to `x`, how often a value counts in the mean and
        the variance, from 0; see `bnjax.batch_norm`.
      normalize_with: as the attribute, which it overrides.
      update_running: as the attribute, which it overrides.
      scale: instead of the layer's own (`use_scale=False`), with the shape of
        the features; or broadcastable to `x` with all of its axes, to differ
        between examples (conditional batch norm).
      bias: likewise.

    Returns:
      An array of the shape of `x` and of `dtype`, by default that of `x`,
      scale and bias promoted together.
    """
    x = as_array(x)
    _checks.check(self, x.shape)
    if self.normalize_with is None and normalize_with is None:
      use_running_average = nn.merge_param(
        "use_running_average", self.use_running_average, use_running_average
      )
    elif use_running_average is None:
      use_running_average = self.use_running_average
    source, update = _layer.switches(
      self, use_running_average, normalize_with, update_running
    )
    # A list, as in Flax: initializers may depend on it.
    shape = [x.shape[a] for a in _layer.feature_axes(x.ndim, self.axis)]
    dtype = self.param_dtype
    if self.force_float32_reductions:
      dtype = _layer.statistics_dtype(dtype)
    kept = {
      "mean": self.variable("batch_stats", "mean", jnp.zeros, shape, dtype),
      "var": self.variable("batch_stats", "var", jnp.ones, shape, dtype),
    }
    if update or self.is_initializing():
      for name in _layer.kept(self)[2:]:
        # Beside a weight of another origin, what there is of var weighs as all.
        like = kept.get("weight") if name == "var_weight" else None
        kept[name] = self.variable(
          "batch_stats",
          name,
          lambda like=like: (
            jnp.zeros(shape, dtype) if like is None else jnp.array(like.value)
          ),
        )
    own_scale = own_bias = None
    if self.use_scale:
      own_scale = self.param("scale", self.scale_init, shape, self.param_dtype)
    if self.use_bias:
      own_bias = self.param("bias", self.bias_init, shape, self.param_dtype)
    old = {name: variable.value for name, variable in kept.items()}
    update = update and not self.is_initializing()
    scale = _layer.affine_of(self, own_scale, scale, "scale")
    bias = _layer.affine_of(self, own_bias, bias, "bias")
    y, running = _layer.forward(
      self,
      x,
      Running(**{"weight": jnp.zeros_like(old["mean"]), **old}),
      scale,
      bias,
      dtype=_layer.result_dtype(self.dtype, x, scale, bias),
      source=source,
      update=update,
      mask=mask,
      weights=weights,
      initializing=self.is_initializing(),
      by_batch=self._by_batch(update, source),
    )
    if update:
      for name, variable in kept.items():
        variable.value = getattr(running, name)
    return y

  @nn.nowrap
  def _by_batch(
    self, update: bool, source: _layer.Source
  ) -> Callable[..., tuple[jax.Array, Running]] | None:
    """What a subclass normalizes a batch by, one of `bnjax.linen._batches`."""
    del update, source
    return None
