"""The largest eigenvalues of a loss's Hessian, and what they are about."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from bnjax.lab.probes.landscape import LossFn


class Eigenpairs(NamedTuple):
  """The largest eigenvalues, in descending order.

  Attributes:
    values: `[count]`.
    vectors: `[count, parameters]`, one a row, of length 1; of the parameters
      as `jax.flatten_util.ravel_pytree` puts them in a row.
    errors: `[count]`, ||H v - value v||: an eigenvalue is at most this far.
  """

  values: jax.Array
  vectors: jax.Array
  errors: jax.Array


def hessian_product(loss_fn: LossFn, params: Any, vector: Any) -> Any:
  """Returns the Hessian times a vector, both trees like the parameters.

  The derivative of the gradient along the vector: forward over reverse.

  Example:
    >>> loss = lambda w: w[0] ** 2 * w[1]
    >>> at, along = jnp.array([1.0, 3.0]), jnp.array([1.0, 0.0])
    >>> hessian_product(loss, at, along)
    Array([6., 2.], dtype=float32)
  """
  return jax.jvp(jax.grad(loss_fn), (params,), (vector,))[1]


def top_eigenpairs(
  loss_fn: LossFn,
  params: Any,
  key: jax.Array,
  *,
  count: int = 1,
  steps: int = 20,
) -> Eigenpairs:
  """Returns the largest (not in magnitude) eigenvalues of the Hessian.

  Lanczos' iteration from a random vector, with all vectors kept orthogonal:
  `steps` products with the Hessian, and twice as many vectors of memory. Where
  it has found an invariant space it goes on from another random vector.

  Args:
    loss_fn: parameters -> scalar.
    params: a tree of real arrays.
    key: of the random vectors.
    count: how many eigenvalues.
    steps: how many products, at least count; no more than parameters.

  Raises:
    ValueError: there are fewer steps or parameters than eigenvalues.

  Reference:
    Golub and van Loan, Matrix Computations, chapter 10.

  Example:
    >>> loss = lambda w: 3 * w[0] ** 2 - w[1] ** 2
    >>> top_eigenpairs(loss, jnp.ones(2), jax.random.key(0)).values.round()
    Array([6.], dtype=float32)
  """
  flat, unravel = ravel_pytree(params)
  steps = min(steps, flat.size)
  if not 1 <= count <= steps:
    raise ValueError(f"{count} eigenvalues of {steps} steps or parameters")
  product = lambda v: hessian_product(lambda w: loss_fn(unravel(w)), flat, v)
  basis, images = _krylov(product, flat, key, steps)
  # The Hessian within the space that was seen (Rayleigh and Ritz).
  small = basis @ images.T
  values, within = jnp.linalg.eigh((small + small.T) / 2)
  chosen = within[:, ::-1][:, :count].T
  values = values[::-1][:count]
  vectors = chosen @ basis
  errors = jnp.linalg.norm(chosen @ images - values[:, None] * vectors, axis=1)
  return Eigenpairs(values, vectors, errors)


def _krylov(
  product: Callable[[jax.Array], jax.Array],
  like: jax.Array,
  key: jax.Array,
  steps: int,
) -> tuple[jax.Array, jax.Array]:
  """Returns orthonormal vectors, one a row, and the products with them."""
  tiny = 100 * jnp.finfo(like.dtype).eps

  def orthogonal(vector: jax.Array, basis: jax.Array) -> jax.Array:
    for _ in range(2):  # Once leaves what was rounded.
      vector = vector - (basis @ vector) @ basis
    return vector

  def step(carry: Any, i: jax.Array) -> tuple[Any, None]:
    basis, images, following = carry
    length = jnp.linalg.norm(following)
    largest = jnp.max(jnp.linalg.norm(images, axis=1))
    fresh = jax.random.normal(jax.random.fold_in(key, i), like.shape)
    fresh = orthogonal(fresh.astype(like.dtype), basis)
    following = jnp.where(length > tiny * largest, following, fresh)
    vector = orthogonal(following / jnp.linalg.norm(following), basis)
    vector = vector / jnp.linalg.norm(vector)
    image = product(vector)
    basis, images = basis.at[i].set(vector), images.at[i].set(image)
    return (basis, images, orthogonal(image, basis)), None

  rows = jnp.zeros((steps, like.size), like.dtype)
  start = (rows, rows, jnp.zeros_like(like))
  (basis, images, _), _ = jax.lax.scan(step, start, jnp.arange(steps))
  return basis, images


def output_mean_gradients(
  outputs_fn: Callable[[Any], jax.Array], params: Any
) -> jax.Array:
  """Returns the gradient of the mean over a batch of each output.

  Args:
    outputs_fn: parameters -> outputs `[examples, ..., classes]`.
    params: a tree of real arrays.

  Returns:
    `[classes, parameters]`, of parameters as in `Eigenpairs`.
  """
  flat, unravel = ravel_pytree(params)

  def means(flat: jax.Array) -> jax.Array:
    outputs = outputs_fn(unravel(flat))
    return outputs.mean(tuple(range(outputs.ndim - 1)))

  return jax.jacrev(means)(flat)


def share_in_span(vectors: jax.Array, span: jax.Array) -> jax.Array:
  """Returns which share of each vector's square lies in the span of others.

  Args:
    vectors: `[n, parameters]`, one a row.
    span: `[m, parameters]`; directions that are only rounding do not count.

  Returns:
    `[n]`, from 0, orthogonal to the span, to 1, within it.

  Reference:
    Page (2019), How to train your ResNet 7, of the top eigenvectors and the
    gradients of the outputs' means.

  Example:
    >>> share_in_span(jnp.array([[3.0, 4.0]]), jnp.array([[2.0, 0.0]]))
    Array([0.36], dtype=float32)
  """
  _, sizes, directions = jnp.linalg.svd(span, full_matrices=False)
  least = max(span.shape) * jnp.finfo(span.dtype).eps * jnp.max(sizes)
  kept = jnp.where(sizes[:, None] > least, directions, 0)
  inside = jnp.square(vectors @ kept.T).sum(1)
  return inside / jnp.square(vectors).sum(1)
