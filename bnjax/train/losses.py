"""Losses and accuracy, as sums over the examples that count."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class Sums(NamedTuple):
  """Mergeable by addition: what an average needs.

  Attributes:
    loss: sum of the examples' cross-entropies, in nats.
    correct: number of examples classified correctly.
    examples: how many there are.
  """

  loss: jax.Array
  correct: jax.Array
  examples: jax.Array


def classification_sums(
  logits: jax.Array, labels: jax.Array, mask: jax.Array | None = None
) -> Sums:
  """Cross-entropy and accuracy of `logits` `[n, classes]`.

  Args:
    logits: unnormalized log-probabilities.
    labels: `[n]` of int, the right class.
    mask: `[n]` of bool, False where the row is padding.

  Returns:
    Float32 sums. Logits that are not finite count as class 0 or whichever
    class `argmax` gives: a diverged network has an accuracy, of guessing.
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
    jnp.sum(losses, dtype=jnp.float32),
    jnp.sum(correct, dtype=jnp.float32),
    examples,
  )


def kernel_mask(params: Any) -> Any:
  """A tree like `params`: True for weight matrices and filters.

  Those are the leaves named `kernel`; biases and norm parameters are not.
  """
  return jax.tree_util.tree_map_with_path(
    lambda path, _: getattr(path[-1], "key", "") == "kernel", params
  )


def l2_penalty(params: Any) -> jax.Array:
  """`½ Σ w²` over the kernels; biases and norm parameters are left out."""
  squares = jax.tree.map(
    lambda w, kernel: jnp.vdot(w, w) if kernel else 0.0,
    params,
    kernel_mask(params),
  )
  return 0.5 * sum(jax.tree.leaves(squares), start=jnp.zeros(()))
