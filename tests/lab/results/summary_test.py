import dataclasses
import json

import pytest

from bnjax.lab.results import (
  Layers,
  PublishedCurve,
  PublishedNumber,
  Recorded,
  Rules,
  append_rows,
  differences,
  greater,
  read_json,
  read_workdir,
  write_json,
  write_rules,
  write_summary,
)
from bnjax.lab.results.summary import summarize as _summarize

CONFIG = {
  "dataset": {"name": "mnist"},
  "steps": 20,
  "seeds": 2,
  "arms": {"b": {}, "a": {"dataset": {"name": "digits"}}},
}
RULES = Rules(
  title="a test",
  published=(
    PublishedNumber(
      arm="b", metric="test_accuracy", mean=0.5, std=0.1, seeds=5, step=20,
      dataset="mnist", source="a post",
    ),
    PublishedCurve(
      arm="b", metric="loss", steps=(10, 20, 30), values=(4.0, 2.0, 1.0)
    ),
  ),
  claims={"better": greater("b beats a", "b", "a")},
  notes=("mind the gap",),
)  # fmt: skip
ENVIRONMENT = {"datasets": [{"name": "mnist", "train": 55000}]}


def summarize(config, environment, rows, probes=(), rules=RULES, first=None):
  recorded = Recorded(rules, first or rules)
  return _summarize(config, environment, rows, probes, recorded)


def row(arm, seed, step, accuracy, loss, diverged=None):
  return {
    "arm": arm,
    "seed": seed,
    "step": step,
    "test_accuracy": accuracy,
    "loss": loss,
    "data_loss": None if loss is None else loss - 0.5,
    "l2_loss": 0.5,
    "diverged_step": diverged,
    "train_seconds": step / 10,
  }


ROWS = [
  row("a", 0, 10, 0.1, 9.0),
  row("a", 1, 10, 0.1, 9.0),
  row("a", 0, 20, 0.1, None, 17),
  row("a", 1, 20, 0.3, 7.0),
  row("b", 0, 10, 0.3, 5.0),
  row("b", 1, 10, 0.4, 6.0),
  row("b", 0, 20, 0.5, 3.0),
  row("b", 1, 20, 0.7, 4.0),
]


def entries(summary):
  return {(e["arm"], e["metric"]): e for e in summary["entries"]}


def test_an_entry_has_the_numbers_of_the_last_step():
  entry = entries(summarize(CONFIG, ENVIRONMENT, ROWS))["b", "test_accuracy"]
  assert entry["step"] == 20
  assert entry["dataset"] == "mnist"
  assert entry["mean"] == pytest.approx(0.6)
  assert entry["std"] == pytest.approx(0.1)
  assert entry["sample_std"] == pytest.approx(0.1 * 2**0.5)
  # 0.6 +- t(1) * 0.1 sqrt(2) / sqrt(2), t(1) = 12.7062
  assert entry["interval"] == pytest.approx([0.6 - 1.27062, 0.6 + 1.27062])
  assert entry["seeds"] == 2
  assert entry["verdict"] == "undecided"
  assert entry["needed"] is None  # the published spread alone is too wide
  assert entry["difference"] == pytest.approx(0.1)
  assert entry["room"] == [-0.01, 0.01]
  assert entry["published"]["source"] == "a post"
  assert entry["diverged"] == {"count": 0, "runs": []}


def test_a_diverged_run_counts_and_its_accuracy_is_kept():
  found = entries(summarize(CONFIG, ENVIRONMENT, ROWS))
  accuracy, loss = found["a", "test_accuracy"], found["a", "loss"]
  assert accuracy["mean"] == pytest.approx(0.2)
  assert (accuracy["seeds"], accuracy["finite"]) == (2, 2)
  runs = {"count": 1, "runs": [{"seed": 0, "step": 17}]}
  assert accuracy["diverged"] == loss["diverged"] == runs
  assert (loss["mean"], loss["seeds"], loss["finite"]) == (7.0, 2, 1)


def test_arms_come_in_the_order_of_the_config():
  summary = summarize(CONFIG, ENVIRONMENT, ROWS)
  assert list(dict.fromkeys(e["arm"] for e in summary["entries"])) == ["b", "a"]


def test_arms_sorted_by_letters_come_by_their_numbers_claims_as_they_are():
  claim = greater("t", "b_2", 0.0, "loss")
  config = {"arms": dict.fromkeys(["b_128", "b_2"])}
  rules = Rules(claims=dict.fromkeys(["c_10", "c_9"], claim))
  rows = [
    {"arm": arm, "seed": 0, "step": 1, "loss": 1.0} for arm in ("b_128", "b_2")
  ]
  summary = summarize(config, {}, rows, rules=rules)
  assert [entry["arm"] for entry in summary["entries"]] == ["b_2", "b_128"]
  assert [claim["name"] for claim in summary["claims"]] == ["c_10", "c_9"]


