"""Runs a config: data, model, training of every arm and seed, records.

The only reader of a config's values. It validates everything that can be wrong
before it loads data or writes a file.
"""

import functools
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from bnjax import data, results, workdirs
from bnjax.arms import resolve_arms
from bnjax.data.batches import SAMPLERS
from bnjax.environment import describe_environment
from bnjax.errors import UserError, choice
from bnjax.models import MODELS, NORMS
from bnjax.train.draw import draw, draw_in_chunks
from bnjax.train.images import as_words
from bnjax.train.loop import Metrics, Splits, make_program
from bnjax.train.optim import OPTIMIZERS
from bnjax.train.step import Batch, Task


class Progress(NamedTuple):
  """What an experiment tells about its course, after every chunk.

  Attributes:
    arm: name of the arm in training; "" while data is loaded.
    step: steps done of this arm.
    steps: of how many.
    message: what else there is to say, such as the current accuracy.
  """

  arm: str
  step: int
  steps: int
  message: str


def run(
  config: Mapping[str, Any],
  workdir: str | Path,
  *,
  explicit: Collection[str] = (),
  data_dir: str | None = None,
  report_progress: Callable[[Progress], None] = lambda progress: None,
) -> dict[str, Any]:
  """Trains every arm of `config` and leaves the records in `workdir`.

  Args:
    config: nested dicts with the fields of `configs/init_robustness.py`.
    workdir: gets config.json, environment.json, metrics.jsonl, summary.json.
      Records of the same config are replaced; another config is refused.
    explicit: dotted names of the fields that the user set by hand.
    data_dir: where prepared data sets are, see `bnjax.data.load`.
    report_progress: called with a `Progress` now and then.

  Returns:
    The summary, as in summary.json.

  Raises:
    UserError: the config is wrong, the data set cannot be read, or `workdir`
      is not to be written to; nothing has been written then.
  """
  arms = resolve_arms(config, explicit)
  for spec in arms.values():
    validate(spec)
  try:
    results.check_rules(config)
  except ValueError as error:
    raise UserError(f"config: {error}") from None
  workdir = Path(workdir)
  workdirs.check(workdir, config)
  names = {spec["dataset"]["name"] for spec in arms.values()}
  report_progress(Progress("", 0, 1, f"reading {', '.join(sorted(names))}"))
  datasets = {name: data.load(name, data_dir=data_dir) for name in names}
  environment = describe_environment() | {
    "datasets": [datasets[name].describe() for name in sorted(names)]
  }
  workdirs.start(workdir, config, environment)
  splits = {name: to_device(dataset) for name, dataset in datasets.items()}
  for arm, spec in arms.items():
    name = spec["dataset"]["name"]
    _run_arm(arm, spec, datasets[name], splits[name], workdir, report_progress)
  return results.write_summary(workdir)


def validate(spec: Mapping[str, Any]) -> None:
  """Checks an arm's values against each other and against its data set.

  Raises:
    UserError: a number is out of its range, or a name is not known.
  """
  for field in ("steps", "batch_size", "eval_every", "seeds"):
    if spec[field] < 1:
      raise UserError(f"{field}: {spec[field]} is too small; at least 1")
  if spec["seed"] < 0:
    raise UserError(f"seed: {spec['seed']} is negative")
  choice("sampler", spec["sampler"], SAMPLERS)
  sizes = data.sizes(spec["dataset"]["name"])
  if spec["batch_size"] > sizes.train:
    raise UserError(
      f"batch_size: {spec['batch_size']} is more than the {sizes.train} "
      f"training examples of {spec['dataset']['name']}"
    )
  make_task(spec, num_classes=sizes.num_classes, pixel_mean=0.0)


