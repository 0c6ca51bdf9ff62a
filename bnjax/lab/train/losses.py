"""Losses and accuracy, as sums over the examples that count."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class Sums(NamedTuple):
  """Mergeable by addition: what an average needs."""

  loss: jax.Array  #: sum of the examples' losses: cross-entropies in nats
  #: number of examples classified correctly; None where nothing is
  correct: jax.Array | None
  examples: jax.Array  #: how many there are: what `loss` is divided by


Loss = Callable[[jax.Array, jax.Array, jax.Array | None], Sums]


def classification_sums(
  logits: jax.Array, labels: jax.Array, mask: jax.Array | None = None
) -> Sums:
  """Cross-entropy and accuracy of `logits` `[n, classes]`.

  Args:
    logits: unnormalized log-probabilities.
    labels: `[n]` of int, the right class.
    mask: `[n]` of bool, False where the row is padding.

  Returns:
    Sums in float32, the loss in float64 if the logits are. Logits that are not
    finite count as class 0 or whichever class `argmax` gives: a diverged
    network has an accuracy, of guessing.
  """
  losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
  correct = jnp.argmax(logits, -1) == labels
  if mask is None:
    examples = jnp.asarray(labels.shape[0], jnp.float32)
  else:
    losses = jnp.where(mask, losses, 0)
    correct = correct & mask
    examples = jnp.sum(mask, dtype=jnp.float32)
  return Sums(
    jnp.sum(losses, dtype=_at_least_float32(losses)),
    jnp.sum(correct, dtype=jnp.float32),
    examples,
  )


def _sum_loss(*, scale: float = 1.0) -> Loss:
  """`scale Σ y` of the outputs `y`: what is back-propagated is `scale`.

  It is a sum and not a mean, counted as one example.
  """
  return _total(lambda outputs: scale * outputs)


def _squares_loss() -> Loss:
  """`Σ y²` of the outputs `y`, a sum as `sum` is."""
  return _total(jnp.square)


def _total(terms_of: Callable[[jax.Array], jax.Array]) -> Loss:
  def loss(
    outputs: jax.Array, labels: jax.Array, mask: jax.Array | None = None
  ) -> Sums:
    del labels
    terms = terms_of(outputs)
    if mask is not None:
      rows = mask.reshape(mask.shape + (1,) * (terms.ndim - 1))
      terms = jnp.where(rows, terms, 0)
    total = jnp.sum(terms, dtype=_at_least_float32(terms))
    return Sums(total, None, jnp.ones((), jnp.float32))

  return loss


# Entries take the arguments of the config's `loss` group.
LOSSES: dict[str, Callable[..., Loss]] = {
  "cross_entropy": lambda: classification_sums,
  "squares": _squares_loss,
  "sum": _sum_loss,
}


def _at_least_float32(x: jax.Array) -> Any:
  return jnp.promote_types(x.dtype, jnp.float32)


def kernel_mask(params: Any) -> Any:
  """A tree like `params`: True for weight matrices and filters.

  Those are the leaves named `kernel`; biases and norm parameters are not.
  """
  return jax.tree_util.tree_map_with_path(
    lambda path, _: path != () and getattr(path[-1], "key", "") == "kernel",
    params,
  )


def l2_penalty(params: Any) -> jax.Array:
  """`½ Σ w²` over the kernels; biases and norm parameters are left out."""
  squares = jax.tree.map(
    lambda w, kernel: jnp.vdot(w, w) if kernel else 0.0,
    params,
    kernel_mask(params),
  )
  return 0.5 * sum(jax.tree.leaves(squares), start=jnp.zeros(()))
