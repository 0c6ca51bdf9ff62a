"""All that is asked of an accelerator, within minutes, on one page.

On a CPU the same in small, which shows that it runs and nothing else.
"""

import dataclasses
import functools
import importlib.util
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import jax.numpy as jnp

from benchmarks import models, ops
from benchmarks.outputs import heading, table
from benchmarks.timing import torch_device
from benchmarks.training import load_config
from bnjax.lab import experiment, results
from bnjax.lab.models import small_inception
from bnjax.lab.models.inception_blocks import FIGURE_5

_ROOT = Path(__file__).parents[1]
# What compares numbers with float64 references and closed forms, on one device.
_NUMERICAL = tuple(
  f"tests/ops/{name}_test.py"
  for name in (
    "outliers",
    "moments",
    "normalize",
    "batch_norm",
    "apply",
    "epsilon",
    "ghost",
    "renorm",
    "running",
    "siblings",
    "whitening",
    "weights",
  )
)
_PEERS = ("bnjax", "flax linen", "bnjax.linen")
_INCEPTION = ("train, batch norm", "infer, batch norm", "infer, folded")


@dataclasses.dataclass(frozen=True)
class Plan:
  """How much of everything.

  Attributes:
    tests: files, or tests, for pytest.
    shapes: of batch norm.
    inception: what to time of it.
    runs: configs and their arguments.
    arms: how many of each; 0: all.
    seconds: after which no part is begun.
  """

  tests: tuple[str, ...]
  shapes: tuple[tuple[int, ...], ...]
  inception: models.Setting
  runs: tuple[tuple[str, str], ...]
  arms: int
  seconds: float


def plan() -> Plan:
  """Of an accelerator the whole, of a CPU little."""
  if jax.default_backend() != "cpu":
    runs = (("init_robustness", "mnist5k"), ("trainability", "mnist5k"))
    inception = models.setting()
    return Plan(_NUMERICAL, ops.GPU_SHAPES, inception, runs, 0, 360.0)
  few = functools.partial(small_inception, width_factor=1 / 32, blocks=("5b",))
  torch = {"width_factor": 1 / 32, "small_images": True, "rows": FIGURE_5[9:]}
  tiny = models.Setting(few, 8, 4, 10, torch, 64)
  smoke = (("init_robustness", "smoke"), ("trainability", "smoke"))
  tests = ("tests/ops/count_test.py",)
  return Plan(tests, ((64, 4),), tiny, smoke, 1, math.inf)


def page(rounds: int, chosen: Plan | None = None) -> str:
  """The page; `chosen` is `plan()` if None.

  A part that would begin too late is left out, one that fails is told of, and
  the others are there.
  """
  chosen = chosen or plan()
  begun = time.monotonic()
  left = lambda: chosen.seconds - (time.monotonic() - begun)
  parts: dict[str, Callable[[], Iterator[str]]] = {
    "Batch norm": lambda: _ops(chosen, rounds),
    "Inception": lambda: _inception(chosen, rounds),
    "Experiments": lambda: _experiments(chosen),
    "Numerical tests of ops": lambda: _tests(chosen, left()),
  }
  lines, missing = [], []
  for title, part in parts.items():
    if left() <= 0:
      missing.append(f"{title}: the {chosen.seconds:.0f} s were over.")
      continue
    start = time.monotonic()
    try:
      own = list(part())
    except Exception as error:  # whatever it is, the other parts count
      first = str(error).partition("\n")[0]
      missing.append(f"{title}: {type(error).__name__}: {first}")
      continue
    took = f"{time.monotonic() - start:.0f} s, compilation in."
    lines += ["", f"## {title}", "", *own, "", took]
  if jax.default_backend() == "cpu":
    missing.append("No accelerator is here: sizes are small, to see it run.")
  if torch_device() is None:
    missing.append("PyTorch is not installed, or does not see this device.")
  packages = ("torch",) if importlib.util.find_spec("torch") else ()
  return "\n".join(
    [
      *heading("One accelerator", *packages)[:-1],
      *lines,
      "",
      f"## What is missing, after {time.monotonic() - begun:.0f} s",
      "",
      *(f"- {line}" for line in missing or ["Nothing."]),
    ]
  )


