import csv

from covidlab.results import Provenance, markdown, write_table

ROWS = [{"model": "light_unet", "F1": "0.87"}, {"model": "fcn8s", "F1": "0.80"}]


def test_a_table_says_where_its_numbers_come_from(tmp_path):
    where = Provenance.here(command="covidlab study x", data="phantom", protocol="slice", grid="128 px", seeds="0, 1")
    write_table(tmp_path / "new" / "models", "Which model?", ROWS, where, "Pooled.")
    assert list(csv.DictReader((tmp_path / "new" / "models.csv").open())) == ROWS
    text = (tmp_path / "new" / "models.md").read_text()
    assert text.startswith("# Which model?\n\nPooled.\n\n| model | F1 |\n|---|---|\n| light_unet | 0.87 |")
    for word in ("- command: covidlab study x", "- data: phantom", "- seeds: 0, 1", " cores\n- day: 2"):
        assert word in text
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"models.csv", "models.md"}


def test_markdown_has_a_rule_under_its_header():
    assert markdown(ROWS).splitlines()[1] == "|---|---|"
