"""Where training and held-out examples come from: memory, or files.

A feed hands out what the compiled program of `train.program` takes. What
a step sees is a pure function of the seed and the step for either.
"""

from bnjax.lab.train.feed.files import FromFiles
from bnjax.lab.train.feed.memory import FromMemory, Networks

Feed = FromFiles | FromMemory

__all__ = ["Feed", "FromFiles", "FromMemory", "Networks"]
