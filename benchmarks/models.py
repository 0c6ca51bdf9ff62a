"""An Inception's training step and inference, beside the same in PyTorch."""

import functools
import math
import statistics
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.timing import median_ratio, take_turns, torch_device
from bnjax.lab.models import NORMS, bn_inception, small_inception
from bnjax.lab.models.conv import Conv
from bnjax.lab.train.precision import PRECISIONS
from bnjax.lab.train.state import TrainState
from bnjax.lab.train.step import (
  Batch,
  Task,
  init_state,
  preprocess,
  train_step,
  working_variables,
)
from bnjax.linen import BatchNorm
from bnjax.tools import apply_folded, fold

STEPS = 4  # in one program, as in training
_PASSES = 8  # over what a norm reads and writes, forward and back


class Setting(NamedTuple):
  """What is timed.

  Attributes:
    model: makes the network from `num_classes` and `norm`.
    side: rows and columns of the images.
    batch_size: images of a step.
    num_classes: of the classifier.
    torch: arguments of `benchmarks.torch_inception.Inception`.
    large: rows and columns of the matrices that are multiplied and copied to
      see what the machine can do; no cache holds them.
  """

  model: Callable[..., nn.Module]
  side: int
  batch_size: int
  num_classes: int
  torch: dict[str, Any]
  large: int = 2048


def setting() -> Setting:
  """The small network on a CPU, the paper's elsewhere."""
  if jax.default_backend() == "cpu":
    small = {"width_factor": 1 / 8, "small_images": True}
    return Setting(small_inception, 32, 32, 10, small)
  return Setting(bn_inception, 224, 256, 1000, {}, 16384)


class Cost(NamedTuple):
  """What one image takes, by shapes alone.

  Attributes:
    products: multiplications and additions of the kernels, forward.
    normalized: values that go through a batch norm.
  """

  products: int
  normalized: int


def cost(chosen: Setting) -> Cost:
  """Counts an image's work from the shapes of layers and their outputs."""
  model = chosen.model(num_classes=chosen.num_classes, norm=NORMS["batch_norm"])
  x = jnp.zeros((2, chosen.side, chosen.side, 3))
  kinds = (Conv, nn.Conv, nn.Dense, BatchNorm)
  norms: set[tuple[str, ...]] = set()

  def seen(module: nn.Module, method: str) -> bool:
    del method
    if isinstance(module, BatchNorm):
      norms.add(module.path)
    return isinstance(module, kinds)

  def run() -> Any:
    variables = model.init(jax.random.key(0), x, train=False)
    _, kept = model.apply(
      variables,
      x,
      train=False,
      capture_intermediates=seen,
      mutable=["intermediates"],
    )
    return variables["params"], kept["intermediates"]

  params, outputs = jax.eval_shape(run)
  products, normalized = 0, 0
  for path, output in jax.tree_util.tree_leaves_with_path(outputs):
    keys = tuple(p.key for p in path if isinstance(p, jax.tree_util.DictKey))
    layer = keys[:-1]
    size = math.prod(output.shape) // len(x)
    if layer in norms:
      normalized += size
      continue
    own = functools.reduce(lambda tree, key: tree[key], layer, params)
    kernel = math.prod(own["kernel"].shape)
    products += 2 * kernel * size // output.shape[-1]
  return Cost(products, normalized)


def rows(
  chosen: Setting,
  precision: str,
  rounds: int,
  only: Collection[str] | None = None,
) -> tuple[list[dict[str, Any]], dict[str, float]]:
  """Times every candidate, in turns.

  Args:
    chosen: what to time.
    precision: a key of `bnjax.lab.train.precision.PRECISIONS`.
    rounds: how many times each.
    only: which of ours and of PyTorch's, by their names; None: all.

  Returns:
    A row per candidate (what, ms, images/s, MFU), and what they are judged by:
    peak (of a matrix product, flop/s), copy (bytes/s), norm_floor (ms),
    norm_share (of the training step, with against without; where both were
    timed), and where PyTorch was timed, by its row's name, its time over ours.
  """
  task = functools.partial(_task, chosen, precision)
  images, labels = _data(chosen)
  with_norm, without = task("batch_norm"), task("none")
  every = {
    "train, batch norm": _steps(with_norm, chosen, images, labels),
    "train, no norm": _steps(without, chosen, images, labels),
    **_inferences(with_norm, without, chosen, images),
    **_torch(chosen, precision, images, labels),
  }
  asked = lambda name: only is None or name.removeprefix("torch, ") in only
  kept = {name: run for name, run in every.items() if asked(name)}
  training = {name: run for name, run in kept.items() if "train" in name}
  inferring = {name: run for name, run in kept.items() if "infer" in name}
  limits = _limits(precision, chosen.large)
  seconds = take_turns(training | inferring | limits, rounds)
  for name in training:
    if "torch" not in name:
      seconds[name] = [several / STEPS for several in seconds[name]]
  middle = {k: statistics.median(v) for k, v in seconds.items()}
  work, n = cost(chosen), chosen.batch_size
  peak = 2 * chosen.large**3 / middle["product"]
  itemsize = PRECISIONS[precision].activations(0).dtype.itemsize
  copy = 2 * itemsize * chosen.large**2 / middle["copy"]
  found = []
  for name in training | inferring:
    factor = 3 if name in training else 1
    found.append(
      {
        "what": name,
        "ms": 1e3 * middle[name],
        "images/s": n / middle[name],
        "MFU": factor * n * work.products / middle[name] / peak,
      }
    )
  facts = {
    "peak": peak,
    "copy": copy,
    "norm_floor": 1e3 * _PASSES * itemsize * n * work.normalized / copy,
  }
  if "train, no norm" in middle:
    bare = middle["train, no norm"]
    facts["norm_share"] = 1 - bare / middle["train, batch norm"]
  facts |= {
    f"torch, {name}": median_ratio(seconds[f"torch, {name}"], seconds[name])
    for name in middle
    if f"torch, {name}" in middle
  }
  return found, facts


