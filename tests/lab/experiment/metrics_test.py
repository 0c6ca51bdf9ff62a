"""What is known of a run's metrics before it is trained."""

import pytest

from bnjax.lab import experiment, results
from bnjax.lab.config import base, complete, resolve_arms
from bnjax.lab.errors import UserError
from bnjax.lab.experiment.recorder import recorded
from bnjax.lab.results import Rules, greater


def test_algorithm_2_is_recorded_where_it_is_asked_for():
  config = base().to_dict()
  assert "population_test_accuracy" not in recorded(
    resolve_arms(config).values()
  )
  config["arms"]["batch_norm"] = {"population_batches": 2}
  assert "population_test_accuracy" in recorded(resolve_arms(config).values())


def test_rows_tell_the_learning_rate_where_it_follows_a_schedule(tmp_path):
  config = base()
  config.dataset.update(name="mnist5k", examples=40)
  config.model.update(width=4, depth=1)
  config.optimizer.learning_rate = 0.5
  config.update(batch_size=20, steps=4, eval_every=2, seeds=1)
  halves = {"name": "piecewise", "boundaries": (2,), "factor": 0.5}
  config.arms = {"constant": {}, "halved": {"schedule": halves}}
  arms = resolve_arms(config.to_dict())
  assert "learning_rate" in recorded(arms.values())
  assert "learning_rate" not in recorded([arms["constant"]])
  experiment.run(complete(config), tmp_path)
  rows = results.read_rows(tmp_path / "metrics.jsonl").rows
  found = {(r["arm"], r["step"]): r.get("learning_rate") for r in rows}
  assert found == {
    ("constant", 0): None, ("constant", 2): None, ("constant", 4): None,
    ("halved", 0): None, ("halved", 2): 0.5, ("halved", 4): 0.25,
  }  # fmt: skip


def test_a_claim_on_what_will_not_be_recorded_is_refused():
  config = base().to_dict()
  config["dataset"]["name"] = "mnist5k"
  arms = ("batch_norm", "no_batch_norm")
  rules = Rules(claims={"c": greater("", *arms, "test_acuracy")})
  with pytest.raises(UserError, match=r"claims.c.metric: no run has 'test_ac"):
    experiment.prepare(config, rules)
