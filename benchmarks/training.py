"""What a training step costs beside its matrix products, and a whole run."""

import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.timing import median_ratio, take_turns
from bnjax.lab import config_file, data, experiment, results
from bnjax.lab.config import resolve_arms
from bnjax.lab.data.batches import SAMPLERS
from bnjax.lab.experiment.validation import check_spec
from bnjax.lab.train.batches import as_words, draw
from bnjax.lab.train.program import Across, make_program
from bnjax.lab.train.step import Batch

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
    candidates[name] = steps(arms[name], networks)
  keys = jax.random.split(jax.random.key(0), networks)
  candidates["drawing, 1,000 steps at once"] = lambda: _draw(
    arms["batch_norm"], keys, 10 * STEPS
  )
  seconds = take_turns(candidates, rounds)
  drawing = seconds["drawing, 1,000 steps at once"]
  drawing[:] = [t / 10 for t in drawing]
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


def steps(
  spec: Mapping[str, Any],
  networks: int,
  count: int = STEPS,
  across: Across = "vmap",
) -> Callable[[], Any]:
  """What trains networks of a specification for so many steps at a call.

  Args:
    spec: of every network; its data are random ones of the same shape.
    networks: how many.
    count: steps of a call.
    across: how networks are run.
  """
  task, known = check_spec(spec)
  rng = np.random.default_rng(0)
  shape = (known.train, *known.image_shape)
  if known.dtype == "uint8":
    images = rng.integers(0, 256, shape, np.uint8)
  else:
    images = rng.standard_normal(shape).astype(known.dtype)
  labels = rng.integers(0, max(known.num_classes, 1), known.train, np.int32)
  train = Batch(jnp.asarray(as_words(images)), jnp.asarray(labels))
  program = make_program(
    lambda hyper: task._replace(pixel_mean=0.13),
    image_shape=known.image_shape,
    across=across,
  )
  seeds = jnp.arange(networks, dtype=jnp.uint32)
  states = [program.init({}, seeds)]  # given away by each call
  draws = _draw(spec, states[0].key, count, known.train)
  which = jnp.arange(networks)

  def advance() -> Any:
    new, training = program.advance(
      {}, states[0], train, draws, which, jnp.int32(0)
    )
    states[0] = new
    return training

  return advance


def _draw(
  spec: Mapping[str, Any], keys: jax.Array, steps: int, size: int = 55_000
) -> Any:
  return draw(
    keys,
    jnp.int32(0),
    sampler=SAMPLERS[spec["sampler"]],
    steps=steps,
    size=size,
    batch_size=spec["batch_size"],
  )


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

  Runs `batch_norm` and `no_batch_norm` with all seeds, as `scripts/train.py`
  does, evaluations and records included.
  """
  data.load(config["dataset"]["name"])  # decoded once, then from a cache
  arms = {arm: config["arms"][arm] for arm in ("batch_norm", "no_batch_norm")}
  config = {**config, "arms": arms}
  with tempfile.TemporaryDirectory() as folder:
    start = time.perf_counter()
    experiment.run(config, f"{folder}/run")
    row = {"both arms, seconds": time.perf_counter() - start}
    rows = results.read_rows(f"{folder}/run/metrics.jsonl").rows
  for arm in arms:
    last = [r for r in rows if r["arm"] == arm][-1]
    row[f"{arm}: compilation, seconds"] = last["compile_seconds"]
    row[f"{arm}: training, seconds"] = last["train_seconds"]
  peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
  row["peak memory, GB"] = peak / 2**20
  return row


def load_config(path: str, argument: str) -> dict[str, Any]:
  """`get_config(argument)` of a config file, as nested dicts."""
  config: dict[str, Any] = config_file.load(path).get_config(argument).to_dict()
  return config
