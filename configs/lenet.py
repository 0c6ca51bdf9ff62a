"""A convolutional network with and without batch norm.

The network of the report "Batch Norm in PyTorch": LeNet for 32x32x3 images,
62,006 parameters, 44 more with batch norm after each pool; SGD, 10 epochs. The
report gives no numbers, no learning rate and no batch size: the arms are
compared with each other. On MNIST, the report's data, `batch_norm_torch` starts
and averages as PyTorch does: biases drawn like kernels, not 0, and running
variances unbiased, of decay .9 and not .99. The argument is `mnist` (padded) or
`cifar10_jpeg`.

  python scripts/train.py --config=configs/lenet.py:cifar10_jpeg
"""

from bnjax.lab.config import base, finish, parse
from bnjax.lab.results import Curves, Rules, greater, less, within

TRAIN = {"mnist": 55_000, "cifar10": 45_000, "cifar10_jpeg": 45_000}


def get_config(arg="mnist"):
  """The experiment on the data set that `arg` names, small if it says smoke."""
  options = parse(arg)
  config = base(model="lenet", optimizer="sgd")
  config.dataset.update(name=options.dataset, transform="rgb32")
  config.optimizer.learning_rate = 0.05
  config.batch_size = 64
  epoch = TRAIN.get(options.dataset, 4000) // config.batch_size
  config.steps = 10 * epoch
  config.eval_every = epoch
  config.predictions = True
  if options.dataset.startswith("mnist"):
    config.arms.batch_norm_torch = {
      "model": {"init": "torch"},
      "norm": {"name": "torch_batch_norm"},
    }
  return finish(config, options)


def get_rules(config):
  """What is claimed and published of it, and what its report shows."""
  arms = ("batch_norm", "no_batch_norm")
  better = "After 10 epochs the test accuracy is higher with batch norm"
  faster = "After one epoch the test accuracy is higher with batch norm"
  loss = "After 10 epochs the test loss is lower with batch norm"
  torch = "PyTorch's biases and running statistics change it by less than .005"
  losses = ("train_loss", "test_loss")
  ours = {
    "faster": greater(faster, *arms, step=config.eval_every),
    "better": greater(better, *arms),
    "loss": less(loss, *arms, "test_loss"),
  }
  if "batch_norm_torch" in config.arms:
    ours["torch"] = within(0.005, torch, "batch_norm_torch", "batch_norm")
  return Rules(
    claimed={
      "Batch Norm in PyTorch": (
        "faster",
        "better",
        "loss",
      ),
    },
    title=f"A CNN with and without batch norm: {config.dataset.name}",
    claims=ours,
    figures={
      "loss": Curves(metrics=losses, epochs=True),
      "accuracy": Curves(metrics=("test_accuracy",), epochs=True),
    },
  )
