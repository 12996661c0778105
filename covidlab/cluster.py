"""Thousands of scans at once, through faults: a task a scan on Dask's workers, and a manifest of what is done.

The engine is `dask.distributed` (the extra `cluster`): it starts workers, shares tasks out, starts a worker anew that
died and gives its scan to another. What is ours is small: the task, and the manifest, a line of JSON a scan. Run again,
the command goes on where it was: a scan that is done, and unchanged, is not done again.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from covidlab.errors import CovidlabError, reason
from covidlab.models.segment import predict_file
from covidlab.models.segmenter import Segmenter, open_segmenter
from covidlab.plots.overlay import draw_overlay
from covidlab.progress import progress_bar
from covidlab.weights import find_weights

MANIFEST = "manifest.jsonl"  # in the folder of the masks
TRIES = 3  # workers that a scan may cost before it is set apart


def predict_many(
    pairs: list[tuple[Path, Path]], manifest: Path, weights: str | None, workers: int = 0, scheduler: str = "",
    overlay: bool = False,
) -> Iterator[dict]:  # fmt: skip
    """Segment scans on workers, and yield what became of each, as the manifest says it, in the order they end.

    - `pairs`: (scan, mask) files, as `covidlab.models.segment.scan_pairs` gives them.
    - `manifest`, Path: a line a scan is added to it: scan, mask, digest of scan and weights, state ("done", "kept" or
      "failed"), and of a mask slices, voxels, ml, findings and seconds, of a failure the error.
    - `weights`, str: a file or a shipped name; loaded once a worker.
    - `workers`, int: processes to start on this machine; they share its cores.
    - `scheduler`, str: the address of a Dask scheduler whose workers see the same folders; instead of `workers`.

    Masks are written whole or not at all. A scan that fails, or has cost `TRIES` workers, does not stop the others.
    Raises a CovidlabError if distributed is not installed, the scheduler does not answer, or weights cannot be read.
    """
    named = find_weights(weights).resolve()
    open_segmenter(named, quick=True)  # what is wrong with them is said once, here
    known = read_manifest(manifest)
    threads = max(1, (os.cpu_count() or 1) // workers) if workers else 1
    with _client(workers, scheduler) as client, _appended(manifest) as add, progress_bar("segmenting") as show:
        from distributed import as_completed

        futures = {
            client.submit(segment_one, scan.resolve(), mask.resolve(), named, threads, overlay,
                          known.get(str(scan.resolve())), pure=False, retries=0): (scan, mask)
            for scan, mask in pairs
        }  # fmt: skip
        for number, future in enumerate(as_completed(futures), start=1):
            scan, mask = futures[future]
            if (error := future.exception()) is None:
                told = future.result()
            else:  # of the engine: such as workers that died over this scan
                told = {"scan": str(scan.resolve()), "state": "failed", "error": f"{scan}: {reason(error)}"}
            show(number, len(pairs), scan.name)
            if told["state"] != "kept":
                add(told)
            yield told


def segment_one(scan: Path, mask: Path, weights: Path, threads: int, overlay: bool, known: dict | None) -> dict:
    """One task: what the manifest says of a scan after it, in JSON's own types."""
    told = {"scan": str(scan), "mask": str(mask)}
    try:
        told["digest"] = _digest(scan, weights)
        if known and known["state"] == "done" and known.get("digest") == told["digest"] and mask.exists():
            return known | {"state": "kept"}
        done = predict_file(scan, mask, _segmenter(weights, threads), draw_overlay if overlay else None)
    except CovidlabError as error:
        return told | {"state": "failed", "error": str(error)}
    return told | {"state": "done"} | json.loads(json.dumps(asdict(done), default=str)) | told


def read_manifest(path: Path) -> dict[str, dict]:
    """The last that a manifest says of each scan, by its path; empty if there is none. A line cut short by a kill, or
    changed since, counts for nothing: its scan is done again."""
    found = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else ():
        try:
            one = json.loads(line)
            found[one["scan"]] = one | {"state": str(one["state"])}
        except (ValueError, TypeError, KeyError):
            continue
    return found


@contextmanager
def _appended(manifest: Path) -> Iterator:
    """A function that adds a line, and has it on disk before it returns."""
    try:
        manifest.parent.mkdir(parents=True, exist_ok=True)
        with manifest.open("a", encoding="utf-8") as file:
            if file.tell() and not manifest.read_bytes().endswith(b"\n"):  # of a kill in the middle of a line
                file.write("\n")

            def add(told: dict) -> None:
                file.write(json.dumps(told) + "\n")
                file.flush()

            yield add
    except OSError as error:
        found, expected = f"a place that cannot be written ({reason(error)})", "room in a folder with write permission"
        raise CovidlabError(manifest, found, expected, "free space, or choose another -o, then go on") from error


@contextmanager
def _client(workers: int, scheduler: str) -> Iterator:
    """A client of the scheduler named, or of workers started here that end with the block."""
    if find_spec("distributed") is None:
        raise CovidlabError("--workers", "no package distributed", "the extra `cluster`", "pip install distributed")
    import dask
    from distributed import Client, LocalCluster

    with dask.config.set({"distributed.scheduler.allowed-failures": TRIES - 1}):
        if not scheduler:
            with (
                LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50) as here,
                Client(here) as client,
            ):
                yield client
            return
        try:
            client = Client(scheduler, timeout=10)
        except (OSError, ValueError) as error:
            found, remedy = f"no answer ({reason(error)})", "start one with `dask scheduler`, or use --workers"
            raise CovidlabError(scheduler, found, "the address of a Dask scheduler", remedy) from error
        with client:
            yield client


@lru_cache(maxsize=1)
def _segmenter(weights: Path, threads: int) -> Segmenter:
    return open_segmenter(weights, quick=True, threads=threads)


def _digest(scan: Path, weights: Path) -> str:
    """Of a scan's content, or of all files of its folder, and of the weights."""
    digest = hashlib.sha256()
    for path in [*(sorted(scan.glob("[!.]*")) if scan.is_dir() else [scan]), weights]:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            found = f"a file that cannot be read ({reason(error)})"
            raise CovidlabError(path, found, "a scan", "see that it is there and may be read") from error
    return digest.hexdigest()
