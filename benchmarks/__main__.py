"""Run the benchmarks: ``python -m benchmarks [--full] [--suite NAME]... [--media DIR]``."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

SUITES = (
    "throughput", "pipeline", "robustness", "detection", "security",
    "audio-throughput", "audio", "audio-detection", "audible",
    "video-throughput", "video", "video-detection",
)  # fmt: skip
# A folder of photographs and sounds beside the repository is used where there is one.
MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"


def main() -> None:
    """Run the suites, print their tables and store them. Always exits with 0: a bench reports."""
    arguments = _arguments()
    # One core for each number: read by the numeric libraries as they load, workers inherit it.
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    import cv2

    from benchmarks import (
        audible,
        audio,
        audio_detection,
        audio_throughput,
        detection,
        pipeline,
        report,
        robustness,
        security,
        throughput,
        video,
        video_detection,
        video_throughput,
    )

    cv2.setNumThreads(1)
    # What is timed runs alone; what is counted takes every core.
    timed = {
        "throughput": throughput.run, "pipeline": pipeline.run,
        "audio-throughput": audio_throughput.run, "video-throughput": video_throughput.run,
    }  # fmt: skip
    counted = {
        "robustness": robustness.run, "detection": detection.run, "security": security.run,
        "audio": audio.run, "audio-detection": audio_detection.run, "audible": audible.run,
        "video": video.run, "video-detection": video_detection.run,
    }  # fmt: skip
    for name in arguments.suite or SUITES:
        begin, load = time.perf_counter(), report.load_average()
        if name in timed:
            findings = timed[name](full=arguments.full, media=arguments.media)
        else:
            with ProcessPoolExecutor(
                mp_context=multiprocessing.get_context("spawn"),
                initializer=cv2.setNumThreads,
                initargs=(1,),
            ) as workers:
                findings = counted[name](
                    full=arguments.full, media=arguments.media, workers=workers
                )
        seconds = time.perf_counter() - begin
        run = report.Run(name, arguments.full, seconds, (load, report.load_average()))
        print(f"\n=== {name} ===\n\n{report.show(findings)}")
        print(f"\n{report.store(run, findings, arguments.out)}, {seconds:.0f} s", flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=main.__doc__)
    parser.add_argument("--full", action="store_true", help="more of everything, and the peers")
    parser.add_argument("--suite", action="append", choices=SUITES, help="only these")
    parser.add_argument(
        "--media", type=Path, default=MEDIA if MEDIA.is_dir() else None,
        help="folder with pictures, films and sounds (aud*), measured besides what is always there",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent / "results", help="folder for the JSON"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
