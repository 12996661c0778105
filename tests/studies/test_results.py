import re
from pathlib import Path

import numpy as np
import pytest

from covidlab.errors import CovidlabError
from covidlab.tables import markdown, mean_and_range, read_table, write_table
from tools.prose import page_text, read_page

RESULTS = Path(__file__).resolve().parents[2] / "studies" / "results"
ROOT = RESULTS.parents[1]
MEASURED = ROOT / "docs" / "measured.md"
ROWS = [{"model": "light_unet", "F1": "0.87"}, {"model": "fcn8s", "F1": "0.80"}]


WHERE = {"command": "covidlab study x", "data": "phantom", "protocol": "slice", "grid": "128 px", "seeds": "0, 1"}


def test_a_table_says_where_its_numbers_come_from_and_is_read_again(tmp_path):
    for name in ("models", "v1.1", "v1.2"):  # a point in a name is part of it
        write_table(tmp_path / "new" / name, "Which model?", ROWS, "Pooled.", **WHERE)
        assert read_table(tmp_path / "new" / f"{name}.csv") == read_page(tmp_path / "new" / f"{name}.md") == ROWS
    text = (tmp_path / "new" / "models.md").read_text()
    assert text.startswith("# Which model?\n\nPooled.\n\n| model | F1 |\n|---|---|\n| light_unet | 0.87 |")
    for word in ("- command: covidlab study x", "- data: phantom", "- seeds: 0, 1", " cores\n- day: 2"):
        assert word in text
    assert len(list((tmp_path / "new").iterdir())) == 6


def test_a_place_where_no_table_can_be_written_a_missing_table_and_an_empty_one_are_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(CovidlabError, match="file/models.csv: found a place that cannot be written"):
        write_table(tmp_path / "file" / "models", "Which model?", ROWS, "Pooled.", **WHERE)
    with pytest.raises(CovidlabError, match="no table"):
        read_table(tmp_path / "none.csv")
    (tmp_path / "empty.csv").write_text("model,F1\n")
    with pytest.raises(CovidlabError, match="without a row"):
        read_table(tmp_path / "empty.csv")


def test_seeds_are_shown_as_mean_and_range():
    assert mean_and_range([0.1, 0.2, np.nan]) == "0.150 (0.100 to 0.200)"
    assert mean_and_range([np.nan]) == "not defined"


def test_a_committed_page_says_what_repeats_it_and_a_table_beside_it_is_the_same():
    """No picture of a patient either: of figures, only those that are drawn from numbers."""
    pages = [path for path in sorted(RESULTS.glob("*.md")) if path.name != "README.md"]
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not re.search(r"/(work|home|root|tmp|Users)/", text), page
        sections = re.findall(r"^## (.+)$", text, re.M)
        for name in [f"{page.name}#{section}" for section in sections] or [page.name]:
            assert read_page(name), name
        for one in text.split("\n## ")[bool(sections) :]:
            assert re.search(r"\n- command: (covidlab |python -m studies[ .])", one), page
            for what in ("data: ", "protocol: ", "grid: ", "seeds: ", "machine: ", "day: 20"):
                assert f"\n- {what}" in one, (page, one[:20])
    others = {path for path in RESULTS.glob("*.*") if path not in pages and path.name != "README.md"}
    tables = {path for path in others if path.suffix == ".csv"}
    told = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    for path in tables:
        assert markdown(read_table(path)) in told, path
    assert {path.name for path in others - tables} == {"course.json", "fig-4-time-per-slice.png"}


def test_the_paper_map_says_what_the_tables_that_it_links_to_say():
    checked = 0
    for row in (ROOT / "docs" / "paper-map.md").read_text(encoding="utf-8").splitlines():
        linked = re.findall(r"\(\.\./studies/results/([\w-]+\.md(?:#[\w-]+)?)\)", row)
        if linked and row.startswith("| "):
            known = " ".join(map(page_text, linked))
            scores = re.findall(r"\b0\.\d{3}\b(?! s\b)", row)
            assert not [score for score in scores if score not in known], row
            checked += len(scores)
    assert checked > 40


def test_the_page_of_measurements_says_what_the_tables_of_models_and_of_patients_say():
    said = MEASURED.read_text(encoding="utf-8")
    known = re.findall(r"^\| (?:train|validation|test) \|.*$", page_text("judged.md#known-patients"), re.MULTILINE)
    assert len(known) == 3 and all(row in said for row in known)
    rows = [row for row in read_page("models.md") if row["part"] == "test"]
    assert [row["variant"] for row in rows] == ["patch_cnn", "fcn8s", "light_unet", "nano_unet"]
    for row in rows:
        assert f"| {row['precision']} | {row['recall']} | {row['accuracy']} | {row['f1']} |" in said, row["variant"]
    for name in ("other-sources.md#phantom-to-real", "patient-radiopaedia.md", "patient-coronacases.md",
                 "held-out.md#radiopaedia-phantom", "held-out.md#both", "held-out.md#both-pooled",
                 "held-out.md#averaged"):  # fmt: skip
        rows = {row["case"]: row for row in read_page(name)}
        pooled, few = rows["all, pooled"], rows["without radiopaedia_29_86490_1"]
        assert (
            f"| {pooled['f1']} ({pooled['95 % over patients']}) | {pooled['precision']} | {pooled['recall']} "
            f"| {few['f1']} | {rows['positive slices only']['f1']} | {pooled['negative slices left empty']} |"
        ) in said, name


