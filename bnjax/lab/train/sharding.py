"""Where arrays lie: on one device, or a minibatch's examples on several.

Only the examples of a batch are divided. Everything else, parameters, running
statistics, the data set, is on every device; what a program computes is what
one device would compute, to rounding: statistics and losses are over all of a
batch, and XLA puts in the sums over devices that this takes.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

_AXIS = "data"


class Layout:
  """Puts arrays where they belong.

  Args:
    mesh: has one axis, `_AXIS`; None: the default device.
  """

  def __init__(self, mesh: Mesh | None = None):
    self.mesh = mesh

  @property
  def everywhere(self) -> NamedSharding | None:
    """The sharding of what is on every device; None without a mesh."""
    if self.mesh is None:
      return None
    return NamedSharding(self.mesh, PartitionSpec())

  def place(self, tree: Any) -> Any:
    """The tree's host arrays, the same in every process, on every device."""
    where = self.everywhere
    if where is None:
      return jax.tree.map(jax.numpy.asarray, tree)

    def put(x: Any) -> jax.Array:
      if isinstance(x, jax.Array) and jax.dtypes.issubdtype(
        x.dtype, jax.dtypes.prng_key
      ):
        return jax.random.wrap_key_data(put(jax.random.key_data(x)))
      x = np.asarray(x)
      return jax.make_array_from_callback(
        x.shape, where, lambda index: x[index]
      )

    return jax.tree.map(put, tree)

  def share(self, tree: Any, *, axis: int) -> Any:
    """This process's share of a minibatch, on the devices along an axis."""
    if self.mesh is None:
      return jax.device_put(tree)
    where = NamedSharding(self.mesh, PartitionSpec(*[None] * axis, _AXIS))
    put = lambda x: jax.make_array_from_process_local_data(where, x)
    return jax.tree.map(put, tree)

  def jit(self, function: Callable[..., Any], **options: Any) -> Any:
    """`jax.jit`, with results on every device."""
    if self.mesh is not None:
      options["out_shardings"] = self.everywhere
    return jax.jit(function, **options)

  @property
  def devices(self) -> int:
    """Over how many a minibatch is divided."""
    return 1 if self.mesh is None else self.mesh.size

  def divide(self, batch: Any) -> Any:
    """Within a compiled function: a batch, its first axis over the devices.

    Its size is a multiple of their number, see `bnjax.lab.train.batches`: XLA
    divides others too, but dropout then differed between processes.
    """
    if self.mesh is None:
      return batch
    where = NamedSharding(self.mesh, PartitionSpec(_AXIS))
    return jax.tree.map(
      lambda x: jax.lax.with_sharding_constraint(x, where), batch
    )


ONE_DEVICE = Layout()


def data_mesh(devices: int) -> Mesh:
  """A mesh of that many devices, those of all processes in order."""
  return Mesh(np.asarray(jax.devices()[:devices]), (_AXIS,))
