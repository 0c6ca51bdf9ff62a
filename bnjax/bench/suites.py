"""The suites of `scripts/bench.py`: each returns a Markdown page."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax

from bnjax.bench import training
from bnjax.bench.timing import describe_machine
from bnjax.errors import UserError


def experiment(rounds: int) -> str:
  """The step of init_robustness, and the whole of two arms."""
  config = training.load_config("configs/init_robustness.py", "mnist")
  steps = training.step_times(config, rounds)
  lines = [
    *_heading("Training: init_robustness"),
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


SUITES: dict[str, Callable[[int], str]] = {"experiment": experiment}


def backend() -> str:
  """The kind of device that jax uses: cpu, gpu, tpu."""
  return jax.default_backend()


def _heading(title: str, *packages: str) -> list[str]:
  machine = describe_machine("flax", "optax", *packages)
  said = ", ".join(f"{k} {v}" for k, v in machine.items())
  return [
    f"# {title}",
    "",
    f"`python {' '.join(sys.argv)}`",
    "",
    said + ".",
    "",
  ]


def table(rows: Iterable[Mapping[str, Any]]) -> list[str]:
  """Markdown lines; numbers to three figures, absent cells empty."""
  rows = list(rows)
  columns = list(dict.fromkeys(key for row in rows for key in row))
  if not columns:
    return []
  cell = lambda v: f"{v:.3g}" if isinstance(v, float) else str(v)
  return [
    "| " + " | ".join(columns) + " |",
    "|" + "---|" * len(columns),
    *(
      "| " + " | ".join(cell(row.get(c, "")) for c in columns) + " |"
      for row in rows
    ),
  ]
