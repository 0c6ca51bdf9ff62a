"""Which parameters belong to a norm: labels for optax."""

from collections.abc import Collection, Mapping
from typing import Any

import jax

from bnjax.tools._modules import get


def norm_labels(variables: Mapping[str, Any]) -> Any:
  """Labels every parameter of a Flax model by what it is.

  "batch_norm", scale or bias of a module with running statistics;
  "norm", scale or bias of a module that has a scale and no kernel, such as
  layer and group norm; "bias", any other bias; "weight", all else.

  For weight decay on weights only, and for training batch norms alone:

    labels = norm_labels(variables)
    decayed = jax.tree.map(lambda label: label == "weight", labels)
    optax.adamw(1e-3, mask=decayed)
    only_norms = jax.tree.map(lambda label: label == "batch_norm", labels)
    optax.masked(...), or optax.multi_transform({...}, labels)

  Args:
    variables: of a model, with `params` and, where it has batch norms,
      `batch_stats`.

  Returns:
    A tree of strings with the structure of `variables["params"]`.

  Raises:
    KeyError: there are no `params`.

  Reference:
    Frankle et al. (2020), arXiv:2003.00152, train the batch norms alone.

  Example:
    >>> import flax.linen as nn
    >>> import jax
    >>> import jax.numpy as jnp
    >>> from bnjax.tools import norm_labels
    >>> model = nn.Sequential([nn.Dense(2), nn.BatchNorm(True)])
    >>> variables = model.init(jax.random.key(0), jnp.ones((1, 3)))
    >>> norm_labels(variables)
    {'layers_0': {'bias': 'bias', 'kernel': 'weight'},
     'layers_1': {'bias': 'batch_norm', 'scale': 'batch_norm'}}
  """
  if "params" not in variables:
    raise KeyError(
      "No params: give all of the model's variables, {'params': ..., "
      "'batch_stats': ...}."
    )
  params = variables["params"]
  statistics = variables.get("batch_stats", {})

  def at(path: tuple[Any, ...], _: Any) -> str:
    *parents, name = (key.key for key in path if hasattr(key, "key"))
    module = tuple(parents)
    siblings = {*get(params, module), *get(statistics, module)}
    return label(name, siblings)

  return jax.tree_util.tree_map_with_path(at, params)


def label(name: str, siblings: Collection[str]) -> str:
  """Labels a parameter by its name and those of its module's variables."""
  if name in ("scale", "bias"):
    if {"mean", "var"} <= set(siblings):
      return "batch_norm"
    if "scale" in siblings and "kernel" not in siblings:
      return "norm"
  return "bias" if name == "bias" else "weight"


__all__ = ["norm_labels"]