def test_an_arm_may_have_another_data_set():
  summary = summarize(CONFIG, ENVIRONMENT, ROWS)
  assert entries(summary)["a", "loss"]["dataset"] == "digits"


def test_published_curves_stand_beside_ours_with_the_loss_in_parts():
  (curve,) = summarize(CONFIG, ENVIRONMENT, ROWS)["curves"]
  assert curve["measured_on"] == "mnist"
  first, _, last = curve["points"]
  assert first == {
    "step": 10, "published": 4.0, "ours": 5.5, "std": 0.5, "seeds": 2,
    "finite": 2, "data_loss": 5.0, "l2_loss": 0.5,
  }  # fmt: skip
  assert (last["published"], last["ours"], last["seeds"]) == (1.0, None, 0)


def test_claims_and_notes_are_in_the_summary():
  summary = summarize(CONFIG, ENVIRONMENT, ROWS)
  (claim,) = summary["claims"]
  assert claim["text"] == "b beats a"
  assert claim["difference"] == pytest.approx(0.4)
  assert claim["interval"] == pytest.approx([0.4, 0.4])
  assert claim["verdict"] == "holds"
  assert summary["notes"] == ["mind the gap"]
  assert summary["title"] == "a test"
  assert summary["seconds"] == 8.0
  assert summary["notices"] == []


def test_what_an_unfinished_run_lacks_is_noticed():
  rows = [
    r for r in ROWS if r["arm"] == "b" and (r["seed"], r["step"]) != (1, 20)
  ]
  summary = summarize(CONFIG, ENVIRONMENT, rows)
  assert summary["notices"] == [
    "b: seed 1 stopped at step 10 of 20",
    "a: nothing was recorded",
  ]
  assert entries(summary)["b", "test_accuracy"]["verdict"] == (
    "cannot be compared"
  )
  more = summarize({**CONFIG, "seeds": 3}, ENVIRONMENT, ROWS)
  assert more["notices"][0] == "b: 2 of 3 seeds have rows"


def test_no_rows_give_an_empty_summary():
  summary = summarize({}, {}, [], rules=Rules())
  assert summary["entries"] == summary["claims"] == []
  json.dumps(summary, allow_nan=False)


def test_a_work_directory_is_summarized_into_strict_json(tmp_path):
  write_json(tmp_path / "config.json", {"config": CONFIG})
  write_json(tmp_path / "environment.json", ENVIRONMENT)
  append_rows(tmp_path / "metrics.jsonl", ROWS)
  write_rules(tmp_path, RULES)
  summary = write_summary(tmp_path)
  assert summary == read_json(tmp_path / "summary.json")
  config, environment, rows, notices, probes, recorded = read_workdir(tmp_path)
  assert (config, environment, notices) == (CONFIG, ENVIRONMENT, [])
  assert (len(probes), recorded) == (0, Recorded(RULES, RULES))
  diverged = [
    row if row["diverged_step"] else {k: row[k] for k in row if k[0:3] != "div"}
    for row in ROWS
  ]
  assert list(rows) == diverged


def test_a_torn_line_is_noticed_in_the_summary(tmp_path):
  write_json(tmp_path / "config.json", {"config": CONFIG})
  write_json(tmp_path / "environment.json", ENVIRONMENT)
  append_rows(tmp_path / "metrics.jsonl", ROWS)
  write_rules(tmp_path, RULES)
  with (tmp_path / "metrics.jsonl").open("a") as file:
    file.write('{"arm": "b", "se')
  assert "line 9 is torn" in write_summary(tmp_path)["notices"][0]


@pytest.mark.parametrize(
  ("old", "new", "lines"),
  [
    (CONFIG, CONFIG, []),
    ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: 1 there, 2 here"]),
    ({"a": {"b": 1}}, {"a": 2}, ["a: {'b': 1} there, 2 here"]),
    ({"a": 1}, {}, ["a: 1 there, absent here"]),
    ({}, {"a": {"b": "long" * 20}}, ["a: absent there, given here"]),
    ({"a": [1] * 90}, {}, [f"a: [{'1, ' * 25} ... there, absent here"]),
  ],
)
def test_differences_name_fields(old, new, lines):
  assert differences(old, new) == lines


def published(**fields):
  (number, _) = RULES.published
  plain = dataclasses.replace(number, std=None, seeds=None)
  return Rules(published=(dataclasses.replace(plain, **fields),))


