"""What an experiment is: networks, seeds, and how their learning rates are found.

docs/experiments.md describes the files that are read here.
"""

import dataclasses
import pathlib
import string
import tomllib


class ExperimentError(Exception):
    """A sentence for the user."""


@dataclasses.dataclass(frozen=True)
class Network:
    """A model file, and what is known of its learning rate."""

    name: str
    model: str  # the text of the model file
    model_path: pathlib.Path
    learning_rates: tuple[float, ...]  # to search; a single one is fixed
    family: str = ""  # networks that differ in one value alone have one name
    value_name: str = ""
    value: float = 0
    precision: str = "f32"  # that it is compiled with
    inhibitory_inputs: int = 0  # the last columns of matrices whose spectra count

    @property
    def is_fixed(self) -> bool:
        return len(self.learning_rates) == 1

    @property
    def program(self) -> str:
        """What tells its program from others."""
        return self.model + ("" if self.precision == "f32" else self.precision)


@dataclasses.dataclass(frozen=True)
class Search:
    """How learning rates are found: by training on a part of the training set
    and evaluating on the rest."""

    epochs: int
    seeds: tuple[int, ...]
    validation_samples: int
    extensions: int  # how often the grid may grow at each end


@dataclasses.dataclass(frozen=True)
class Claim:
    """A statement about two networks: that some measure of the first, less
    that of the second (for learning rates: divided by it), is at most so much."""

    text: str
    what: str  # a key of MEASURES
    first: str
    second: str
    at_most: float


# What claims may be about, and the unit of the difference or ratio.
MEASURES = {
    "test_error": "points of test error",
    "train_error": "points of training error",
    "learning_rate": "× the learning rate",
}


@dataclasses.dataclass(frozen=True)
class Experiment:
    name: str
    title: str
    epochs: int
    seeds: tuple[int, ...]
    evaluate_every: int  # steps
    averaged: int  # how many of a run's last evaluations make its result
    networks: tuple[Network, ...]
    search: Search | None
    claims: tuple[Claim, ...]
    histograms: tuple[str, ...]  # parameters
    spectra: tuple[str, ...] = ()  # scopes of matrices


class Table:
    """A table of a TOML file, of which every key has to be asked for."""

    def __init__(self, values: dict, place: str):
        self.values, self.place = dict(values), place

    def fail(self, sentence: str):
        raise ExperimentError(f"{self.place}: {sentence}")

    def take(self, key: str, check, what: str, default=None):
        """The value of `key`, which has to pass `check`; without a default it
        has to be there."""
        if key not in self.values:
            if default is None:
                self.fail(f"{key} is missing")
            return default
        value = self.values.pop(key)
        if not check(value):
            self.fail(f"{key} has to be {what}, not {value!r}")
        return value

    def text(self, key: str, default: str | None = None) -> str:
        return self.take(key, lambda value: isinstance(value, str), "a text", default)

    def count(self, key: str, default: int | None = None) -> int:
        return self.take(key, is_count, "a positive whole number", default)

    def number(self, key: str, default: float | None = None) -> float:
        return self.take(key, is_number, "a number", default)

    def items(self, key: str, check, what: str, default=None) -> tuple:
        """A list whose items pass `check` and differ from each other."""

        def is_list(value):
            return (
                isinstance(value, list)
                and value
                and all(map(check, value))
                and len(set(value)) == len(value)
            )

        return tuple(self.take(key, is_list, f"a list of different {what}", default))

    def tables(self, key: str) -> list["Table"]:
        values = self.values.pop(key, [])
        if not isinstance(values, list) or not all(
            isinstance(value, dict) for value in values
        ):
            self.fail(f"{key} has to be written as [[{key}]]")
        return [
            Table(value, f"{self.place}: {key} {number}")
            for number, value in enumerate(values, 1)
        ]

    def end(self) -> None:
        for key in self.values:
            self.fail(f"unknown key {key}")


def is_count(value) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def is_seed(value) -> bool:
    return value == 0 and isinstance(value, int) or is_count(value)


def is_number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_rate(value) -> bool:
    return is_number(value) and 0 < value < float("inf")


def read_model(path: pathlib.Path, table: Table) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not a text"
        table.fail(f"cannot read the model file {path}: {reason}")


