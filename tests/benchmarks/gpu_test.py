"""The suite for an accelerator runs, in small, on a CPU."""

import dataclasses
import re

from benchmarks import gpu

PARTS = ["Batch norm", "Inception", "Experiments", "Numerical tests of ops"]


def _headings(text):
  return re.findall(r"^## (.*)$", text, re.M)


def test_the_page_has_every_part():
  text = gpu.page(1)
  *parts, missing = _headings(text)
  assert parts == PARTS
  assert missing.startswith("What is missing, after ")
  assert "No accelerator is here" in text
  assert re.search(r"^9 passed in ", text, re.M)  # of tests/ops/count_test.py
  for cell in ("| float32 | 64x4 |", "| bfloat16 | 64x4 |", "flax linen, loop",
               "| train, batch norm |", "| infer, folded |",
               "| init_robustness:smoke |", "| trainability:smoke |",
               "jaxlib"):  # fmt: skip
    assert cell in text


def _never(*arguments):
  raise AssertionError("it ran")


def test_what_fails_is_told_of_and_what_comes_too_late_left_out(monkeypatch):
  def fails(*arguments):
    raise ValueError("no such kernel\nmore of it")

  for name in ("_inception", "_experiments", "_tests"):
    monkeypatch.setattr(gpu, name, _never)
  monkeypatch.setattr(gpu, "_ops", fails)
  chosen = dataclasses.replace(gpu.plan(), seconds=360.0)
  clock = iter([0.0, 1.0, 1.0, 361.0])
  monkeypatch.setattr(gpu.time, "monotonic", lambda: next(clock, 362.0))
  text = gpu.page(1, chosen)
  assert _headings(text) == ["What is missing, after 362 s"]
  assert "- Batch norm: ValueError: no such kernel\n" in text
  for part in PARTS[1:]:
    assert f"- {part}: the 360 s were over." in text
