"""What a run is asked to do, as one value that can be written down and compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np

from covidlab.data.slices import SliceCache
from covidlab.data.splits import Split, split_for
from covidlab.errors import CovidlabError
from covidlab.training.recipe import Recipe


@dataclass(frozen=True)
class Config:
    """What a run is asked to do.

    Parameters
    ----------
    cohort : str
    grid : int
        Pixels a side.
    protocol : "slice" or "patient"
    seed : int
        Of the split and of the training.
    model : str
        A name in `covidlab.models.MODELS`.
    options : mapping
        What the model's function is called with.
    test_patients : sequence of str
        Who is held out under the protocol "patient"; empty means fold `seed` of `FOLDS` (`patient_folds`).
    recipe : Recipe
    cases : sequence of str
        Names of the cases used, so that a subset is never taken for the whole.
    extra_train : sequence of str
        Cases that are trained on whatever the protocol, and neither validated nor tested on.
    test_data : sequence of str
        Cases, as of another source, that alone are tested on; protocol "patient".
    drop_specks : bool
        Whether small spots are taken away; how small is chosen on validation (`covidlab.models.specks`).
    pool_threshold : bool
        Whether the threshold is chosen on the training slices, too: those of the cohort, not of `extra_train`. The
        slices of two or three validation patients choose it badly. The epoch is chosen on validation all the same.
    pretrained : str
        What the weights are that training starts from; empty for fresh ones.
    """

    cohort: str
    grid: int
    protocol: str
    seed: int
    model: str = "light_unet"
    options: Mapping = field(default_factory=dict)
    test_patients: Sequence[str] = ()
    recipe: Recipe = field(default_factory=Recipe)
    cases: Sequence[str] = ()
    extra_train: Sequence[str] = ()
    test_data: Sequence[str] = ()
    drop_specks: bool = False
    pool_threshold: bool = False
    pretrained: str = ""

    def split(self, cache: SliceCache) -> Split:
        """The split of this run's cohort."""
        extra = np.isin(cache.cases, list(self.extra_train))
        if self.test_data and (self.protocol != "patient" or self.test_patients):
            named = ", ".join(self.test_patients) or "not named"
            raise CovidlabError(
                "--test-data", f"protocol {self.protocol}, test patients {named}",
                "the protocol patient, which then tests these cases only",
                "add --protocol patient and leave --test-patients out",
            )  # fmt: skip
        tested = self.test_patients or sorted(set(cache.patients[np.isin(cache.cases, list(self.test_data))].tolist()))
        own = np.flatnonzero(~extra)
        split = split_for(cache.patients[own], self.protocol, self.seed, tested)
        train = np.sort(np.concatenate([own[split.train], np.flatnonzero(extra)]))
        return replace(split, train=train, validation=own[split.validation], test=own[split.test])

    @property
    def sentence(self) -> str:
        """Data, protocol, grid and seed: what every score must be read with."""
        more = [
            f"{words} {', '.join(what) if len(what) < 3 else f'{what[0]} to {what[-1]}'}"
            for words, what in (("also trained on", self.extra_train), ("tested on", self.test_data))
            if what
        ]
        more += [f"from weights of {self.pretrained}"] * bool(self.pretrained)
        return ", ".join([self.cohort, f"protocol {self.protocol}", f"{self.grid} px", f"seed {self.seed}", *more])


def asked_for(config: Config, cache: SliceCache) -> dict:
    """A config with the cases of a cache, as config.json keeps it: lists in place of tuples."""
    return json.loads(json.dumps(asdict(replace(config, cases=tuple(dict.fromkeys(cache.cases.tolist()))))))


def config_of(found: Mapping) -> Config:
    """The config in what a config.json holds."""
    asked = dict(found)
    asked.pop("covidlab")
    asked.pop("slices", None)
    asked["recipe"] = Recipe(**asked["recipe"])
    for name in ("test_patients", "cases", "extra_train", "test_data"):
        asked[name] = tuple(asked.get(name, ()))
    return Config(**asked)
