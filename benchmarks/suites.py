"""The suites of `scripts/bench.py`: each returns a Markdown page."""

import importlib.util
import statistics
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks import (
  across as across_bench,
  devices as devices_bench,
  gpu as gpu_bench,
  models as models_bench,
  networks,
  ops as ops_bench,
  probes as probes_bench,
  scaling as scaling_bench,
  sweeps,
  training,
)
from benchmarks.outputs import heading, table
from bnjax.lab.errors import UserError


def experiment(rounds: int) -> str:
  """The step of init_robustness, and the whole of two arms."""
  config = training.load_config("configs/init_robustness.py", "mnist")
  steps = training.step_times(config, rounds)
  lines = [
    *heading("Training: init_robustness"),
    f"{config['seeds']} networks 784-256-256-10 vectorized, minibatches of "
    f"256, float32, {training.STEPS} steps in one program; medians of {rounds} "
    "rounds in which the candidates take turns.",
    "",
    *table(steps),
  ]
  try:
    whole = training.whole_run(config)
    title = "Ten runs of 1,000 steps on the full MNIST, evaluations included"
    rows = [{"what": k, "": v} for k, v in whole.items()]
  except UserError as error:
    title, rows = f"The whole run was not timed: {error}", []
  return "\n".join([*lines, "", title + ":", "", *table(rows)])


def ops(rounds: int) -> str:
  """Forward and backward of batch norm, beside other libraries."""
  lines = heading("Batch norm, forward and backward")
  shapes = ops_bench.SHAPES
  if backend() != "cpu":
    shapes += ops_bench.GPU_SHAPES
  for dtype in (jnp.float32, jnp.bfloat16):
    rows = [ops_bench.rows(shape, dtype, rounds) for shape in shapes]
    for way, said in (("loop", _LOOP), ("call", _CALL)):
      lines += [f"## {jnp.dtype(dtype).name}, {way}", "", said, ""]
      lines += [*table(_beside_ours(rows, way)), ""]
  return "\n".join(lines).rstrip()


_LOOP = (
  "Ten iterations in one compiled program, milliseconds for one. `floor` is 8 "
  "passes (32 bytes per float32 element, 16 per bfloat16) at the bandwidth of "
  "a copy of the same array in the same kind of loop; then each library's "
  "time over ours."
)
_CALL = "One jitted call; each library's time over ours."


def _beside_ours(
  rows: Iterable[Mapping[str, Any]], way: str
) -> list[dict[str, Any]]:
  found: list[dict[str, Any]] = []
  for row in rows:
    times = dict(row[way])
    ours = times.pop("bnjax")
    entry = {"shape": row["shape"], "MB": row["MB"], "bnjax, ms": ours}
    if way == "loop":
      entry["bnjax / floor"] = ours / row["floor_ms"]
    entry["GB/s"] = 8e-3 * row["MB"] / (1e-3 * ours)
    found.append(entry | {k: v / ours for k, v in times.items()})
  large = [row for row in found if row["MB"] > 4]
  return [
    *found,
    _geometric_means("geometric mean", found),
    _geometric_means("of those above 4 MB", large),
  ]


