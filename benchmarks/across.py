"""Networks of one program together, or one after the other: which is faster."""

import statistics
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, get_args

from benchmarks.timing import median_ratio, take_turns
from benchmarks.training import load_config, steps
from bnjax.lab.config import complete, resolve
from bnjax.lab.experiment.validation import wide
from bnjax.lab.train.program import Across


class Case(NamedTuple):
  """Networks of an arm of a config.

  Attributes:
    config: its file's name and argument.
    arm: of it.
    networks: how many.
    steps: in one call.
    model: what is set otherwise.
  """

  config: str
  arm: str
  networks: int
  steps: int
  model: Mapping[str, Any] = {}


CASES = (
  Case("learning_rates:mnist", "relu_batch_norm", 3, 100),
  Case("learning_rates:mnist", "relu_batch_norm", 18, 20),
  Case("learning_rates:mnist", "relu_batch_norm", 72, 5),
  Case("init_robustness:mnist", "batch_norm", 5, 40),
  Case("init_robustness:mnist", "batch_norm", 5, 5, {"width": 1024}),
  Case("deep_signal:gaussian", "batch_norm_after", 10, 2),
  Case("lenet:mnist", "batch_norm", 5, 20),
  Case("accelerating:cifar10_jpeg", "batch_norm", 3, 10),
  Case("inception_cifar:cifar10_jpeg", "bn_baseline", 3, 4),
)


def rows(
  rounds: int, cases: tuple[Case, ...] = CASES
) -> Iterator[dict[str, Any]]:
  """A row per case: what is trained, and milliseconds a step and network.

  Args:
    rounds: how many times each.
    cases: what is timed.
  """
  for case in cases:
    file, _, argument = case.config.partition(":")
    config = complete(load_config(f"configs/{file}.py", argument))
    spec = resolve(config, case.arm, {"model": case.model})
    with wide(spec):
      ways = {
        way: steps(spec, case.networks, case.steps, way)
        for way in get_args(Across)
      }
      seconds = take_turns(ways, rounds)
    each = 1e3 / (case.steps * case.networks)
    model = spec["model"]
    width = f", width {model['width']}" if "width" in model else ""
    yield {
      "arm": f"{case.config} {case.arm}",
      "model": f"{model['name']}{width}",
      "minibatch": spec["batch_size"],
      "networks": case.networks,
      **{
        f"{way}, ms": each * statistics.median(own)
        for way, own in seconds.items()
      },
      "vmap over map": median_ratio(seconds["vmap"], seconds["map"]),
    }


__all__ = ["CASES", "Case", "rows"]