def test_the_readme_says_what_another_source_and_a_few_slices_gave():
    said = " ".join(MEASURED.read_text(encoding="utf-8").split())
    rows = read_page("other-sources.md#radiopaedia-to-coronacases")
    pooled = next(row for row in rows if row["case"] == "all, pooled")
    assert f"tested on coronacases 001 to 005: F1 {pooled['f1']} ({pooled['95 % over patients']};" in said
    rows = read_page("held-out.md#patient-recipes") + read_page("held-out.md#recipes-more")
    f1 = {row["recipe"]: row["F1"] for row in rows}
    assert f"{f1['1-from-scratch']} from fresh weights, {f1['7-and-specks-dropped']} with all of it." in said
    assert f"neighbouring slices as channels give {f1['12-or-neighbouring-slices-seen']}," in said
    assert f"cross-entropy without Dice {f1['14-or-cross-entropy-alone']}," in said
    assert f"Dice without cross-entropy {f1['15-or-dice-alone']}," in said
    assert f"three times the updates {f1['18-or-4500-updates']}:" in said
    gain = read_page("held-out.md#adaptation")[-1]
    assert f"8 slices raise F1 on that patient's other slices by {gain['8 slices'].lstrip('+')}" in said
    assert gain["patient"] == "mean gain" and float(gain["2 slices"]) < 0


def pooled_f1(table, names):
    """F1 of several runs' test parts, their counts added."""
    rows = [row for row in table if row["run"] in names and row["part"] == "test"]
    tp, fp, fn = (sum(int(row[name]) for row in rows) for name in ("tp", "fp", "fn"))
    return f"{2 * tp / (2 * tp + fp + fn):.3f}"


def test_the_readme_says_what_luck_gave():
    said = " ".join(MEASURED.read_text(encoding="utf-8").split())
    f1 = {row["recipe"]: row["F1"] for row in read_page("held-out.md#patient-seeds")}
    best, last = (
        [f1[f"{kept}-epoch-{which}"] for which in ("seeds-0-to-3", "seeds-4-to-7", "seeds-8-to-11", "averaged")]
        for kept in ("best", "last")
    )
    assert "three sets of seeds, gives {}, {} and {}.".format(*best) in said
    assert "(`--keep-last`, at commit fa9d3bb), it gives {}, {} and {};".format(*last) in said
    assert f"the mean of the three networks' answers {best[3]} and {last[3]} (" in said
    counts = read_table(RESULTS / "runs" / "pixel-counts.csv")
    held_out = [row for row in counts if row["study"] == "coronacases-held-out"]
    found = [
        pooled_f1(held_out, [f"{name}-{group}" for group in "AB"])
        for name in ("4000-updates-seed6", "1500-updates-seed6", "1500-updates-seed9")
    ]
    assert "gave {} with 4,000 updates as the shipped weights had, and {} and {} with 1,500".format(*found) in said
    card = (ROOT / "covidlab" / "weights" / "light_unet_real_128.md").read_text(encoding="utf-8")
    assert "two groups held out: {} with 4,000 updates as here, {} and {} with 1,500".format(*found) in card
    assert f"gave {min(best)} to {max(best[:3])} (studies/results/held-out.md#patient-seeds)" in card


@pytest.mark.parametrize("name, page", (("light_unet", "nearer"), ("nano_unet", "small-taught")))
def test_a_card_says_what_was_measured_of_networks_like_it(name, page):
    card = (ROOT / "covidlab" / "weights" / f"{name}_real_128.md").read_text(encoding="utf-8")
    rows = read_page(f"other-sources.md#{page}")
    (kept,) = (row for row in rows if "kept" in row["network"])
    assert f"coronacases F1 {kept['coronacases']}, Radiopaedia {kept['radiopaedia']};" in card
    if name == "light_unet":
        rows = read_page("other-sources.md#real-averaged")
        alone = [[float(row[source]) for row in rows[:3]] for source in ("coronacases", "radiopaedia")]
        ends = (end(f1) for f1 in alone for end in (min, max))
        assert "{:.3f} to {:.3f} and {:.3f} to {:.3f}, by seed".format(*ends) in card
    scans, disturbed = read_page(f"calibration-{name}.md")
    before, after = (scans[one].split()[0] for one in ("ECE", "ECE, calibrated"))
    assert f"falls from {before} to {after} over pixels above 0.05" in card
    column = "AUC of finding the worst third"
    assert f"with an AUC of {scans[column]} and {disturbed[column]}, and" in card


def test_the_readmes_numbers_are_those_of_the_page_that_it_links_to():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    short = readme.partition("## What was measured")[2].partition("## Licences")[0]
    numbers = re.findall(r"\b0\.\d{3}\b", short)
    page = MEASURED.read_text(encoding="utf-8")
    assert len(numbers) > 15 and not [number for number in numbers if number not in page]
