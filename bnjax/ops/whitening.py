"""Whitening: decorrelated features, which batch norm's paper did without."""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from bnjax.ops import _axes, _shared
from bnjax.ops._explicit import place, shards, whole
from bnjax.ops._inverse_sqrt import inverse_sqrt, product
from bnjax.ops._statistics import valid
from bnjax.ops.covariance import (
  AxisName,
  Covariance,
  centred,
  in_groups,
  rows_of,
)

_Matrix = Callable[[Array], Array]


def whiten(
  x: Float[Array, "..."],
  scale: Float[Array, " features"] | None = None,
  bias: Float[Array, " features"] | None = None,
  *,
  groups: int = 1,
  feature_axis: int = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
  axis_name: AxisName | None = None,
) -> tuple[Float[Array, "..."], Covariance]:
  """Whitens a batch: zero means, unit variances, and no correlations.

  y = (cov + epsilon I)^-1/2 (x - mean) * scale + bias, for each group

  The symmetric root (ZCA) is, of all whitenings, the one that changes x least.
  It costs a covariance, an eigendecomposition of `[size, size]` and a product
  with x, at size = features / groups. Groups of one feature are batch norm.
  Derivatives of every order are finite, also where eigenvalues are equal. With
  fewer examples than a group's size, some eigenvalues are 0, and epsilon
  decides what becomes of them.

  Args:
    x: real floating array; computed in at least float32.
    scale: one number per feature, or None.
    bias: likewise.
    groups: how many groups of consecutive features; divides the features.
    feature_axis: the axis of the features; all others are averaged over.
    epsilon: added to the variances; one number, which may be traced.
    mask: True where an example (and position) counts, the same for all its
      features; broadcasts to x. Masked cells of y are 0.
    axis_name: named axes whose members are one batch.

  Returns:
    y with x's shape and dtype, and the batch's Covariance: for
    `update_covariance`, whose result `apply_whitening` takes for inference.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: axes, shapes or groups that do not fit, a mask that differs
      between features, or a single example.

  Reference:
    Huang, Yang, Lang and Deng (2018), arXiv:1804.08450; the cost that batch
    norm avoids: Ioffe and Szegedy (2015), arXiv:1502.03167, section 2.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_covariance, whiten
    >>> x = jnp.array([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> y, batch = whiten(x, epsilon=0.0)
    >>> batch.cov
    Array([[[5., 4.], [4., 5.]]], dtype=float32)
    >>> batch_covariance(y).cov.round(4) + 0.0
    Array([[[1., 0.], [0., 1.]]], dtype=float32)
  """
  root = partial(zca_matrix, epsilon=epsilon)
  return _whiten(root, x, scale, bias, groups, feature_axis, mask, axis_name)


def iter_norm(
  x: Float[Array, "..."],
  scale: Float[Array, " features"] | None = None,
  bias: Float[Array, " features"] | None = None,
  *,
  steps: int = 5,
  groups: int = 1,
  feature_axis: int = -1,
  epsilon: float | Float[Array, ""] = 1e-5,
  mask: Bool[Array, "..."] | None = None,
  axis_name: AxisName | None = None,
) -> tuple[Float[Array, "..."], Covariance]:
  """Whitens a batch nearly, by Newton's iteration instead of eigenvectors.

  y = W (x - mean) * scale + bias with W of `newton_matrix`, for each group.
  More steps come closer to `whiten`; few of them leave directions of small
  variance small, which is gentler than blowing up their noise.

  Args:
    x: real floating array; computed in at least float32.
    scale: one number per feature, or None.
    bias: likewise.
    steps: of the iteration; the paper takes 5.
    groups: how many groups of consecutive features; divides the features.
    feature_axis: the axis of the features; all others are averaged over.
    epsilon: added to the variances; one number, which may be traced.
    mask: as in `whiten`.
    axis_name: named axes whose members are one batch.

  Returns:
    y with x's shape and dtype, and the batch's Covariance.

  Raises:
    TypeError: x is complex or not floating; mask is not boolean.
    ValueError: as in `whiten`.

  Reference:
    Huang, Zhou, Zhu, Liu and Shao (2019), arXiv:1904.03441.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import batch_covariance, iter_norm
    >>> x = jnp.array([[3.0, 3.0], [-3.0, -3.0], [1.0, -1.0], [-1.0, 1.0]])
    >>> y, _ = iter_norm(x, steps=10)
    >>> batch_covariance(y).cov.round(3) + 0.0
    Array([[[1., 0.], [0., 1.]]], dtype=float32)
  """
  root = partial(newton_matrix, steps=steps, epsilon=epsilon)
  return _whiten(root, x, scale, bias, groups, feature_axis, mask, axis_name)


