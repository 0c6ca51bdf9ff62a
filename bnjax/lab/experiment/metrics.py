"""The metrics that a run will record, known before it is trained."""

from collections.abc import Iterable, Mapping
from typing import Any

_ALWAYS = (
  "param_norm",
  "compile_seconds",
  "evaluate_seconds",
  "process_seconds",
  "process_system_seconds",
  "process_user_seconds",
  "train_seconds",
)
_OF_TRAINING = (
  "data_loss",
  "grad_norm",
  "l2_loss",
  "loss",
  "step_seconds",
  "train_loss",
)
_OF_CLASSES = (
  "test_accuracy",
  "test_loss",
  "validation_accuracy",
  "validation_loss",
)


def recorded(specs: Iterable[Mapping[str, Any]]) -> set[str]:
  """The metrics that rows of `metrics.jsonl` will have.

  Args:
    specs: of all arms, see `bnjax.lab.config.resolve_arms`.
  """
  names = set(_ALWAYS)
  for spec in specs:
    if spec["steps"]:
      names.update(_OF_TRAINING)
    if spec["loss"]["name"] == "cross_entropy":
      names.update(_OF_CLASSES)
      if spec["population_batches"]:
        names.update(f"population_{name}" for name in _OF_CLASSES)
  return names
