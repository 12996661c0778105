"""What a run is asked to do, as one value that can be written down and compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from covidlab.data.slices import SliceCache
from covidlab.data.splits import Split, make_split
from covidlab.training.recipe import Recipe


@dataclass(frozen=True)
class Config:
    """What a run is asked to do."""

    cohort: str
    grid: int  # Pixels a side
    protocol: str  # "slice" or "patient"
    seed: int  # Of the split and of the training
    model: str = "light_unet"  # A name in `covidlab.models.MODELS`
    options: Mapping = field(default_factory=dict)  # What the model's function is called with
    test_patients: Sequence[str] = ()  # Held out under "patient"; empty means fold `seed` (`patient_folds`)
    recipe: Recipe = field(default_factory=Recipe)
    cases: Sequence[str] = ()  # Names of the cases used, so that a subset is never taken for the whole

    def split(self, cache: SliceCache) -> Split:
        """The split of this run's cohort."""
        return make_split(cache, self.protocol, self.seed, self.test_patients)

    @property
    def sentence(self) -> str:
        """Data, protocol, grid and seed: what every score must be read with."""
        return f"{self.cohort}, protocol {self.protocol}, {self.grid} px, seed {self.seed}"


def config_of(found: Mapping) -> Config:
    """The config in what a config.json holds."""
    asked = {name: found[name] for name in Config.__dataclass_fields__}
    tuples = {name: tuple(asked[name]) for name in ("test_patients", "cases")}
    return Config(**asked | tuples | {"recipe": Recipe(**asked["recipe"])})


def asked_for(config: Config, cache: SliceCache) -> dict:
    """A config with the cases of a cache, as config.json keeps it: lists in place of tuples."""
    return json.loads(json.dumps(asdict(replace(config, cases=tuple(dict.fromkeys(cache.cases.tolist()))))))
