"""Runs `carabin` in a process that can be killed: forked from a server that has imported everything already.

Most of a killed run would otherwise be spent in imports, where there is nothing to lose.
"""

import multiprocessing
import os
import sys
import time

import cassis  # noqa: F401
import onnxruntime  # noqa: F401
import pyarrow.parquet  # noqa: F401
import tokenizers  # noqa: F401

from carabin import annotate, annotator, cli  # noqa: F401


def run_cli(arguments, part_documents):
    """Run a command in small parts; the process ends with its exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    annotate.PART_DOCUMENTS = part_documents
    sys.argv = ["carabin", *arguments]
    cli.main()


def run_for(arguments, seconds, part_documents=7):
    """Run a command, killed after some seconds. Return its exit code, negative if the kill came first, and its time."""
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["tests.carabin.killed_process"])
    process = server.Process(target=run_cli, args=(list(map(str, arguments)), part_documents))
    began = time.monotonic()
    process.start()
    process.join(seconds)
    process.kill()
    process.join()
    return process.exitcode, time.monotonic() - began
