"""How scripts end: an error that says what to do is one line, a fault of ours keeps its traceback."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
import typer

import evaluation
import export
import training
import zoo
from carabin.errors import CarabinError
from zoo.errors import one_line_errors
from zoo.runs import RunError


def test_an_error_for_people_is_one_line_and_exit_code_2(capsys):
    with pytest.raises(typer.Exit) as ended, one_line_errors("export"):
        raise RunError("model.onnx: is missing; export again")
    assert ended.value.exit_code == 2
    assert capsys.readouterr().err == "export: model.onnx: is missing; export again\n"


@pytest.mark.parametrize("fault", [ValueError, KeyError, RuntimeError, OSError])
def test_a_fault_of_ours_passes(fault):
    with pytest.raises(fault), one_line_errors("export"):
        raise fault("index out of range")


def test_every_error_class_is_of_the_kind_that_is_shown():
    """One that is not would end a script in a traceback, and nobody would notice until a user does."""
    strays = set()
    for package in (zoo, training, evaluation, export):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.endswith("__main__") or ".metrics." in found.name or found.name == "export.export_onnx":
                continue
            module = importlib.import_module(found.name)
            strays |= {
                name
                for name, value in vars(module).items()
                if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == found.name
                if not issubclass(value, CarabinError) and not name.startswith("_")
            }
    assert not strays