def _ops(chosen: Plan, rounds: int) -> Iterator[str]:
  """Forward and backward, beside a copy, Flax and PyTorch."""
  found = []
  for dtype in (jnp.float32, jnp.bfloat16):
    for shape in chosen.shapes:
      row = ops.rows(shape, dtype, rounds, only=_PEERS)
      ours, call = row["loop"]["bnjax"], row["call"]["bnjax"]
      entry = {
        "dtype": jnp.dtype(dtype).name,
        "shape": row["shape"],
        "MB": row["MB"],
        "copy, GB/s": 8e-3 * row["MB"] / (1e-3 * row["floor_ms"]),
        "8 passes, ms": row["floor_ms"],
        "loop, ms": ours,
        "over 8 passes": ours / row["floor_ms"],
        "call, ms": call,
      }
      for way, times in (("loop", row["loop"]), ("call", row["call"])):
        for name, ms in times.items():
          if name != "bnjax":
            entry[f"{name}, {way}"] = ms / row[way]["bnjax"]
      found.append(entry)
  yield (
    "Forward and backward. A batch norm reads x twice and writes y, then "
    "reads x and dy twice and writes dx: 8 passes over the array, here at the "
    "bandwidth of a copy of it, measured in the same rounds. `loop`: ten in "
    "one program; `call`: one. Then each library's time over ours."
  )
  yield ""
  yield from table(found)


def _inception(chosen: Plan, rounds: int) -> Iterator[str]:
  """A training step in bfloat16, and inference with the norms folded."""
  setting = chosen.inception
  found, facts = models.rows(setting, "bfloat16", rounds, only=_INCEPTION)
  n, side = setting.batch_size, setting.side
  yield (
    f"Minibatches of {n} images {side}x{side}x3, bfloat16, weights and "
    f"statistics in float32; {models.STEPS} steps in one program, "
    "milliseconds for one. PyTorch: autocast, channels last."
  )
  yield ""
  yield from table(found)
  yield ""
  products = 1e3 * 3 * n * models.cost(setting).products / facts["peak"]
  yield (
    f"The products of a training step, {products:.3g} ms at the "
    f"{facts['peak'] / 1e12:.3g} Tflop/s of a large product, and the norms' 8 "
    f"passes, {facts['norm_floor']:.3g} ms at the {facts['copy'] / 1e9:,.0f} "
    f"GB/s of a copy, are {products + facts['norm_floor']:.3g} ms; the step "
    f"takes {found[0]['ms']:.3g}."
  )


def _experiments(chosen: Plan) -> Iterator[str]:
  """Whole runs, as their configs have them."""
  found = []
  for name, argument in chosen.runs:
    config = load_config(str(_ROOT / "configs" / f"{name}.py"), argument)
    arms = list(config["arms"])[: chosen.arms or None]
    config["arms"] = {arm: config["arms"][arm] for arm in arms}
    with tempfile.TemporaryDirectory() as folder:
      start = time.perf_counter()
      experiment.run(config, f"{folder}/run")
      seconds = time.perf_counter() - start
      rows = results.read_rows(f"{folder}/run/metrics.jsonl").rows
    last = [row for row in rows if row["step"] == config["steps"]]
    each = {arm: [r for r in last if r["arm"] == arm] for arm in arms}
    accuracy = lambda own: max(row["test_accuracy"] for row in own)
    found.append(
      {
        "run": f"{name}:{argument}",
        "networks": len(last),
        "steps": config["steps"],
        "seconds": seconds,
        "compilation": sum(own[0]["compile_seconds"] for own in each.values()),
        "training": sum(row["train_seconds"] for row in last),
        "best accuracy": ", ".join(
          f"{arm} {accuracy(own):.3f}" for arm, own in each.items()
        ),
      }
    )
  yield from table(found)


def _tests(chosen: Plan, seconds: float) -> Iterator[str]:
  """Those of ops on the device, as far as the time goes."""
  here = jax.default_backend()
  environment = os.environ | {
    # None is JAX's own choice: "gpu" would be those of every vendor.
    "BNJAX_TESTS_PLATFORM": here if here == "cpu" else "",
    "BNJAX_TESTS_OPTIMIZED": "1",
    "JAX_DEFAULT_MATMUL_PRECISION": "highest",
    "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
  }
  # Another version of JAX may have other deprecations.
  how = ("-q", "--tb=line", "-W", "ignore::DeprecationWarning")
  command = [sys.executable, "-m", "pytest", *how, *chosen.tests]
  with subprocess.Popen(
    command,
    cwd=_ROOT,
    env=environment,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    text=True,
  ) as process:
    try:
      limit = max(seconds, 1.0) if math.isfinite(seconds) else None
      said, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
      process.send_signal(signal.SIGINT)  # it then says how far it came
      said = _rest(process)
  counted = re.findall(r"^(?:=+ )?(\d+ \w+.* in [\d.]+s.*)$", said, re.M)
  yield f"`pytest {' '.join(chosen.tests)}` on `{here}`:"
  yield f"{counted[-1].rstrip(' =') if counted else said[-200:]}."
  failed = re.findall(r"^FAILED (\S+)", said, re.M)
  if failed:
    yield ""
    yield from (f"- failed: `{name}`" for name in failed)


def _rest(process: subprocess.Popen[str]) -> str:
  """What a process says that was asked to stop."""
  try:
    return process.communicate(timeout=20)[0]
  except subprocess.TimeoutExpired:
    process.kill()
    return process.communicate()[0]


__all__ = ["Plan", "page", "plan"]
