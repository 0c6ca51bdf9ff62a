"""What probes cost: an experiment's networks trained with them and without."""

import functools
import statistics
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from benchmarks.timing import take_turns
from benchmarks.training import load_config
from bnjax.lab import experiment, results


class Case(NamedTuple):
  """An arm of a config, of one seed.

  Attributes:
    config: its file's name and argument.
    arm: of it.
    rate: the learning rate, where the config has a grid of them.
  """

  config: str
  arm: str
  rate: float | None = None


CASES = (
  Case("covariate_shift:mnist", "none", 0.1),
  Case("covariate_shift:mnist", "batch_norm", 0.1),
  Case("covariate_shift:cifar10_jpeg", "batch_norm", 0.1),
  Case("deep_linear:gaussian", "batch_norm_1e-7"),
  Case("landscape:mnist", "batch_norm"),
)


def rows(
  rounds: int, cases: tuple[Case, ...] = CASES
) -> Iterator[dict[str, Any]]:
  """A row per case: seconds of its steps, and of all looks of its probes.

  What evaluation takes is left out of both.

  Args:
    rounds: how many times each.
    cases: what is timed.

  Raises:
    UserError: a data set is not there.
  """
  for case in cases:
    config = _one_network(case)
    took: dict[str, list[Mapping[str, float]]] = {"with": [], "without": []}
    ways = {"with": config, "without": {**config, "probes": {}}}
    turns = {way: functools.partial(_run, ways[way], took[way]) for way in ways}
    take_turns(turns, rounds)
    plain, probed = took["without"][1:], took["with"][1:]
    steps = _median(plain, "train")
    looks = _median(probed, "evaluate") - _median(plain, "evaluate")
    yield {
      "arm": f"{case.config} {case.arm}",
      "steps": config["steps"],
      "looks": -(-config["steps"] // config["eval_every"]) + 1,
      "steps, s": steps,
      "looks, s": looks,
      "with probes over without": 1 + looks / steps,
      "compilation, s": _median(plain, "compile"),
      "with probes, s": _median(probed, "compile"),
    }


def _one_network(case: Case) -> dict[str, Any]:
  file, _, argument = case.config.partition(":")
  config = load_config(f"configs/{file}.py", argument)
  arm = dict(config["arms"][case.arm])
  if case.rate is not None:
    optimizer = {**arm.get("optimizer", {}), "learning_rate": case.rate}
    arm = {**arm, "optimizer": optimizer}
  own = {"arms": {case.arm: arm}, "grid": {}, "seeds": 1}
  return {**config, **own, "evaluate_at": (config["steps"],)}


def _run(config: Mapping[str, Any], took: list[Mapping[str, float]]) -> None:
  """Trains, and puts down the last row, which says what took how long."""
  with tempfile.TemporaryDirectory() as folder:
    experiment.run(config, f"{folder}/run")
    took.append(results.read_rows(f"{folder}/run/metrics.jsonl").rows[-1])


def _median(rows: list[Mapping[str, float]], kind: str) -> float:
  return statistics.median(row[f"{kind}_seconds"] for row in rows)


__all__ = ["CASES", "Case", "rows"]
