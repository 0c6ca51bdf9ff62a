"""The inverse square root of a symmetric matrix, and its derivatives.

With W = A^-1/2 and S = A^1/2, W S = I gives dW = -W dS W, where dS solves the
Lyapunov equation S dS + dS S = dA. In the eigenvectors of A that is a division
by s_i + s_j, the sum of two square roots, which is positive also where the
eigenvalues are equal. (The derivative of the eigenvectors themselves divides
by differences of eigenvalues and has no value there.) Its own derivative is
another Lyapunov equation, so every order is finite, from one `eigh`.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax


class _Spectrum(NamedTuple):
  """Orthonormal columns, and the square roots of their eigenvalues."""

  vectors: jax.Array
  roots: jax.Array


def inverse_sqrt(a: jax.Array, epsilon: float | jax.Array) -> jax.Array:
  """Returns (a + epsilon I)^-1/2 of symmetric positive semidefinite matrices.

  Rounding makes zero eigenvalues slightly negative: they count as zero.
  """
  values, vectors = jnp.linalg.eigh(lax.stop_gradient(a))
  roots = jnp.sqrt(jnp.maximum(values, 0) + epsilon)
  eye = jnp.eye(a.shape[-1], dtype=a.dtype)
  return _inverse(
    _Spectrum(vectors, roots), a + jnp.broadcast_to(epsilon * eye, a.shape)
  )


@jax.custom_jvp
def _inverse(spectrum: _Spectrum, a: jax.Array) -> jax.Array:
  """Returns a^-1/2, computed from the spectrum of a."""
  scaled = spectrum.vectors / spectrum.roots[..., None, :]
  return product(scaled, _transpose(spectrum.vectors))


@_inverse.defjvp
def _inverse_jvp(primals, tangents):  # type: ignore[no-untyped-def]
  spectrum, a = primals
  inverse = _inverse(spectrum, a)
  root = product(a, inverse)
  droot = _lyapunov(spectrum, root, tangents[1])
  return inverse, -product(product(inverse, droot), inverse)


def _lyapunov(spectrum: _Spectrum, root: jax.Array, c: jax.Array) -> jax.Array:
  """Returns the x of root @ x + x @ root = c.

  A linear solve, so that JAX transposes it and differentiates it again by the
  equation, and not by the way in which it is solved.
  """
  vectors, roots = spectrum

  def solve(_: Any, c: jax.Array) -> jax.Array:
    inner = product(product(_transpose(vectors), c), vectors)
    inner = inner / (roots[..., :, None] + roots[..., None, :])
    return product(product(vectors, inner), _transpose(vectors))

  return lax.custom_linear_solve(
    lambda x: product(root, x) + product(x, root), c, solve, symmetric=True
  )


def product(a: jax.Array, b: jax.Array) -> jax.Array:
  """Returns a @ b, at full precision on every device."""
  return jnp.matmul(a, b, precision=lax.Precision.HIGHEST)


def _transpose(a: jax.Array) -> jax.Array:
  return jnp.swapaxes(a, -1, -2)
