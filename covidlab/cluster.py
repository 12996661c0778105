"""Thousands of scans at once, through faults: a task a scan on Dask's workers, and a manifest of what is done; and
trainings, a task a run.

The engine is `dask.distributed` (the extra `cluster`), which replaces workers that die. Ours are the task and the
manifest, a line of JSON a scan, by which the command, given again, goes on where it was (docs/scaling.md).
"""

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stderr, suppress
from dataclasses import asdict
from functools import lru_cache
from itertools import islice
from multiprocessing import resource_tracker
from pathlib import Path

from covidlab.data.cohorts import open_cohort
from covidlab.data.folders import ITK
from covidlab.data.itk import read_header
from covidlab.data.slices import open_slice_cache
from covidlab.errors import CovidlabError, reason, refused, require, writable
from covidlab.files import claim
from covidlab.models.segment import predict_file
from covidlab.models.segmenter import Segmenter, open_segmenter
from covidlab.progress import progress_bar
from covidlab.weights import find_weights

MANIFEST = "manifest.jsonl"  # in the folder of the masks
TRIES = 3  # workers that a scan may cost before it is set apart
RULES = {
    "distributed.scheduler.allowed-failures": TRIES - 1,
    # No worker has a second scan waiting: each that it has when it dies counts as one that killed it.
    "distributed.scheduler.worker-saturation": 1.0,
    "distributed.scheduler.http.routes": [],
    # Nobody looks at what a worker is doing a hundred times a second, nor at whether its loop is late fifty times.
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "500ms",
    # Dask's own would give memory back after each array: seventeen times the page faults, half of the throughput.
    "distributed.nanny.pre-spawn-environ": {"OMP_NUM_THREADS": 1},
}
AHEAD = 1000  # scans that the scheduler knows of at once, whatever their number
ANSWER = 10  # seconds that a scheduler has to answer


