"""Networks and rows as a run has them, without a run."""

from bnjax.lab.experiment.plan import Network


def network(arm="batch_norm", seed=0, point=None, rate=0.1):
  spec = {
    "optimizer": {"name": "adam", "learning_rate": rate},
    "norm": {"name": "none" if arm == "no_batch_norm" else arm},
    "steps": 20,
    "sizes": (1, 2),
    "seed": seed,
    "seeds": 2,
  }
  return Network(arm, point or {}, seed, spec)


def row(step, arm="batch_norm", seed=0, **fields):
  return {"arm": arm, "seed": seed, "step": step, **fields}


NETWORKS = [
  network(arm, seed)
  for arm in ("batch_norm", "no_batch_norm")
  for seed in (0, 1)
]
