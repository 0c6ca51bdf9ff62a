"""A function of a tree of parameters along a direction, such as an update."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

LossFn = Callable[[Any], jax.Array]
T = TypeVar("T")


def along_direction(
  function: Callable[[Any], T], params: Any, direction: Any, shares: jax.Array
) -> T:
  """Returns what a function gives at params + share * direction.

  One share after another, so that the memory is that of one.

  Args:
    function: parameters -> a tree of arrays.
    params: a tree of arrays.
    direction: a tree like it, such as what an optimizer adds.
    shares: `[shares]`, such as `jnp.linspace(0, 1, 11)`: 0 to all of it.

  Returns:
    The tree of arrays, `[shares, ...]` each.

  Example:
    >>> w, update = jnp.ones(2), jnp.array([1.0, 2.0])
    >>> along_direction(jnp.sum, w, update, jnp.array([0, 0.5]))
    Array([2. , 3.5], dtype=float32)
  """

  def there(share: jax.Array) -> T:
    moved = lambda p, d: p + share.astype(p.dtype) * d.astype(p.dtype)
    return function(jax.tree.map(moved, params, direction))

  found: T = jax.lax.map(there, jnp.asarray(shares))
  return found


class AlongGradient(NamedTuple):
  """What steps against the gradient meet; `[steps]` each but the first two.

  Attributes:
    loss: where the steps begin.
    norm: of the gradient g there.
    losses: at the end of each step.
    changes: ||g' - g|| / ||g||, of the gradient g' there.
    cosines: of the angle between g' and g.
  """

  loss: jax.Array
  norm: jax.Array
  losses: jax.Array
  changes: jax.Array
  cosines: jax.Array


def along_gradient(
  loss_fn: LossFn, params: Any, steps: jax.Array
) -> AlongGradient:
  """Returns the loss and the gradient at params - step * gradient.

  One gradient for each step, one after another, so that the memory is that of
  two. `changes` is how badly the gradient predicts the next one; times `norm`
  it is the distance that Santurkar et al. draw, which is not comparable
  between networks, and divided by `steps` a smoothness, which is 1 / step
  wherever the gradient changes by its own size.

  Args:
    loss_fn: parameters -> scalar.
    params: a tree of real arrays.
    steps: `[steps]`, such as `jnp.geomspace(1e-4, 1, 9)`.

  Returns:
    AlongGradient; NaN in `changes` and `cosines` where a gradient is 0.

  Reference:
    Santurkar et al. (2018), arXiv:1805.11604, section 3.1.

  Example:
    >>> seen = along_gradient(lambda w: w @ w, jnp.ones(1), jnp.array([0.25]))
    >>> seen.losses, seen.changes  # From 1 to 1 - .25 * 2.
    (Array([0.25], dtype=float32), Array([0.5], dtype=float32))
  """
  flat, unravel = ravel_pytree(params)
  at = jax.value_and_grad(lambda flat: loss_fn(unravel(flat)))
  loss, gradient = at(flat)
  norm = jnp.linalg.norm(gradient)

  def look(there: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    loss_there, other = at(there)
    return loss_there, *compared(gradient, other)

  return AlongGradient(
    loss, norm, *along_direction(look, flat, -gradient, steps)
  )


def compared(before: Any, after: Any) -> tuple[jax.Array, jax.Array]:
  """Returns ||after - before|| / ||before||, and the cosine between them.

  Args:
    before: a tree of arrays, taken as one vector.
    after: another of the same shapes.
  """
  before, _ = ravel_pytree(before)
  after, _ = ravel_pytree(after)
  norm = jnp.linalg.norm(before)
  change = jnp.linalg.norm(after - before) / norm
  # Of unit vectors, whose product neither vanishes nor overflows.
  cosine = (before / norm) @ (after / jnp.linalg.norm(after))
  return change, cosine
