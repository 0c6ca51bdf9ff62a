"""The mean of trained networks' predictions, from their files alone."""

import numpy as np
import pytest

from bnjax.lab import experiment, results
from bnjax.lab.config import base, complete
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.ensemble import _errors, errors


def test_errors_are_those_of_the_mean_probability(tmp_path):
  config = base()
  config.dataset.update(name="mnist5k", examples=200)
  config.model.update(width=8, depth=1)
  config.update(batch_size=50, steps=8, eval_every=8, seeds=2)
  config.update(predictions=True, save_params=True)
  config.arms = {"batch_norm": {}}
  experiment.run(complete(config), tmp_path)
  found = errors(tmp_path)
  rows = results.read_rows(tmp_path / "metrics.jsonl").rows
  wrong = {
    f"{row['arm']} seed {row['seed']}": 1 - row["test_accuracy"]
    for row in rows
    if row["step"] == 8
  }
  assert {one.name: one.top_1 for one in found[:-1]} == pytest.approx(wrong)
  together = found[-1]
  assert together.name == "all 2 together"
  said = results.read_rows(tmp_path / "predictions.jsonl").rows
  right = [
    line["arms"]["batch_norm"]["prediction"] == line["label"] for line in said
  ]
  assert together.top_1 == pytest.approx(1 - np.mean(right))
  assert 0 < together.top_5 < together.top_1
  with pytest.raises(UserError, match="--arms: 'batch_nor'"):
    errors(tmp_path, ["batch_nor"])


def test_first_and_first_five_choices():
  said = np.linspace(1.0, 0.0, 7)[None].repeat(4, axis=0)  # class 0 is first
  one = _errors("a", said, np.array([0, 4, 5, 6]))
  assert one == ("a", 0.75, 0.5)
  even = _errors("b", np.full((1, 5), 0.2), np.array([0]))
  assert even == ("b", 1.0, None)  # it chose nothing


def test_where_no_run_is(tmp_path):
  with pytest.raises(UserError, match=r"holds no config\.json"):
    errors(tmp_path)
