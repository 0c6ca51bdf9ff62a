"""What synchronized statistics cost: measured from HLO, predicted by a model.

The collectives of a training step are read from the compiled program of 1, 2,
4 and 8 CPU devices, once as written by hand (`shard_map`, `axis_name`) and once
as XLA partitions a step of sharded arrays (GSPMD). What normalization adds is
the difference to the same network without it.
"""

import contextlib
import functools
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from bnjax.lab.errors import UserError
from bnjax.lab.models import MODELS
from bnjax.linen import BatchNorm

DEVICES = (1, 2, 4, 8)
BATCH = 64
NETWORKS = {
  "mlp": {"width": 100, "depth": 3},
  "lenet": {},
}

_COLLECTIVE = re.compile(
  r"= (.*?) (all-reduce|all-gather|reduce-scatter|all-to-all|"
  r"collective-permute)(?:-start)?\("
)
_ARRAY = re.compile(r"(pred|[a-z]+(\d+))\[([\d,]*)\]")


@dataclass(frozen=True)
class Traffic:
  """The collectives of a program.

  Attributes:
    count: how many.
    bytes: that each device puts into them.
  """

  count: int
  bytes: int

  def less(self, other: "Traffic") -> "Traffic":
    """What this has more than the other."""
    return Traffic(self.count - other.count, self.bytes - other.bytes)


class Measurement(NamedTuple):
  """What normalization adds to the step of a network.

  Attributes:
    network: its name.
    way: `shard_map` or `GSPMD`.
    devices: how many.
    layers: normalized ones.
    features: of all of them together.
    norm: what normalization adds.
    rest: the step's without it: gradients and the loss.
  """

  network: str
  way: str
  devices: int
  layers: int
  features: int
  norm: Traffic
  rest: Traffic


def measure() -> Iterator[Measurement]:
  """Compiles every step and reads its collectives."""
  for network in NETWORKS:
    layers, features = _size(network)
    for way, build in (("shard_map", _by_hand), ("GSPMD", _by_xla)):
      for devices in DEVICES:
        mesh = Mesh(jax.devices("cpu")[:devices], "devices")
        whole, rest = (
          traffic(_compile(network, mesh, build, norm=norm))
          for norm in (True, False)
        )
        yield Measurement(
          network, way, devices, layers, features, whole.less(rest), rest
        )


def use_cpu_devices() -> None:
  """Makes this process have as many CPU devices as are measured.

  Raises:
    UserError: it has used its devices already.
  """
  with contextlib.suppress(RuntimeError):
    jax.config.update("jax_num_cpu_devices", max(DEVICES))
  if len(jax.devices("cpu")) < max(DEVICES):
    raise UserError(f"--suite=scaling: needs {max(DEVICES)} CPU devices")


def traffic(text: str) -> Traffic:
  """The collectives in the text of a compiled program.

  >>> traffic("%a = (f32[8]{0}, s32[]) all-reduce(%x, %y), replica_groups={}")
  Traffic(count=1, bytes=36)
  >>> traffic("%a = f32[4,8]{1,0} all-gather(%x), replica_groups={{0,1,2,3}}")
  Traffic(count=1, bytes=32)
  """
  count = total = 0
  for line in text.splitlines():
    match = _COLLECTIVE.search(line)
    if match is None:
      continue
    size = sum(map(_bytes, _ARRAY.finditer(match[1])))
    if match[2] == "all-gather":  # each device puts in its part of the result
      size //= _members(line)
    count, total = count + 1, total + size
  return Traffic(count, total)


def _members(line: str) -> int:
  """Devices in a group of a collective."""
  if groups := re.search(r"replica_groups=\{\{([\d,]+)\}", line):
    return len(groups[1].split(","))
  if groups := re.search(r"replica_groups=\[\d+,(\d+)\]", line):
    return int(groups[1])
  if groups := re.search(r"replica_groups=mesh\[([^\]]*)\]", line):
    return math.prod(int(n) for n in re.findall(r"=(\d+)", groups[1]))
  raise ValueError(f"no replica groups in {line!r}")


def _bytes(array: re.Match[str]) -> int:
  bits = int(array[2] or 8)
  return bits // 8 * math.prod(int(n) for n in array[3].split(",") if n)


def _size(network: str) -> tuple[int, int]:
  """Normalized layers, and features of all of them."""
  variables = jax.eval_shape(lambda: _init(_model(network, BatchNorm)))
  means = [
    leaf.shape[0]
    for path, leaf in jax.tree_util.tree_leaves_with_path(
      variables["batch_stats"]
    )
    if path[-1].key == "mean"
  ]
  return len(means), sum(means)


def _model(network: str, norm: Any) -> Any:
  return MODELS[network](num_classes=10, norm=norm, **NETWORKS[network])


def _init(model: Any) -> Any:
  images = jnp.zeros((2, 28, 28, 1))
  return model.init(jax.random.key(0), images, train=False)


def _compile(
  network: str, mesh: Mesh, build: Callable[..., Any], *, norm: bool
) -> str:
  by_hand = build is _by_hand
  axis = "devices" if by_hand else None
  synchronized = functools.partial(BatchNorm, axis_name=axis)
  model = _model(network, synchronized if norm else None)
  variables = jax.eval_shape(lambda: _init(model))
  shape: Any = jax.ShapeDtypeStruct
  images = shape((BATCH, 28, 28, 1), jnp.float32)
  labels = shape((BATCH, 10), jnp.float32)
  step = build(model, mesh)
  text: str = step.lower(variables, images, labels).compile().as_text()
  return text


def _step(model: Any, variables: Any, images: Any, labels: Any) -> Any:
  """A step of SGD; each device's part of the mean loss, where there are parts.

  Under `shard_map` the gradient of what all devices share is summed over them
  by its own transpose.
  """

  def loss_fn(params: Any) -> Any:
    outputs, updates = model.apply(
      {**variables, "params": params},
      images,
      train=True,
      mutable=["batch_stats"],
    )
    losses = optax.softmax_cross_entropy(outputs, labels)
    return jnp.sum(losses) / BATCH, updates

  params = variables["params"]
  gradient, updates = jax.grad(loss_fn, has_aux=True)(params)
  return jax.tree.map(lambda w, g: w - 0.1 * g, params, gradient), updates


def _by_hand(model: Any, mesh: Mesh) -> Any:
  rows, all_of_it = PartitionSpec("devices"), PartitionSpec()
  return jax.jit(
    jax.shard_map(
      lambda *arguments: _step(model, *arguments),
      mesh=mesh,
      in_specs=(all_of_it, rows, rows),
      out_specs=all_of_it,
    )
  )


def _by_xla(model: Any, mesh: Mesh) -> Any:
  rows = NamedSharding(mesh, PartitionSpec("devices"))
  all_of_it = NamedSharding(mesh, PartitionSpec())

  def step(variables: Any, images: Any, labels: Any) -> Any:
    images, labels = jax.lax.with_sharding_constraint((images, labels), rows)
    return _step(model, variables, images, labels)

  return jax.jit(
    step, in_shardings=(all_of_it, rows, rows), out_shardings=all_of_it
  )
