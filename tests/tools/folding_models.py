"""Models as after training, for the tests of folding."""

import jax
import jax.numpy as jnp
import numpy as np

from bnjax.linen import BatchNorm as Norm


def with_statistics(model, x, *args):
  """Variables with every value random, as after training."""
  variables = jax.eval_shape(model.init, jax.random.key(0), x, *args)
  kinds = ("params", "batch_stats")
  variables = {kind: variables[kind] for kind in kinds if kind in variables}
  leaves, tree = jax.tree_util.tree_flatten_with_path(variables)
  rng = np.random.default_rng(0)
  values = []
  for path, leaf in leaves:
    value = rng.normal(size=leaf.shape)
    if path[-1].key == "var":
      value = rng.uniform(0.3, 3.0, size=leaf.shape)
    if path[-1].key == "kernel":
      value /= np.sqrt(leaf.size / leaf.shape[-1])
    values.append(jnp.asarray(value, leaf.dtype))
  return jax.tree.unflatten(tree, values)


def assert_close(got, want):
  error = np.abs(got - want).max() / np.abs(want).max()
  assert error < 1e-5, error


def norm(**kwargs):
  return Norm(use_running_average=True, **kwargs)