def test_a_rule_is_judged_at_its_own_step_beside_the_last_one():
  rule = published(mean=0.35, margin=0.7, step=10)
  found = summarize(CONFIG, ENVIRONMENT, ROWS, rules=rule)["entries"]
  (early,) = [e for e in found if e["published"]]
  assert (early["arm"], early["step"], early["verdict"]) == ("b", 10, "holds")
  assert early["mean"] == pytest.approx(0.35)
  last, = [e for e in found if (e["arm"], e["metric"], e["step"]) == (
    "b", "test_accuracy", 20)]  # fmt: skip
  assert last["verdict"] is None


def test_a_number_relative_to_another_arm():
  rule = published(mean=3.4, factor=1e3, relative_to="a")
  summary = summarize(CONFIG, ENVIRONMENT, ROWS, rules=rule)
  entry = entries(summary)["b", "test_accuracy"]
  # 0.5 / 0.1 and 0.7 / 0.3
  assert entry["ratio"] == pytest.approx((5 * 7 / 3) ** 0.5)
  assert entry["mean"] == pytest.approx(0.6)
  assert entry["ratio_interval"][0] < 2 < entry["ratio_interval"][1]
  assert entry["room"] == pytest.approx([1e-3, 1e3])
  assert entry["difference"] == pytest.approx(entry["ratio"] / 3.4)
  assert entry["verdict"] == "holds"


def test_what_a_rule_names_is_an_entry():
  probes = [
    {"arm": "b", "seed": seed, "step": 0, "probe": "v", "layer": "h_1",
     "values": 1.0 + seed}
    for seed in (0, 1)
  ]  # fmt: skip
  number = PublishedNumber(arm="b", metric="v/h_1", mean=1.5, margin=9.0,
                           step=0, source="x", dataset="mnist")  # fmt: skip
  names = ("v/h_1", "v/h_2", "steps_to:test_accuracy>=0.65")
  rules = [dataclasses.replace(number, metric=name) for name in names]
  config = {**CONFIG, "probes": {"v": {}}}
  summary = summarize(config, ENVIRONMENT, ROWS, probes, Rules(published=rules))
  found = entries(summary)
  assert found["b", "v/h_1"]["mean"] == 1.5
  assert found["b", "v/h_1"]["verdict"] == "holds"
  assert ("b", "v/h_2") not in found
  never = found["b", "steps_to:test_accuracy>=0.65"]
  assert never["bounds"] == {"at_least": 1, "at_most": 0}
  # 20 and at least 20: the interval has no upper end.
  assert (never["mean"], never["interval"]) == (20.0, [20.0, None])
  assert [m for _, m in found if "/" in m or ":" in m] == [
    "v/h_1", "steps_to:test_accuracy>=0.65",
  ]  # fmt: skip


def test_tables_of_layers_are_in_the_summary():
  probes = [
    {"arm": arm, "seed": 0, "step": 0, "probe": "v", "layer": layer,
     "values": value}
    for arm, layer, value in (("a", "h_1", 1.0), ("b", "h_1", None),
                              ("b", "h_10", 1.0))
  ]  # fmt: skip
  rules = Rules(tables={"deep": Layers(probe="v", title="Variance")})
  config = {**CONFIG, "probes": {"v": {}}}
  (table,) = summarize(config, ENVIRONMENT, ROWS, probes, rules)["layers"]
  assert table == {
    "name": "deep", "title": "Variance", "probe": "v", "step": 0,
    "geometric": True, "layers": ["h_1", "h_10"], "seeds": 1,
    "arms": {"b": [None, 1.0], "a": [1.0, None]},
  }  # fmt: skip


GRID = {**CONFIG, "grid": {"l2": [0.0, 0.5]}}
TRAINED = Rules(grid_metric="test_accuracy", grid_threshold=0.3)
POINTS = [r | {"point": {"l2": l2}} for l2 in (0.0, 0.5) for r in ROWS]


def test_an_arm_of_a_grid_has_entries_for_the_whole_of_it():
  summary = summarize(GRID, ENVIRONMENT, POINTS, rules=TRAINED)
  found = entries(summary)
  assert [metric for arm, metric in found if arm == "a"] == [
    "trained_fraction", "best_test_accuracy", "largest_l2",
  ]  # fmt: skip
  trained = found["a", "trained_fraction"]
  assert (trained["mean"], trained["seeds"]) == (0.5, 2)
  assert trained["diverged"] == {"count": 2, "runs": []}
  assert found["b", "largest_l2"]["bounds"] == {"at_least": 2, "at_most": 0}
  assert [grid["arm"] for grid in summary["grids"]] == ["a", "b"]
  assert summary["notices"] == []
  json.dumps(summary, allow_nan=False)


