"""Measures of a loss as a function of all parameters, and of what updates do.

They are not of one array, as other measures are, so each is of one kind of
thing that a probe may look at.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from bnjax.lab.probes.classifier import accuracy, attacked_accuracy
from bnjax.lab.probes.drift import (
  mean_drift,
  variance_drift,
  wasserstein_drift,
)
from bnjax.lab.probes.hessian import (
  output_mean_gradients,
  share_in_span,
  top_eigenpairs,
)
from bnjax.lab.probes.landscape import along_gradient
from bnjax.lab.probes.modes import dropout_variance_shift, variance_shift
from bnjax.lab.probes.shift import Shift


@dataclasses.dataclass(frozen=True)
class Landscape:
  """A loss, at some parameters.

  Attributes:
    outputs_fn: parameters -> the model's outputs `[examples, ..., classes]`.
    loss_fn: outputs -> scalar.
    params: a tree of arrays.
    key: for random vectors.
  """

  outputs_fn: Callable[[Any], jax.Array]
  loss_fn: Callable[[jax.Array], jax.Array]
  params: Any
  key: jax.Array

  def loss_of(self, params: Any) -> jax.Array:
    """The loss of other parameters, on the same batch with the same noise."""
    return self.loss_fn(self.outputs_fn(params))


def loss_along_gradient(
  landscape: Landscape, steps: Sequence[float] = (0.01, 0.1, 1.0)
) -> jax.Array:
  """Returns `[steps, 4]`: the loss after a step against the gradient, ...

  ... the change of the gradient relative to it, the cosine between them, and
  the change itself, see `along_gradient`.
  """
  seen = along_gradient(
    landscape.loss_of, landscape.params, jnp.asarray(steps, jnp.float32)
  )
  distances = seen.changes * seen.norm
  return jnp.stack([seen.losses, seen.changes, seen.cosines, distances], 1)


def top_eigenvalues(
  landscape: Landscape, count: int = 1, products: int = 20
) -> jax.Array:
  """Returns `[count, 2]`: the Hessian's largest eigenvalues, and ...

  ... the share of each eigenvector in the span of the gradients of the outputs'
  means, see `top_eigenpairs` and `share_in_span`.
  """
  found = top_eigenpairs(
    landscape.loss_of,
    landscape.params,
    landscape.key,
    count=count,
    steps=products,
  )
  span = output_mean_gradients(landscape.outputs_fn, landscape.params)
  shares = share_in_span(found.vectors, span)
  return jnp.stack([found.values, shares], 1)


def gradient_change(shift: Shift) -> jax.Array:
  """Returns ||G' - G|| / ||G||, see `gradient_shifts`."""
  return shift.change


def gradient_cosine(shift: Shift) -> jax.Array:
  """Returns the cosine of the angle between G and G'."""
  return shift.cosine


# Kind -> its measures by name.
OF_KIND: dict[str, dict[str, Callable[..., Any]]] = {
  "classifier": {
    "accuracy": accuracy,
    "attacked_accuracy": attacked_accuracy,
  },
  "drift": {
    "mean_drift": mean_drift,
    "variance_drift": variance_drift,
    "wasserstein_drift": wasserstein_drift,
  },
  "modes": {
    "dropout_variance_shift": dropout_variance_shift,
    "variance_shift": variance_shift,
  },
  "shift": {
    "gradient_change": gradient_change,
    "gradient_cosine": gradient_cosine,
  },
  "loss": {
    "loss_along_gradient": loss_along_gradient,
    "top_eigenvalues": top_eigenvalues,
  },
}
