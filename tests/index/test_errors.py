"""The exception tree and its drawing."""

from __future__ import annotations

import inspect

from index import errors


def test_every_problem_is_drawn_in_the_docstring_under_its_parent() -> None:
    """The tree in the docstring names all classes, and all of them are an `IndexProblem` with a sentence of its own."""
    made = [one for _, one in inspect.getmembers(errors, inspect.isclass) if one.__module__ == "index.errors"]
    drawn = [line.split("── ")[-1].split()[0] for line in (errors.__doc__ or "").splitlines() if "──" in line]
    assert sorted(drawn) == sorted(one.__name__ for one in made if one is not errors.IndexProblem)
    assert all(issubclass(one, errors.IndexProblem) and one.__doc__ for one in made)
