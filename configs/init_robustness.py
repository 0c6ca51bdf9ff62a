"""Does batch norm make training robust to a bad initialization?

The first test of "Implementing BatchNorm in Neural Net" (2016): every weight
drawn from N(0, 1), dropout, Adam, with and without batch norm. The post says
784-256-256-10 and minibatches of 256; its numbers and its losses are those of
width 100 and minibatches of 128 (arms `..._width_100`), with an error in the
backward pass of layer 1 (`as_published` repeats it). Dropout matters more than
the post says: without it this initialization trains by itself.

  python scripts/train.py --config=configs/init_robustness.py:mnist

The argument is a data set (`mnist` is the published one; `mnist5k`, the
default, needs no network and trains width 100 alone, in half a minute), `smoke`
for a run of seconds, or both: `mnist,smoke`.
"""

from bnjax.lab.config import NO_NORM, base, finish, parse
from bnjax.lab.literature import (
  POST,
  POST_LOSS,
  POST_LOSS_WITHOUT,
  curve,
  number,
)
from bnjax.lab.results import Rules, greater, within


def get_config(arg="mnist5k"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg, dataset="mnist5k")
  config = base(model="mlp", optimizer="adam")
  config.dataset.name = options.dataset
  small = options.dataset == "mnist5k"
  config.model.update(depth=2, init="randn", dropout_rate=0.5)
  config.model.width = 100 if small else 256
  config.norm.update(epsilon=1e-8, decay=0.9)
  config.l2 = 1e-3
  config.sampler = "fixed"  # minibatches cut once, drawn with replacement
  config.batch_size = 128 if small else 256
  config.seeds = 3 if small else 5
  dry = {"model": {"dropout_rate": 0.0}}
  as_published = {"derivative": "as_published"}
  config.arms = {
    "batch_norm": {},
    "batch_norm_as_published": {"model": as_published},
    "no_batch_norm": NO_NORM,
    "batch_norm_no_dropout": dry,
    "no_batch_norm_no_dropout": NO_NORM | dry,
    "no_batch_norm_no_dropout_no_l2": NO_NORM | dry | {"l2": 0.0},
  }
  if not small:
    narrow = {"model": {"width": 100}, "batch_size": 128}
    wrong = {"model": narrow["model"] | as_published}
    config.arms.batch_norm_as_published_width_100 = narrow | wrong
    config.arms.no_batch_norm_width_100 = NO_NORM | narrow
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  source = f"{POST}, test 1"
  where, published = {"seeds": 5, "step": 1000, "source": source}, []
  for width in ("", "_width_100"):
    ours, theirs = f"batch_norm_as_published{width}", f"no_batch_norm{width}"
    if ours not in config.arms:
      continue
    narrow = width or config.model.width == 100
    where["setting"] = "width 100, minibatches of 128" if narrow else ""
    published += [
      number(ours, "test_accuracy", 0.8853, 0.0079, **where),
      curve(ours, "loss", POST_LOSS, every=100, source=source),
      number(theirs, "test_accuracy", 0.1388, 0.0219, **where),
      curve(theirs, "loss", POST_LOSS_WITHOUT, every=100, source=source),
    ]
  rescue = "With dropout, batch norm rescues this initialization"
  needs = "It is dropout that makes this initialization need rescue"
  error = "The published backward pass costs accuracy"
  shrink = "Without dropout it trains without the L2 penalty, too"
  dry = "no_batch_norm_no_dropout"
  return Rules(
    claimed={
      "Kristiadi 2016": ("rescue",),
    },
    title="Batch norm against a bad initialization",
    published=published,
    claims={
      "rescue": greater(rescue, "batch_norm", "no_batch_norm"),
      "needs_rescue": greater(needs, dry, "no_batch_norm"),
      "no_l2": within(0.01, shrink, f"{dry}_no_l2", dry),
      "backward_error": greater(error, "batch_norm", "batch_norm_as_published"),
    },
    notes=(
      "The post states width 256 and minibatches of 256. Its losses without "
      "batch norm start near 45, which is the L2 term 0.5 * 1e-3 * 89,400 of a "
      "784-100-100-10 network of N(0, 1) weights; with width 256 it is 134.",
    ),
  )
