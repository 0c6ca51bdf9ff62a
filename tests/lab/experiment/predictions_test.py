"""What each arm says of each test image."""

import json

import numpy as np
import pytest

from bnjax.lab.experiment.plan import Network
from bnjax.lab.experiment.predictions import Predictions


def _network(arm, seed=0):
  return Network(arm, {}, seed, {})


def test_a_line_an_image_with_both_arms(tmp_path):
  predictions = Predictions()
  a = np.array([[[0.9, 0.1], [0.2, 0.8]], [[0.7, 0.3], [0.6, 0.4]]])
  b = np.array([[[0.1, 0.9], [0.4, 0.6]]])
  predictions.add([_network("a", 0), _network("a", 1)], a)
  predictions.add([_network("b")], b)
  predictions.write(tmp_path / "p.jsonl", np.array([0, 1]))
  lines = (tmp_path / "p.jsonl").read_text().splitlines()
  first, second = map(json.loads, lines)
  assert (first["index"], first["label"]) == (0, 0)
  assert first["arms"] == {
    "a": {"prediction": 0, "confidence": pytest.approx(0.8), "right": 1.0},
    "b": {"prediction": 1, "confidence": pytest.approx(0.9), "right": 0.0},
  }
  assert first["disagreement"] == pytest.approx(0.7)
  assert second["arms"]["a"] == {
    "prediction": 1,
    "confidence": pytest.approx(0.6),
    "right": 0.5,
  }
  assert second["disagreement"] == pytest.approx(0.0)


def test_a_network_that_diverged_says_nothing(tmp_path):
  predictions = Predictions()
  predictions.add([_network("a")], np.full((1, 1, 4), np.nan))
  predictions.write(tmp_path / "p.jsonl", np.array([2]))
  (line,) = (tmp_path / "p.jsonl").read_text().splitlines()
  assert json.loads(line)["arms"]["a"]["confidence"] == 0.25


def test_images_that_arms_disagree_on_come_first(tmp_path):
  predictions = Predictions()
  a = np.array([[[0.9, 0.1], [0.9, 0.1], [0.5, 0.5]]])
  b = np.array([[[0.9, 0.1], [0.1, 0.9], [0.5, 0.5]]])
  predictions.add([_network("a")], a)
  predictions.add([_network("b")], b)
  images = np.zeros((3, 2, 2, 1), np.uint8)
  predictions.write(tmp_path / "p.jsonl", np.array([0, 1, 0]), images)
  rows = [json.loads(x) for x in (tmp_path / "p.jsonl").read_text().split("\n")
          if x]  # fmt: skip
  assert [row["image"] for row in rows] == [
    [4, 0, 2, 2], [0, 0, 2, 2], [2, 0, 2, 2],
  ]  # fmt: skip
  assert (tmp_path / "p.png").exists()
