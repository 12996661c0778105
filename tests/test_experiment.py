import json

from covidlab.experiment import rounded
from covidlab.metrics import Counts


def test_a_score_that_is_not_defined_is_null_in_json():
    nothing_found = Counts(tp=0, fp=0, fn=3, tn=1).scores()
    text = json.dumps(rounded(nothing_found), allow_nan=False)
    assert json.loads(text) == {"precision": None, "recall": 0.0, "accuracy": 0.25, "f1": 0.0}
