"""From what a program computed to rows of metrics.jsonl and probes.jsonl."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from bnjax.lab.experiment.plan import Group, Network
from bnjax.lab.probes.rows import to_rows
from bnjax.lab.train.loop import Training
from bnjax.lab.train.losses import Sums
from bnjax.lab.train.program import Evaluation

Row = dict[str, Any]


class Recorder:
  """Keeps what accumulates between the rows of a group's networks."""

  def __init__(self, group: Group):
    self.networks = group.networks
    self.diverged = np.zeros(len(group.networks), int)
    self._training: Training | None = None
    self._loss = np.zeros(len(group.networks))
    self._steps = 0

  def to_arrays(self) -> dict[str, np.ndarray]:
    """All that is kept, to go on from in another process."""
    kept = {"diverged": self.diverged, "loss": self._loss, "steps": self._steps}
    if self._training is not None:
      kept |= self._training._asdict()
    return {f"recorder.{k}": np.asarray(v) for k, v in kept.items()}

  def set_arrays(self, arrays: Mapping[str, np.ndarray]) -> None:
    """Goes on from what `to_arrays` gave."""
    self.diverged = arrays["recorder.diverged"]
    self._loss = arrays["recorder.loss"].copy()
    self._steps = int(arrays["recorder.steps"])
    if "recorder.data_loss" in arrays:
      fields: Any = {f: arrays[f"recorder.{f}"] for f in Training._fields}
      self._training = Training(**fields)

  def trained(self, steps: int, training: Training) -> None:
    """Takes in what some steps of training left."""
    self._training = training
    self._loss += steps * np.asarray(training.mean_loss, np.float64)
    self._steps += steps
    new = np.asarray(training.diverged_step)
    self.diverged = np.where(self.diverged > 0, self.diverged, new)

  def rows(self, step: int, evaluation: Evaluation) -> list[Row]:
    """A row per network, of its training since the last rows."""
    rows = []
    for i, network in enumerate(self.networks):
      row = _identity(network, step)
      if self._training is not None:
        row |= self._training_row(i)
      row |= _evaluation_row(evaluation, i)
      rows.append(row | {"diverged_step": int(self.diverged[i]) or None})
    self._loss[:] = 0
    self._steps = 0
    return rows

  def _training_row(self, i: int) -> Row:
    training = self._training
    assert training is not None
    data_loss = float(training.data_loss[i])
    l2_loss = float(training.l2_loss[i])
    return {
      "data_loss": data_loss,
      "l2_loss": l2_loss,
      "loss": data_loss + l2_loss,
      "train_loss": self._loss[i] / self._steps,
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