def apply_whitening(
  x: Float[Array, "..."],
  mean: Float[Array, " features"],
  matrix: Float[Array, "groups size size"],
  scale: Float[Array, " features"] | None = None,
  bias: Float[Array, " features"] | None = None,
  *,
  feature_axis: int = -1,
) -> Float[Array, "..."]:
  """Whitens x by a given mean and matrix: the inference transform.

  y = matrix (x - mean) * scale + bias, for each group

  Args:
    x: real floating array.
    mean: per feature.
    matrix: `zca_matrix(cov)` or `newton_matrix(cov)`.
    scale: one number per feature, or None.
    bias: likewise.
    feature_axis: the axis of the features.

  Returns:
    An array of x's shape and dtype, computed in at least float32.

  Raises:
    TypeError: x is complex or not floating.
    ValueError: axes or shapes that do not fit.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import apply_whitening, zca_matrix
    >>> matrix = zca_matrix(4 * jnp.eye(2)[None], epsilon=0.0)
    >>> apply_whitening(jnp.array([[3.0, 5.0]]), jnp.ones(2), matrix)
    Array([[1., 2.]], dtype=float32)
  """
  x = _axes.as_array(x)
  size = matrix.shape[0] * matrix.shape[-1]
  if size != x.shape[feature_axis]:
    raise ValueError(
      f"matrix {matrix.shape} is for {size} features, x has "
      f"{x.shape[feature_axis]}."
    )
  given, x = x, in_groups(x, matrix.shape[0], feature_axis)
  wide = x.astype(_axes.statistics_dtype(x.dtype))
  c = wide - _shared.along("mean", mean, wide, feature_axis)
  y = _multiply(c, matrix.astype(c.dtype), feature_axis)
  y = _shared.affine(y, scale, bias, feature_axis).astype(x.dtype)
  return place(y, shards(given), given)


def zca_matrix(
  cov: Float[Array, "*groups size size"],
  *,
  epsilon: float | Float[Array, ""] = 1e-5,
) -> Float[Array, "*groups size size"]:
  """Returns (cov + epsilon I)^-1/2, the symmetric one.

  Args:
    cov: symmetric and positive semidefinite, in float32 or float64.
    epsilon: added to the eigenvalues; one number, which may be traced.

  Returns:
    Symmetric matrices of that shape; differentiable to every order.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import zca_matrix
    >>> zca_matrix(jnp.diag(jnp.array([4.0, 1.0])), epsilon=0.0)
    Array([[0.5, 0. ], [0. , 1. ]], dtype=float32)
  """
  return inverse_sqrt(cov, epsilon)


def newton_matrix(
  cov: Float[Array, "*groups size size"],
  *,
  steps: int = 5,
  epsilon: float | Float[Array, ""] = 1e-5,
) -> Float[Array, "*groups size size"]:
  """Returns an approximation of (cov + epsilon I)^-1/2.

  A = (cov + epsilon I) / t, t = trace(cov + epsilon I)
  P_0 = I,  P_k = (3 P_{k-1} - P_{k-1}^3 A) / 2,  returns P_steps / sqrt(t)

  Converges quadratically once near, from below, along each eigenvector of A;
  an eigenvalue a needs about log(1 / a) / log(9 / 4) steps to come near.

  Args:
    cov: symmetric and positive semidefinite, in float32 or float64.
    steps: how many.
    epsilon: added to the diagonal; one number, which may be traced.

  Returns:
    Matrices of that shape; differentiable to every order.

  Example:
    >>> import jax.numpy as jnp
    >>> from bnjax.ops import newton_matrix
    >>> newton_matrix(4 * jnp.eye(2), steps=6, epsilon=0.0).round(4)
    Array([[0.5, 0. ], [0. , 0.5]], dtype=float32)
  """
  eye = jnp.broadcast_to(jnp.eye(cov.shape[-1], dtype=cov.dtype), cov.shape)
  a = cov + epsilon * eye
  trace = jnp.trace(a, axis1=-2, axis2=-1)[..., None, None]
  # P^3 A amplifies rounding by up to the condition number at each step. Beside
  # Q = P A, with which it commutes, P takes the same values and does not.
  p, q = eye, a / trace
  for _ in range(steps):
    factor = 1.5 * eye - 0.5 * product(p, q)
    p, q = product(factor, p), product(q, factor)
  return p / jnp.sqrt(trace)


def _whiten(
  root: _Matrix,
  x: Array,
  scale: Array | None,
  bias: Array | None,
  groups: int,
  feature_axis: int,
  mask: Array | None,
  axis_name: AxisName | None,
) -> tuple[Array, Covariance]:
  x = _axes.as_array(x)
  axes = _axes.reduced_axes(x.ndim, feature_axis)
  if mask is None and axis_name is None:
    _shared.check_count(x, axes)
  given, x = x, in_groups(x, groups, feature_axis)
  c, batch = centred(x, groups, feature_axis, mask, axis_name)
  y = _multiply(c, root(whole(batch.cov, 0)), feature_axis)
  y = _shared.affine(y, scale, bias, feature_axis)
  y = valid(y, _axes.as_mask(mask, x)).astype(x.dtype)
  return place(y, shards(given), given), batch


def _multiply(c: Array, matrix: Array, feature_axis: int) -> Array:
  """Returns matrix @ c, group by group, in c's shape."""
  rows = rows_of(c, matrix.shape[0], feature_axis)
  matrix = place(matrix, (shards(rows)[-2], (), ()), rows)
  y = jnp.einsum(
    "gij,...gj->...gi", matrix, rows, precision=lax.Precision.HIGHEST
  )
  shape = jnp.moveaxis(c, feature_axis, -1).shape
  return jnp.moveaxis(y.reshape(shape), -1, feature_axis)


__all__ = [
  "apply_whitening",
  "iter_norm",
  "newton_matrix",
  "whiten",
  "zca_matrix",
]
