"""What a training step costs beside its matrix products, and a whole run."""

import importlib.util
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bnjax import data
from bnjax.arms import resolve_arms
from bnjax.bench.timing import median_ratio, take_turns
from bnjax.data.batches import SAMPLERS
from bnjax.experiment import make_task
from bnjax.train import loop
from bnjax.train.step import Batch

STEPS = 100  # of a chunk, as in the config


def step_times(config: Mapping[str, Any], rounds: int) -> list[dict[str, Any]]:
  """Milliseconds per step and network, beside the matrix products alone.

  All candidates train `config["seeds"]` networks for `STEPS` steps inside one
  compiled program, on random images of MNIST's shape.

  Returns:
    A row per candidate: name, ms (median), ratio to the products (median over
    rounds of the ratio within a round).
  """
  arms = resolve_arms(config)
  arms["flax_batch_norm"] = {
    **arms["batch_norm"],
    "norm": {**arms["batch_norm"]["norm"], "name": "flax_batch_norm"},
  }
  names = ("batch_norm", "flax_batch_norm", "no_batch_norm")
  networks = config["seeds"]
  candidates = {"matrix products": _products(arms["no_batch_norm"], networks)}
  for name in (*names, "batch_norm_no_dropout", "no_batch_norm_no_dropout"):
    candidates[name] = _steps(arms[name], networks)
  seconds = take_turns(candidates, rounds)
  products = seconds["matrix products"]
  rows = [
    {
      "name": name,
      "ms": 1e3 * statistics.median(times) / (STEPS * networks),
      "over products": median_ratio(times, products),
    }
    for name, times in seconds.items()
  ]
  for name, without in (
    ("batch_norm", "no_batch_norm"),
    ("batch_norm_no_dropout", "no_batch_norm_no_dropout"),
  ):
    row = next(row for row in rows if row["name"] == name)
    row["over the same without"] = median_ratio(seconds[name], seconds[without])
  return rows


def _random_images(n: int) -> Batch:
  rng = np.random.default_rng(0)
  images = rng.integers(0, 256, (n, 28, 28, 1), dtype=np.uint8)
  labels = rng.integers(0, 10, n, dtype=np.int32)
  return Batch(jnp.asarray(images), jnp.asarray(labels))


def _steps(spec: Mapping[str, Any], networks: int) -> Callable[[], Any]:
  task = make_task(spec, num_classes=10, pixel_mean=0.13)
  sampler, size = SAMPLERS[spec["sampler"]], spec["batch_size"]
  program = loop.make_program(
    task, sampler, batch_size=size, image_shape=(28, 28, 1)
  )
  states = program.init(jnp.arange(networks, dtype=jnp.uint32))
  train = _random_images(55_000)
  advance = jax.jit(
    lambda states, train: loop.advance(
      task, sampler, states, train, jnp.int32(0), STEPS, size
    )
  )
  return lambda: advance(states, train)


def _products(spec: Mapping[str, Any], networks: int) -> Callable[[], Any]:
  """The step's eight matrix products, chained so that none can be left out."""
  n, width = spec["batch_size"], spec["model"]["width"]
  keys = iter(jax.random.split(jax.random.key(0), 4))
  draw = lambda *shape: jax.random.normal(next(keys), (networks, *shape))
  x = draw(n, 784)
  weights = draw(784, width), draw(width, width), draw(width, 10)
  t = lambda a: jnp.swapaxes(a, -1, -2)

  def body(weights: Any, _: None) -> tuple[Any, None]:
    w1, w2, w3 = weights
    h1 = x @ w1
    h2 = h1 @ w2
    d3 = h2 @ w3
    d2 = d3 @ t(w3)
    d1 = d2 @ t(w2)
    gradients = t(x) @ d1, t(h1) @ d2, t(h2) @ d3
    return tuple(
      w + 1e-9 * g for w, g in zip(weights, gradients, strict=True)
    ), None

  run = jax.jit(lambda w: jax.lax.scan(body, w, None, length=STEPS)[0])
  return lambda: run(weights)


def whole_run(config: Mapping[str, Any]) -> dict[str, float]:
  """Seconds of two arms of `config`, compilation included, and peak memory.

  Trains `batch_norm` and `no_batch_norm` on the config's data set with all
  seeds, evaluations included.
  """
  from bnjax.experiment import make_arm_program, to_device

  dataset = data.load(config["dataset"]["name"])
  splits = to_device(dataset)
  arms = resolve_arms(config)
  start = time.perf_counter()
  row: dict[str, float] = {}
  for arm in ("batch_norm", "no_batch_norm"):
    spec, begin = arms[arm], time.perf_counter()
    program = make_arm_program(spec, dataset)
    states = program.init(jnp.arange(spec["seeds"], dtype=jnp.uint32))
    chunk = program.chunk.lower(
      states, splits, jnp.int32(0), spec["eval_every"]
    ).compile()
    row[f"{arm}: compile"] = time.perf_counter() - begin
    for first in range(0, spec["steps"], spec["eval_every"]):
      states, metrics = chunk(states, splits, jnp.int32(first))
    jax.block_until_ready(metrics)
    row[f"{arm}: all"] = time.perf_counter() - begin
  row["both arms"] = time.perf_counter() - start
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  row["peak memory, GB"] = peak / 2**20
  return row


def load_config(path: str, argument: str) -> dict[str, Any]:
  """`get_config(argument)` of a config file, as nested dicts."""
  spec = importlib.util.spec_from_file_location("config", path)
  assert spec is not None
  assert spec.loader is not None
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module.get_config(argument).to_dict()
