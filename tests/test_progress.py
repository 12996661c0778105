from types import SimpleNamespace

from covidlab import progress
from covidlab.progress import progress_bar, track


def test_a_log_gets_a_line_a_tenth_and_none_for_short_work(capsys, monkeypatch):
    list(track(range(50), "quick"))
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(progress, "SHORT", -1)
    list(track([SimpleNamespace(name=f"case {k}") for k in range(50)], "slow"))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 11 and lines[0] == "slow: 0/50 case 0" and lines[-1] == "slow: 50/50"


def test_a_notebook_shows_the_same_words_whatever_there_was_to_do(monkeypatch):
    shown = []
    monkeypatch.setattr(progress, "_in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.publish_display_data", lambda data, **more: shown.append(data["text/plain"]))
    list(track((), "reading"))
    list(track(range(3), "reading"))
    with progress_bar("training") as show:
        show(1, 2, "loss 0.5")
    assert shown == ["[progress bar: reading]"] * 2 + ["[progress bar: training]"]
