"""How smooth is the loss with batch norm, and is it so from the start?

Santurkar et al. (2018): along the gradient the loss and the gradient change
less with batch norm. Page (2019): it is what batch norm goes on doing that
removes the largest eigenvalues of the Hessian, and not where it starts: the
same weights with the statistics frozen have them. Both are looked at along
training, at one rate for all.

  python scripts/train.py --config=configs/landscape.py:mnist
"""

from bnjax.lab.config import NO_NORM, base, finish, log_space, parse
from bnjax.lab.results import Curves, Rules, greater, less, within

RATE = 0.1
# From a thousandth of the paper's shortest step, .5 rates, over its longest, 4.
FINE, WIDE = log_space(5e-5, 0.05, 4), (0.1, 0.2, 0.4, 1.0)
STEPS = (*FINE, *WIDE)
SHORTEST, LONGEST = STEPS.index(0.05), STEPS.index(0.4)
LOOKS = (100, 400)


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="mlp", optimizer="sgd")
  config.dataset.name = options.dataset
  if "cifar" in options.dataset:
    config.model.update(name="lenet", init="he", placement="before")
    config.model.norm_dense = True
  else:
    depth = 1 if options.smoke else 8
    config.model.update(width=100, depth=depth, init="he")
  config.optimizer.learning_rate = RATE
  config.update(batch_size=128, steps=400, eval_every=100, seeds=5)
  config.machine.across = "map"
  config.arms = {
    "none": NO_NORM,
    "frozen": {"norm": {"name": "frozen_batch_norm"}, "population_batches": 20},
    "batch_norm": {},
  }
  products = 4 if options.smoke else 30
  count = 2 if options.smoke else 10
  config.probes.update(
    along={"measure": "loss_along_gradient", "steps": STEPS},
    eigenvalues={
      "measure": "top_eigenvalues",
      "count": count,
      "products": products,
    },
  )
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  at = lambda place, column: f"along/loss[{place}][{column}]"
  largest, share = "eigenvalues/loss[0][0]", "eigenvalues/loss[0][1]"
  looks = [look for look in LOOKS if look <= config.steps] or [config.steps]
  claims = {}
  for step in looks:
    own = {"step": step, "setting": f"step {step}"}
    claims[f"distance_{step}"] = greater(
      "Four rates along it the gradient changes a fifth with batch norm",
      "none",
      "batch_norm",
      at(LONGEST, 3),
      times=5.0,
      published="the text: two orders; figure 11a: 255 to 38, 200 to 28",
      **own,
    )
    claims[f"change_{step}"] = less(
      "It changes less also relative to the gradient",
      "batch_norm",
      "none",
      at(LONGEST, 1),
      **own,
    )
    for arm in config.arms:
      claims[f"saturates_{arm}_{step}"] = within(
        1.25,
        f"The gradient changes by its own size in half a rate: {arm}",
        arm,
        1.0,
        at(SHORTEST, 1),
        ratio=True,
        published="figure 4c: both at 20 = 1 / (.5 of .1) from step 4,000 on",
        **own,
      )
  for step in [0, *looks]:
    own = {"step": step, "setting": f"step {step}"}
    for arm in ("none", "frozen"):
      claims[f"eigenvalue_{arm}_{step}"] = greater(
        f"The largest eigenvalue is ten times batch norm's: {arm}",
        arm,
        "batch_norm",
        largest,
        times=10.0,
        published="Page: one to two orders",
        **own,
      )
    claims[f"share_{step}"] = greater(
      "Frozen: the first eigenvector lies in the span of outputs' means",
      "frozen",
      0.5,
      share,
      published="Page: almost wholly",
      **own,
    )
  return Rules(
    title="The loss along its gradient, and its curvature",
    notes=(
      f"One rate, {RATE}, on 1,000 training examples. Steps along the gradient "
      "and rates are the same thing here: plain gradient descent. Before these "
      "claims stood a run in small was seen: 2 layers, 20 steps.",
    ),
    claims=claims,
    figures={
      "along": Curves(
        metrics=(at(LONGEST, 3), at(LONGEST, 1), at(SHORTEST, 1)),
        titles=(
          "change of the gradient after 4 rates",
          "the same relative to it",
          "relative to it after half a rate",
        ),
        log_y=True,
      ),
      "eigenvalues": Curves(
        metrics=(largest, share, "validation_accuracy"),
        titles=(
          "largest eigenvalue of the Hessian",
          "its vector in the span of outputs' means",
          "validation accuracy",
        ),
      ),
    },
  )