def _task(chosen: Setting, precision: str, norm: str) -> Task:
  model = chosen.model(num_classes=chosen.num_classes, norm=NORMS[norm])
  optimizer = optax.sgd(1e-3, 0.9)
  return Task(model, optimizer, 0.0, 0.0, precision=PRECISIONS[precision])


def _data(chosen: Setting) -> tuple[np.ndarray, np.ndarray]:
  rng = np.random.default_rng(0)
  shape = (chosen.batch_size, chosen.side, chosen.side, 3)
  images = rng.normal(size=shape).astype(np.float32)
  return images, rng.integers(0, chosen.num_classes, chosen.batch_size)


def _state(task: Task, chosen: Setting) -> Any:
  """A fresh state, drawn on the host: to compile a draw takes a minute."""
  shape = (chosen.side, chosen.side, 3)
  shapes = jax.eval_shape(lambda: init_state(task, jax.random.key(0), shape))
  rng = np.random.default_rng(0)

  def draw(path: Any, leaf: Any) -> Any:
    name = getattr(path[-1], "key", "")
    if name == "kernel":
      fan_in = math.prod(leaf.shape[:-1])
      values = rng.normal(size=leaf.shape) * math.sqrt(2 / fan_in)
    else:
      values = np.full(leaf.shape, float(name in ("scale", "var")))
    return jnp.asarray(values, leaf.dtype)

  params, stats = (
    jax.tree_util.tree_map_with_path(draw, tree)
    for tree in (shapes.params, shapes.batch_stats)
  )
  return TrainState(
    params, stats, task.optimizer.init(params), jax.random.key(0)
  )


def _steps(
  task: Task, chosen: Setting, images: np.ndarray, labels: np.ndarray
) -> Callable[[], Any]:
  batch = Batch(jnp.asarray(images), jnp.asarray(labels, jnp.int32))
  key = jax.random.key(0)

  def body(state: Any, _: None) -> tuple[Any, jax.Array]:
    state, sums, _ = train_step(task, state, key, batch)
    return state, sums.loss / sums.examples

  @functools.partial(jax.jit, donate_argnums=0)
  def run(state: Any) -> Any:
    return jax.lax.scan(body, state, None, length=STEPS)

  states = [_state(task, chosen)]  # given away by each call

  def advance() -> Any:
    states[0], losses = run(states[0])
    return losses

  return advance


def _inferences(
  with_norm: Task, without: Task, chosen: Setting, images: np.ndarray
) -> dict[str, Callable[[], Any]]:
  x = preprocess(with_norm, jnp.asarray(images))
  call = lambda model, x: model(x, train=False)
  found: dict[str, Callable[[], Any]] = {}
  for name, task in (("batch norm", with_norm), ("no norm", without)):
    variables = working_variables(task, _state(task, chosen))
    apply = functools.partial(task.model.apply, train=False)
    found[f"infer, {name}"] = functools.partial(jax.jit(apply), variables, x)
    if name == "batch norm":
      folded = fold(task.model, variables, x, call=call, kernels=(Conv,))
      run = jax.jit(
        lambda variables, x, task=task, folded=folded: apply_folded(
          task.model, folded._replace(variables=variables), x, call=call
        )
      )
      found["infer, folded"] = functools.partial(run, folded.variables, x)
  return found


def _torch(
  chosen: Setting, precision: str, images: np.ndarray, labels: np.ndarray
) -> dict[str, Callable[[], Any]]:
  device = torch_device()
  if device is None:
    return {}
  from benchmarks import torch_inception as theirs

  def make(norm: bool) -> Any:
    return theirs.Inception(
      num_classes=chosen.num_classes, norm=norm, **chosen.torch
    )

  there = theirs.Place(device, precision == "bfloat16")
  infer = functools.partial(theirs.inference, images=images, place=there)
  train = functools.partial(
    theirs.train_step, images=images, labels=labels, place=there
  )
  return {
    "torch, train, batch norm": train(make(True)),
    "torch, train, no norm": train(make(False)),
    "torch, infer, batch norm": infer(make(True)),
    "torch, infer, no norm": infer(make(False)),
    "torch, infer, folded": infer(make(True), folded=True),
  }


def _limits(precision: str, side: int) -> dict[str, Callable[[], Any]]:
  """A large matrix product, and a copy: what the machine can do."""
  dtype = PRECISIONS[precision].activations
  x = jax.random.normal(jax.random.key(0), (side, side)).astype(dtype)
  product = jax.jit(lambda x: x @ x)
  copy = jax.jit(lambda x: x * jnp.asarray(1.0009765625, dtype))
  return {"product": lambda: product(x), "copy": lambda: copy(x)}


__all__ = ["STEPS", "Cost", "Setting", "cost", "rows", "setting"]
