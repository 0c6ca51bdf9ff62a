"""Averages the trained networks of a run: an ensemble, as in the 2015 paper.

  python scripts/ensemble.py --workdir=runs/inception_imagenet
  python scripts/ensemble.py --workdir=runs/lenet --arms=batch_norm

The run's config has save_params. Prints the share of the test set that each
network classifies wrongly, by its first choice and by its first five, and that
of the mean of their class probabilities; one crop an image.
"""

from absl import flags

from bnjax.lab import usage
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import ensemble

_WORKDIR = flags.DEFINE_string("workdir", None, "A finished run's.")
_ARMS = flags.DEFINE_list("arms", [], "Whose networks; default: all.")
_DATA_DIR = flags.DEFINE_string(
  "data_dir", None, "Where prepared TFDS data sets are; default TFDS_DATA_DIR."
)


def main(argv: list[str]) -> None:
  """Prints a line a network, and one of all together."""
  del argv
  if not _WORKDIR.value:
    raise UserError("--workdir: the networks of which run?")
  found = ensemble.errors(_WORKDIR.value, _ARMS.value, data_dir=_DATA_DIR.value)
  width = max(len(one.name) for one in found)
  print(f"{'network':{width}}  top-1 error  top-5 error")
  for one in found:
    five = "" if one.top_5 is None else f"{one.top_5:.2%}"
    print(f"{one.name:{width}}  {one.top_1:>11.2%}  {five:>11}".rstrip())


def run() -> None:
  """Runs the program."""
  usage.run(main)
