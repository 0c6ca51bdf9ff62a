"""Which parameters of an NNX model belong to a norm: labels for optax."""

from typing import Any

from flax import nnx

from bnjax.tools.labels import label


def norm_labels(model: nnx.Module, wrt: Any = nnx.Param) -> nnx.State:
  """Labels every parameter of an NNX model by what it is.

  As `bnjax.tools.norm_labels`: "batch_norm", "norm", "bias", "weight".
  For weight decay on weights only:

    labels = norm_labels(model)
    decayed = jax.tree.map(lambda label: label == "weight", labels)
    nnx.Optimizer(model, optax.adamw(1e-3, mask=decayed), wrt=nnx.Param)

  Args:
    model: an NNX module.
    wrt: which variables to label, the optimizer's `wrt`.

  Returns:
    A state of strings in the place of the variables of
    `nnx.state(model, wrt)`, as optax takes it from `nnx.Optimizer`.

  Reference:
    Frankle et al. (2020), arXiv:2003.00152, train the batch norms alone.

  Example:
    >>> from flax import nnx
    >>> model = nnx.BatchNorm(2, rngs=nnx.Rngs(0))
    >>> nnx.to_pure_dict(norm_labels(model))
    {'bias': 'batch_norm', 'scale': 'batch_norm'}
  """
  siblings: dict[tuple[Any, ...], set[Any]] = {}
  for path, variable in nnx.to_flat_state(nnx.state(model)):
    if isinstance(variable, (nnx.Param, nnx.BatchStat)):
      siblings.setdefault(path[:-1], set()).add(path[-1])
  return nnx.from_flat_state(
    [
      (path, label(str(path[-1]), siblings[path[:-1]]))
      for path, _ in nnx.to_flat_state(nnx.state(model, wrt))
    ]
  )
