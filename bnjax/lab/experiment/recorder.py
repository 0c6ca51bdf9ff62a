"""From what a program computed to rows of metrics.jsonl and probes.jsonl."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from bnjax.lab.config import has_schedule, learning_rate
from bnjax.lab.experiment.plan import Group, Network
from bnjax.lab.probes.rows import to_rows
from bnjax.lab.train.loop import Training
from bnjax.lab.train.losses import Sums
from bnjax.lab.train.program import Evaluation

Row = dict[str, Any]


class Kept(NamedTuple):
  """What accumulates between the rows of some networks."""

  training: Training  # of the last steps
  # sums of the data losses and accuracies since the last rows, `[networks]`
  loss: np.ndarray
  accuracy: np.ndarray
  steps: int  # how many steps that is
  # the first step that diverged, `[networks]`; 0 where none did
  diverged: np.ndarray


class Recorder:
  """Makes rows of what a group's networks do; `kept` is all of its state."""

  def __init__(self, group: Group):
    self.networks = group.networks
    specs = {id(n.spec): n.spec for n in group.networks}  # seeds share theirs
    self._rates = {
      key: learning_rate(spec)
      for key, spec in specs.items()
      if has_schedule(spec)
    }
    zeros: Any = np.zeros(len(group.networks))
    training = Training(*[zeros] * len(Training._fields))
    self.kept = Kept(training, zeros, zeros, 0, zeros.astype(int))

  def trained(self, steps: int, training: Training) -> None:
    """Takes in what some steps of training left."""
    _, loss, accuracy, before, diverged = self.kept
    loss = loss + steps * np.asarray(training.mean_loss, np.float64)
    mean_accuracy = np.asarray(training.mean_accuracy, np.float64)
    accuracy = accuracy + steps * mean_accuracy
    new = np.asarray(training.diverged_step)
    diverged = np.where(diverged > 0, diverged, new)
    self.kept = Kept(training, loss, accuracy, before + steps, diverged)

  def rows(self, step: int, evaluation: Evaluation) -> list[Row]:
    """A row per network, of its training since the last rows."""
    rows = []
    for i, network in enumerate(self.networks):
      row = _identity(network, step)
      if self.kept.steps:
        row |= self._training_row(i, step)
      row |= _evaluation_row(evaluation, i)
      diverged = int(self.kept.diverged[i]) or None
      rows.append(row | {"diverged_step": diverged})
    none = np.zeros(len(rows))
    self.kept = self.kept._replace(loss=none, accuracy=none, steps=0)
    return rows

  def _training_row(self, i: int, step: int) -> Row:
    training = self.kept.training
    data_loss = float(training.data_loss[i])
    l2_loss = float(training.l2_loss[i])
    accuracy = self.kept.accuracy[i] / self.kept.steps
    classified = {} if np.isnan(accuracy) else {"train_accuracy": accuracy}
    rate = self._rates.get(id(self.networks[i].spec))
    scheduled = {"learning_rate": rate(step)} if rate else {}
    return {
      "data_loss": data_loss,
      "l2_loss": l2_loss,
      "loss": data_loss + l2_loss,
      "train_loss": self.kept.loss[i] / self.kept.steps,
      **classified,
      **scheduled,
      "grad_norm": float(training.grad_norm[i]),
    }

  def probe_rows(self, step: int, observed: Any) -> list[Row]:
    """Rows of all probes of all networks; their arrays' first axis."""
    return [
      _identity(network, step) | row
      for i, network in enumerate(self.networks)
      for row in to_rows(_take(observed, i))
    ]


def _identity(network: Network, step: int) -> Row:
  row: Row = {"arm": network.arm, "seed": network.seed, "step": step}
  return row | ({"point": network.point} if network.point else {})


def _evaluation_row(evaluation: Evaluation, i: int) -> Row:
  row = {"param_norm": float(evaluation.param_norm[i])}
  for name in (
    "validation",
    "test",
    "population_validation",
    "population_test",
  ):
    sums: Sums | None = getattr(evaluation, name)
    if sums is None or sums.correct is None:  # nothing is classified
      continue
    examples = float(sums.examples[i])
    row[f"{name}_loss"] = float(sums.loss[i]) / examples
    row[f"{name}_accuracy"] = float(sums.correct[i]) / examples
  return row


def _take(tree: Any, i: int) -> Any:
  return jax.tree.map(lambda x: np.asarray(x)[i], tree)


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
      if has_schedule(spec):
        names.add("learning_rate")
    if spec["loss"]["name"] == "cross_entropy":
      names.update(_OF_CLASSES)
      if spec["steps"]:
        names.add("train_accuracy")
      if spec["population_batches"]:
        names.update(f"population_{name}" for name in _OF_CLASSES)
  return names