def make_task(
  spec: Mapping[str, Any], *, num_classes: int, pixel_mean: float
) -> Task:
  """The model and the optimizer that an arm's specification describes."""
  norm = _make(NORMS, spec["norm"])
  model = _make(
    MODELS, {**spec["model"], "num_classes": num_classes, "norm": norm}
  )
  optimizer = _make(OPTIMIZERS, spec["optimizer"])
  return Task(model, optimizer, spec["l2"], pixel_mean)


def _make(table: Mapping[str, Callable[..., Any]], group: Any) -> Any:
  return table[group["name"]](**{k: v for k, v in group.items() if k != "name"})


def _run_arm(
  arm: str,
  spec: Mapping[str, Any],
  dataset: data.Dataset,
  splits: Splits,
  workdir: Path,
  report_progress: Callable[[Progress], None],
) -> None:
  steps, every = spec["steps"], min(spec["eval_every"], spec["steps"])
  tell = lambda step, text: report_progress(Progress(arm, step, steps, text))
  tell(0, "compiling")
  start = time.perf_counter()
  task = make_task(
    spec, num_classes=dataset.num_classes, pixel_mean=dataset.mean
  )
  program = make_program(task, image_shape=dataset.train.images.shape[1:])
  seeds = np.arange(spec["seed"], spec["seed"] + spec["seeds"])
  states = program.init(jnp.asarray(seeds, jnp.uint32))
  keys = jnp.copy(states.key)  # the states' own memory is given away
  how = {
    "sampler": SAMPLERS[spec["sampler"]],
    "size": len(dataset.train),
    "batch_size": spec["batch_size"],
  }
  chunks = {}
  for size in {every, steps % every} - {0}:
    shapes = jax.eval_shape(
      functools.partial(draw, steps=size, **how), keys, jnp.int32(0)
    )
    lowered = program.chunk.lower(states, splits, shapes, jnp.int32(0))
    chunks[size] = lowered.compile()
  compile_seconds = time.perf_counter() - start
  start = time.perf_counter()
  diverged: dict[int, int] = {}
  for first, draws in draw_in_chunks(keys, steps, every, **how):
    size = min(every, steps - first)
    states, metrics = chunks[size](states, splits, draws, jnp.int32(first))
    metrics = jax.device_get(metrics)
    for seed, step in zip(seeds.tolist(), metrics.diverged_step, strict=True):
      if step:
        diverged.setdefault(seed, int(step))
    times = {
      "train_seconds": time.perf_counter() - start,
      "compile_seconds": compile_seconds,
    }
    rows = [
      {"arm": arm, "seed": seed, "step": first + size}
      | _row(metrics, i)
      | {"diverged_step": diverged.get(seed)}
      | times
      for i, seed in enumerate(seeds.tolist())
    ]
    results.append_rows(workdir / "metrics.jsonl", rows)
    accuracy = float(np.mean([row["validation_accuracy"] for row in rows]))
    tell(first + size, f"validation accuracy {accuracy:.3f}")


def to_device(dataset: data.Dataset) -> Splits:
  """The three splits on the default device, a byte a pixel."""
  train = Batch(
    jnp.asarray(as_words(dataset.train.images)),
    jnp.asarray(dataset.train.labels),
  )
  held_out = (
    Batch(jnp.asarray(split.images), jnp.asarray(split.labels))
    for split in (dataset.validation, dataset.test)
  )
  return Splits(train, *held_out)


def _row(metrics: Metrics, i: int) -> dict[str, float]:
  row = {
    "data_loss": float(metrics.data_loss[i]),
    "l2_loss": float(metrics.l2_loss[i]),
    "loss": float(metrics.data_loss[i] + metrics.l2_loss[i]),
    "grad_norm": float(metrics.grad_norm[i]),
    "param_norm": float(metrics.param_norm[i]),
  }
  for name in ("validation", "test"):
    sums = getattr(metrics, name)
    row[f"{name}_loss"] = float(sums.loss[i] / sums.examples[i])
    row[f"{name}_accuracy"] = float(sums.correct[i] / sums.examples[i])
  return row