def _geometric_means(title: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
  means: dict[str, Any] = {"shape": title}
  for name in dict.fromkeys(key for row in rows for key in row):
    if name not in ("shape", "MB", "bnjax, ms", "GB/s"):
      values = [row[name] for row in rows if name in row]
      means[name] = statistics.geometric_mean(values)
  return means


def models(rounds: int) -> str:
  """An Inception's training step and inference, beside PyTorch's."""
  chosen = models_bench.setting()
  work = models_bench.cost(chosen)
  torch = ("torch",) if importlib.util.find_spec("torch") else ()
  lines = [
    *heading(f"Inception, images of {chosen.side}x{chosen.side}", *torch),
    f"Minibatches of {chosen.batch_size} images {chosen.side}x{chosen.side}x3, "
    f"SGD with momentum, {work.products / 1e6:,.1f} million floating-point "
    f"operations forward and {work.normalized:,} normalized values an image. "
    f"Training is {models_bench.STEPS} steps in one program, milliseconds for "
    f"one. Medians of {rounds} rounds in which the candidates take turns. "
    "PyTorch in eager mode, channels last. MFU: the "
    "model's operations, times 3 in training, over time and peak.",
  ]
  precisions = ("float32",) if backend() == "cpu" else ("float32", "bfloat16")
  for precision in precisions:
    found, facts = models_bench.rows(chosen, precision, rounds)
    lines += ["", f"## {precision}", "", *table(found), "", _limits(facts)]
  return "\n".join(lines)


def _limits(facts: Mapping[str, float]) -> str:
  ratios = {k: v for k, v in facts.items() if k.startswith("torch")}
  beside = "; ".join(
    f"{name.removeprefix('torch, ')}: {ratio:.2f}"
    for name, ratio in ratios.items()
  )
  said = f" PyTorch's time over ours, median of rounds: {beside}."
  return (
    f"The peak is what a large matrix product reaches in the same rounds, "
    f"{facts['peak'] / 1e9:,.0f} Gflop/s. Normalization, with against without, "
    f"takes {facts['norm_share']:.0%} of the training step; 8 passes over what "
    f"is normalized at the bandwidth of a copy, {facts['copy'] / 1e9:,.1f} "
    f"GB/s, would take {facts['norm_floor']:.3g} ms." + (said if ratios else "")
  )


def scaling(rounds: int) -> str:
  """Collectives of a step, and what they would take on accelerators."""
  del rounds  # nothing is timed
  scaling_bench.use_cpu_devices()
  found = list(scaling_bench.measure())
  rows = [
    {
      "network": m.network,
      "way": m.way,
      "devices": m.devices,
      "collectives": m.norm.count,
      "a layer": m.norm.count / m.layers,
      "bytes": m.norm.bytes,
      "bytes a feature": m.norm.bytes / m.features,
      "collectives of the rest": m.rest.count,
      "bytes of the rest": m.rest.bytes,
    }
    for m in found
  ]
  sizes = {m.network: f"{m.layers} layers of {m.features}" for m in found}
  said = ", ".join(f"{name}: {size} features" for name, size in sizes.items())
  lines = heading("Synchronized statistics: collectives of a training step")
  lines += [f"What normalization adds to a step ({said}).", "", *table(rows)]
  lines += ["", "Predicted milliseconds a step, by number of devices:", ""]
  return "\n".join([*lines, *table(networks.predict((networks.RESNET_50,)))])


def sweep(rounds: int) -> str:
  """200 networks in one program, and in a process each."""
  found = sweeps.rows(rounds)
  lines = heading("A sweep: learning rate x seed of the small MLP")
  lines += [_SWEEP, ""]
  return "\n".join([*lines, *table(found)])


_SWEEP = (
  f"`{sweeps.CONFIG}`: 20 learning rates of 10 seeds, 784-100-100-100-10 with "
  "batch norm, 500 steps of minibatches of 60 on 4,000 images. Everything is "
  "counted from the start of a process to its end: imports, data, compilation, "
  "training, records, of the sweep its report too. A process a network "
  "is estimated: so many of the 200 were run, and all do the same work. "
  "`compiled before` takes its program from JAX's compilation cache."
)


def across(rounds: int) -> str:
  """Networks of a program together, and one after the other."""
  found = list(across_bench.rows(rounds))
  lines = heading("Networks together, or one after the other")
  lines += [_ACROSS.format(rounds), ""]
  return "\n".join([*lines, *table(found)])


_ACROSS = (
  "`machine.across` of a config: `vmap` trains the networks of a program "
  "together, `map` one after the other. Milliseconds of a training step of one "
  "network, random data of the data set's shape; medians of {} rounds in which "
  "both take turns, and the median of their ratio. `auto`, the default, is "
  "`map` for networks that convolve images on a CPU and `vmap` for all others."
)


def probes(rounds: int) -> str:
  """What the probes of some experiments cost beside their training."""
  rounds = min(rounds, 3)  # whole runs
  found = list(probes_bench.rows(rounds))
  lines = heading("Probes: what looking costs")
  lines += [_PROBES.format(rounds), ""]
  return "\n".join([*lines, *table(found)])


_PROBES = (
  "One network of an arm, as its config has it, with its probes and without; "
  "evaluation is left out, compilation apart. Medians of {} rounds in which "
  "both take turns."
)


def devices(rounds: int) -> str:
  """Loss curves of one device, several, and several processes."""
  del rounds  # nothing is timed
  lines = heading("One device, several devices, several processes")
  lines += [_DEVICES, ""]
  return "\n".join([*lines, *table(devices_bench.curves())])


_DEVICES = (
  "An MLP (3x100, batch norm, dropout .3) on minibatches of 32 and the LeNet "
  "with batch norm on minibatches of 30, which 4 does not divide; 200 steps on "
  "500 images of mnist5k as 32x32x3, SGD at rate .01: the mean "
  "training loss of each 20 steps. `apart` is the largest relative difference "
  "from the first column. Neighbours in float32 are 6e-08 apart, and training "
  "makes a difference grow once it changes which units are active: in float64 "
  "there is nothing to grow."
)


SUITES: dict[str, Callable[[int], str]] = {
  "across": across,
  "devices": devices,
  "experiment": experiment,
  "gpu": gpu_bench.page,
  "models": models,
  "ops": ops,
  "probes": probes,
  "scaling": scaling,
  "sweep": sweep,
}


def backend() -> str:
  """The kind of device that jax uses: cpu, gpu, tpu."""
  return jax.default_backend()