def predict_many(
    pairs: list[tuple[Path, Path]], manifest: Path, weights: str | None, workers: int = 0, scheduler: str = "",
    overlay: bool = False,
) -> Iterator[dict]:  # fmt: skip
    """Segment scans on workers, and yield what became of each, as the manifest says it, in the order they end.

    - `pairs`: (scan, mask) files, as `covidlab.models.segment.scan_pairs` gives them.
    - `manifest`, Path: a line a scan is added to it: scan, mask, digest of scan and weights, state ("done" or "failed";
      "kept" is yielded, not written), of a mask slices, voxels, ml, findings and seconds, of a failure the error.
    - `weights`, str: a file or a shipped name; loaded once a worker.
    - `workers`, int: processes to start here, which share the cores; or `scheduler`, str: the address of a Dask
      scheduler whose workers see the same folders.

    Masks are written whole or not at all. A scan that fails, or has cost `TRIES` workers, does not stop the others.
    Raises a CovidlabError for distributed not installed, no scheduler (any more), weights that cannot be read, and a
    manifest that cannot be written or is another process's.
    """
    require("--workers", "cluster", "distributed")
    named = find_weights(weights).absolute()
    open_segmenter(named, quick=True)  # what is wrong with them is said once, here
    kind = named, _sha256(named)
    with _appended(manifest) as add, _client(workers, scheduler) as client, progress_bar("segmenting") as show:
        from dask.system import CPU_COUNT  # those that this process may use, not all that the machine has
        from distributed import as_completed

        known, left, futures = read_manifest(manifest), iter(pairs), {}
        threads = max(1, CPU_COUNT // (workers or CPU_COUNT))

        def submit(scan: Path, mask: Path):
            scan, mask = scan.absolute(), mask.absolute()  # not resolved: a link's own name says what a scan is
            task = (segment_one, scan, mask, kind, threads, overlay, known.pop(str(scan), None))
            futures[future := client.submit(*task, pure=False)] = scan
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


@lru_cache(maxsize=1)
def _open_once(weights: tuple[Path, bytes], threads: int) -> Segmenter:
    """A worker's network. By digest, too: workers of a cluster outlive a run, and the file may be another then."""
    return open_segmenter(weights[0], quick=True, threads=threads)


def segment_one(
    scan: Path, mask: Path, weights: tuple[Path, bytes], threads: int, overlay: bool, known: dict | None
) -> dict:  # fmt: skip
    """One task: what the manifest says of a scan after it, in JSON's own types. Weights are a file and its digest."""
    told, files, look = {"scan": str(scan), "mask": str(mask)}, [mask], None
    if overlay:
        from covidlab.plots.overlay import draw_overlay, overlay_path  # a third of what a worker takes to start

        files, look = [mask, overlay_path(mask)], draw_overlay
    try:
        told["digest"] = _digest(scan, weights[1])
        same = known and known["state"] == "done" and known.get("digest") == told["digest"]
        if same and all(file.is_file() and file.stat().st_size for file in files):  # a power cut leaves empty ones
            return known | told | {"state": "kept"}
        done = predict_file(scan, mask, _open_once(weights, threads), look)
    except CovidlabError as error:
        return told | {"state": "failed", "error": str(error)}
    return told | {"state": "done"} | json.loads(json.dumps(asdict(done), default=str)) | told


def train_many(runs: list[tuple], workers: int = 0, scheduler: str = "") -> None:
    """Train on workers, a task a run; one whose worker dies another goes on with, from its last epoch.

    `runs` are (data, profile, cases, config, folder): what `open_cohort` and `run_experiment` are asked, and who asks
    the same afterwards reads them. Raises a CovidlabError as these do, and for a run that has cost `TRIES` workers.
    """
    require("--workers", "cluster", "distributed")
    with _client(workers, scheduler) as client, progress_bar("training") as show:
        from distributed import KilledWorker, as_completed

        tasks = {client.submit(_train_one, *run, workers, pure=False): run[-1] for run in runs}
        for done, future in enumerate(as_completed(tasks), start=1):
            try:
                future.result()
            except KilledWorker as error:
                found, remedy = "a training that has cost its workers", "see that memory is enough for N, and go on"
                raise CovidlabError(tasks[future], f"{found} ({reason(error)})", "a finished run", remedy) from error
            show(done, len(runs), "")


def _train_one(data: str | None, profile: str, cases: str, config, folder: Path, workers: int) -> None:
    from dask.system import CPU_COUNT

    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, CPU_COUNT // (workers or CPU_COUNT))))
    from covidlab.training.runs import run_experiment

    with open(os.devnull, "w") as nowhere, redirect_stderr(nowhere):  # bars of several would cross
        run_experiment(config, open_slice_cache(open_cohort(data, profile, cases), config.grid), folder)


def read_manifest(path: Path) -> dict[str, dict]:
    """The last that a manifest says of each scan, by its path. A line cut short or changed since counts for nothing."""
    found = {}
    with path.open(encoding="utf-8", errors="replace") if path.exists() else nullcontext(()) as lines:
        for line in lines:
            with suppress(ValueError, TypeError, KeyError, RecursionError):
                one = json.loads(line)
                found[one["scan"]] = one | {"state": str(one["state"])}
    return found


@contextmanager
def _appended(manifest: Path) -> Iterator:
    """A function that adds a line, in one write; no other process may add any until the block ends."""

    def write(line: bytes) -> None:
        with writable(manifest, remedy):
            if file.write(line) < len(line):
                raise OSError("No space left on device")

    remedy = "free space, or change -o, then go on"
    lock = claim(manifest.with_name(".manifest.lock"))
    with writable(manifest, remedy):
        file = manifest.open("ab+", buffering=0)
    with lock, file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            write(b"" if file.read() == b"\n" else b"\n")  # ends a line that was cut short
        yield lambda told: write(json.dumps(told).encode() + b"\n")


@contextmanager
def _client(workers: int, scheduler: str) -> Iterator:
    """A client of the scheduler named, or of workers started here that end with the block."""
    import dask
    from distributed import Client, LocalCluster, Status
    from tornado.ioloop import PeriodicCallback

    def keep_up():  # Dask gives up a worker that dies, or takes long, while it starts
        for name in [name for name, one in here.workers.items() if one.status in (Status.closed, Status.failed)]:
            del here.workers[name]
        here.scale(workers)

    with dask.config.set(RULES):
        if not scheduler:
            web = {"dashboard_address": "127.0.0.1:0", "scheduler_kwargs": {"dashboard": False}}  # cannot be left out
            with nullcontext() if os.name == "nt" else _deaf():
                here = LocalCluster(n_workers=0, threads_per_worker=1, silence_logs=50, **web)
            with here, Client(here) as client:
                here.scale(workers)
                here.loop.add_callback(PeriodicCallback(keep_up, 5000).start)
                yield client
            return
        try:
            client = Client(scheduler, timeout=ANSWER)
        except (OSError, ValueError) as error:
            found, remedy = f"no answer ({reason(error)})", "start one with `dask scheduler`, or use --workers"
            raise CovidlabError(scheduler, found, "the address of a Dask scheduler", remedy) from error
        with client:
            yield client


@contextmanager
def _deaf() -> Iterator:
    """Threads started in the block, and their processes, do not hear Ctrl-C: who hears it ends them."""
    resource_tracker.ensure_running()  # started later, it would take the mask off
    kept = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, kept)


def _digest(scan: Path, weights: bytes) -> str:
    """Of a scan's content, or of all files of its folder, and of the weights' digest."""
    files = sorted(filter(Path.is_file, scan.glob("[!.]*"))) if scan.is_dir() else [scan]
    if scan.name.endswith(ITK):
        files.append(read_header(scan)[1])  # the voxels may lie in another file
    return hashlib.sha256(b"".join([*map(_sha256, files), weights])).hexdigest()


def _sha256(path: Path) -> bytes:
    with refused(path, "no file to read", "a scan, or weights", "see that it is there"), path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