def test_claims_have_p_with_holms_correction_for_all_of_a_run():
  rules = Rules(
    claims={
      "small": greater("b is large", "b", 0.6),
      "large": greater("b is large", "b", -1.0),
      "none": greater("of nothing", "b", 0.0, "nothing"),
    }
  )
  found = summarize(CONFIG, ENVIRONMENT, ROWS, rules=rules)["claims"]
  # b has .5 and .7: t of 0 and 16 with one degree of freedom.
  assert [c["p"] for c in found] == [1.0, pytest.approx(0.0397, abs=1e-4), None]
  assert [c["p_holm"] for c in found] == [
    1.0, pytest.approx(2 * found[1]["p"]), None,
  ]  # fmt: skip
  assert [c["verdict"] for c in found] == [
    "undecided", "holds", "cannot be compared",
  ]  # fmt: skip


def test_a_claim_may_be_about_a_grid():
  claim = greater("b trains more", "b", "a", "trained_fraction")
  rules = dataclasses.replace(TRAINED, claims={"c": claim})
  summary = summarize(GRID, ENVIRONMENT, POINTS, rules=rules)
  assert summary["claims"][0]["difference"] == 0.5


def test_what_an_unfinished_grid_lacks_is_noticed():
  rows = [r for r in POINTS if r["point"]["l2"] or r["arm"] == "b"]
  rows = [r for r in rows if (r["arm"], r["seed"], r["step"]) != ("b", 1, 20)]
  config = {**GRID, "seeds": 3}
  summary = summarize(config, ENVIRONMENT, rows, rules=TRAINED)
  assert summary["notices"] == [
    "b: 2 points have less than 3 seeds",
    "b: 2 runs stopped before step 20",
    "a: 1 of 2 points have rows",
    "a: 1 points have less than 3 seeds",
  ]


def test_a_run_that_only_measured_at_initialization():
  config = {"arms": {"a": {}}, "steps": 0, "seeds": 2, "dataset": {"name": "d"}}
  rows = [
    {"arm": "a", "seed": s, "step": 0, "test_accuracy": 0.1} for s in (0, 1)
  ]
  summary = summarize(config, {}, rows, rules=Rules())
  assert summary["notices"] == []
  assert summary["entries"][0]["step"] == 0


def test_what_was_changed_after_the_run_is_said():
  (number, line) = RULES.published
  now = Rules(
    title="another",
    claims={
      "better": greater("b beats a", "b", "a", margin=0.3),
      "new": greater("b beats a", "b", "a", "loss"),
    },
    published=(dataclasses.replace(number, margin=0.2), line),
    grid_threshold=0.8,
  )
  first = Rules(
    claims={**RULES.claims, "gone": greater("b is large", "b", 3.0, "loss")},
    published=(*RULES.published, dataclasses.replace(number, arm="a")),
  )
  summary = summarize(CONFIG, ENVIRONMENT, ROWS, rules=now, first=first)
  better, new = summary["claims"]
  assert better["changed"] == "rule changed after the run: margin was 0.0"
  assert new["changed"] == "added after the run"
  (entry,) = [e for e in summary["entries"] if e["published"]]
  assert entry["changed"] == "rule changed after the run: margin was None"
  assert summary["notices"] == [
    "claim 'better': rule changed after the run: margin was 0.0",
    "claim 'new': added after the run",
    "published test_accuracy of b: rule changed after the run: margin was None",
    "claim 'gone' was dropped after the run: b is large (loss: b greater 3.0, "
    "margin 0)",
    "published test_accuracy of a was dropped after the run",
    "grid_threshold was changed after the run: it was 0.9",
  ]
  same = summarize(CONFIG, ENVIRONMENT, ROWS)
  assert {c["changed"] for c in same["claims"] + same["entries"]} == {""}


@pytest.mark.parametrize("point", [{}, {"point": {"l2": 0.0}}])
def test_a_run_that_lacks_one_metric_at_the_end_has_not_stopped(point):
  config = {"arms": {"a": {}}, "steps": 20, "seeds": 2}
  config |= {"grid": {"l2": [0.0]}} if point else {}
  rows = [
    {"arm": "a", "seed": seed, "step": step, "loss": 1.0} | point
    for seed in (0, 1)
    for step in (10, 20)
  ]
  rows[0]["test_accuracy"] = rows[1]["test_accuracy"] = 0.5
  assert summarize(config, {}, rows, rules=Rules())["notices"] == []
  short = summarize(config, {}, rows[:3], rules=Rules())["notices"]
  assert len(short) == 1
  assert "stopped" in short[0]
