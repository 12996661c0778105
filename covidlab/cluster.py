"""Thousands of scans at once, through faults: a task a scan on Dask's workers, and a manifest of what is done.

The engine is `dask.distributed` (the extra `cluster`): it starts workers, shares tasks out, starts a worker anew that
died and gives its scan to another. What is ours is small: the task, and the manifest, a line of JSON a scan. Run again,
the command goes on where it was: a scan that is done, and unchanged, is not done again (docs/scaling.md).
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import asdict
from functools import lru_cache
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from filelock import FileLock, Timeout

from covidlab.errors import CovidlabError, reason
from covidlab.models.segment import predict_file
from covidlab.models.segmenter import Segmenter, open_segmenter
from covidlab.progress import progress_bar
from covidlab.weights import find_weights

MANIFEST = "manifest.jsonl"  # in the folder of the masks
TRIES = 3  # workers that a scan may cost before it is set apart
AHEAD = 1000  # scans that the scheduler knows of at once: more than workers, and no more memory for a million scans


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
    Raises a CovidlabError if distributed is not installed, the scheduler does not answer or goes away, weights cannot
    be read, or the manifest cannot be written or is another process's at the moment.
    """
    named = find_weights(weights).absolute()
    open_segmenter(named, quick=True)  # what is wrong with them is said once, here
    with _appended(manifest) as add, _client(workers, scheduler) as client, progress_bar("segmenting") as show:
        from dask.system import CPU_COUNT  # those that this process may use, not all that the machine has
        from distributed import as_completed

        threads = max(1, CPU_COUNT // workers) if workers else 1
        known, left, futures = read_manifest(manifest), iter(pairs), {}

        def submit(scan: Path, mask: Path):
            scan, mask = scan.absolute(), mask.absolute()  # not resolved: a link's own name says what a scan is
            asked = (scan, mask, named, threads, overlay, known.pop(str(scan), None))
            futures[future := client.submit(segment_one, *asked, pure=False)] = scan
            return future

        ended = as_completed(submit(*pair) for pair in islice(left, AHEAD))
        for number, future in enumerate(ended, start=1):
            ended.update(submit(*pair) for pair in islice(left, 1))
            scan = futures.pop(future)
            try:
                told = future.result()
            except Exception as error:  # of the engine: such as workers that died over this scan
                if future.cancelled():
                    found, remedy = "no scheduler any more", "start it, and give the same command again: it goes on"
                    raise CovidlabError(scheduler or "--workers", found, "it until the end", remedy) from error
                told = {"scan": str(scan), "state": "failed", "error": f"{scan}: {reason(error)}"}
            future.release()  # or Dask would do all scans again that a dying worker had done
            show(number, len(pairs), scan.name)
            if told["state"] != "kept":
                add(told)
            yield told


def segment_one(scan: Path, mask: Path, weights: Path, threads: int, overlay: bool, known: dict | None) -> dict:
    """One task: what the manifest says of a scan after it, in JSON's own types."""
    told, files, look = {"scan": str(scan), "mask": str(mask)}, [mask], None
    if overlay:
        from covidlab.plots.overlay import draw_overlay, overlay_path  # a third of what a worker takes to start

        files, look = [mask, overlay_path(mask)], draw_overlay
    try:
        told["digest"] = _digest(scan, weights)
        same = known and known["state"] == "done" and known.get("digest") == told["digest"]
        # A machine that lost its power leaves names of files without content.
        if same and all(file.is_file() and file.stat().st_size for file in files):
            return known | told | {"state": "kept"}
        done = predict_file(scan, mask, _segmenter(weights, threads), look)
    except CovidlabError as error:
        return told | {"state": "failed", "error": str(error)}
    return told | {"state": "done"} | json.loads(json.dumps(asdict(done), default=str)) | told


def read_manifest(path: Path) -> dict[str, dict]:
    """The last that a manifest says of each scan, by its path; empty if there is none. A line cut short, or changed
    since, counts for nothing: its scan is done again."""
    found = {}
    with path.open(encoding="utf-8", errors="replace") if path.exists() else nullcontext(()) as lines:
        for line in lines:
            with suppress(ValueError, TypeError, KeyError):
                one = json.loads(line)
                found[one["scan"]] = one | {"state": str(one["state"])}
    return found


@contextmanager
def _appended(manifest: Path) -> Iterator:
    """A function that adds a line in one write: only a full disk leaves a part of it. Until the block ends no other
    process may add any."""
    with _refusing(manifest):
        manifest.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(manifest.with_name(".manifest.lock"), timeout=0, mode=0o666).acquire()
        file = manifest.open("ab+", buffering=0)

    def write(line: bytes) -> None:
        with _refusing(manifest):
            if file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with lock, file:
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            write(b"" if file.read() == b"\n" else b"\n")  # ends a line that was cut short
        yield lambda told: write(json.dumps(told).encode() + b"\n")


@contextmanager
def _refusing(manifest: Path) -> Iterator:
    """What keeps a manifest from being written, told in one line."""
    try:
        yield
    except Timeout as error:
        found, remedy = "a folder of masks that another process is at work on", "wait until it ends, or change -o"
        raise CovidlabError(manifest.parent, found, "one at a time", remedy) from error
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

    # No worker has a second scan waiting: each that it has when it dies counts as one that killed it.
    config = {"distributed.scheduler.allowed-failures": TRIES - 1, "distributed.scheduler.worker-saturation": 1.0}
    with dask.config.set(config):
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
    for path in [*(sorted(filter(Path.is_file, scan.glob("[!.]*"))) if scan.is_dir() else [scan]), weights]:
        try:
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            found = f"a file that cannot be read ({reason(error)})"
            raise CovidlabError(path, found, "a scan", "see that it is there and may be read") from error
    return digest.hexdigest()