def read_networks(table: Table, directory: pathlib.Path) -> list[Network]:
    """One network, or one for each value of a sweep."""
    name = table.text("name")
    path = directory / table.text("model")
    if "learning_rate" in table.values:
        rates = (table.take("learning_rate", is_rate, "a positive number"),)
    else:
        rates = table.items("learning_rates", is_rate, "positive numbers")
        if len(rates) == 1:
            table.fail("a single rate is called learning_rate")
    sweep = table.take("sweep", lambda value: isinstance(value, dict), "a table", {})
    family = table.text("family", "")
    precision = table.take(
        "precision", ("f32", "bf16", "f64").__contains__, "f32, bf16 or f64", "f32"
    )
    inhibitory_inputs = table.count("inhibitory_inputs", 0)
    table.end()
    model = read_model(path, table)
    if not sweep:
        return [
            Network(
                name,
                model,
                path,
                tuple(sorted(rates)),
                family,
                precision=precision,
                inhibitory_inputs=inhibitory_inputs,
            )
        ]

    columns = Table(sweep, f"{table.place}: sweep")
    lists = {key: columns.items(key, is_count, "positive whole numbers") for key in sweep}
    lengths = {len(values) for values in lists.values()}
    if len(lengths) != 1:
        table.fail("the names of a sweep have to have as many values each")
    # The first name is the one that the plot shows.
    value_name = next(iter(sweep))
    networks = []
    for row in zip(*lists.values()):
        value = row[0]
        try:
            title, text = (
                string.Template(template).substitute(dict(zip(lists, row)))
                for template in (name, model)
            )
        except (KeyError, ValueError) as error:
            table.fail(f"{path} or the name asks for what sweep does not give: {error}")
        networks.append(
            Network(
                title,
                text,
                path,
                tuple(sorted(rates)),
                family or name,
                value_name,
                value,
                precision,
                inhibitory_inputs,
            )
        )
    return networks


def read_search(values: dict, table: Table) -> Search:
    search = Table(values, f"{table.place}: search")
    result = Search(
        epochs=search.count("epochs"),
        seeds=search.items("seeds", is_seed, "seeds"),
        validation_samples=search.count("validation_samples"),
        extensions=search.take(
            "extensions", is_seed, "a whole number, 0 or more", default=6
        ),
    )
    search.end()
    return result


def read_claim(table: Table, networks: list[Network]) -> Claim:
    names = [network.name for network in networks]
    what = table.text("what", "test_error")
    if what not in MEASURES:
        table.fail(f"what has to be one of {', '.join(MEASURES)}, not {what!r}")
    compared = table.items("compare", lambda value: value in names, "networks")
    if len(compared) != 2:
        table.fail(f"compare has to name two networks, not {len(compared)}")
    claim = Claim(table.text("text"), what, *compared, table.number("at_most"))
    table.end()
    return claim


def read(path: pathlib.Path) -> Experiment:
    """Reads a description; throws ExperimentError."""
    try:
        values = tomllib.loads(path.read_text())
    except OSError as error:
        raise ExperimentError(f"cannot read {path}: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path}: {error}")
    table = Table(values, str(path))
    networks = [
        network
        for entry in table.tables("network")
        for network in read_networks(entry, path.parent)
    ]
    if not networks:
        table.fail("there is no [[network]]")
    names = [network.name for network in networks]
    for name in names:
        if names.count(name) > 1:
            table.fail(f"there is more than one network called {name!r}")
    claims = [read_claim(entry, networks) for entry in table.tables("claim")]
    search = table.take("search", lambda value: isinstance(value, dict), "a table", {})
    if not search and not all(network.is_fixed for network in networks):
        table.fail("learning_rates need a [search]")
    experiment = Experiment(
        name=path.stem,
        title=table.text("title"),
        epochs=table.count("epochs"),
        seeds=table.items("seeds", is_seed, "seeds"),
        evaluate_every=table.count("evaluate_every"),
        averaged=table.count("averaged_evaluations", 5),
        networks=tuple(networks),
        search=read_search(search, table) if search else None,
        claims=tuple(claims),
        histograms=table.items(
            "histograms", lambda value: isinstance(value, str), "parameters", []
        ),
        spectra=table.items(
            "spectra", lambda value: isinstance(value, str), "matrices", []
        ),
    )
    table.end()
    return experiment
