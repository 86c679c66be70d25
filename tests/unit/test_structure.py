"""The structure of the source: facts that no type checker sees."""

import ast
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Class names that stand for more than one thing in services/. May only shrink.
AMBIGUOUS_CLASSES = {
    # One reason at the API, refused by two services: the class is named after the reason.
    "AppBusyError",
    "ContainerNotFoundError",
    "OperationNotFoundError",
    # Values and interfaces of another service that each caller declares by itself; services/clients will hold them once.
    "Containers",
    "RevisionChanges",
    "Task",
}


def find_classes(folder: Path) -> dict[str, list[str]]:
    """Find the places where each class name of a folder's modules is defined."""
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(folder.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
    return places


def test_class_names_are_unique_over_all_services() -> None:
    ambiguous = {name: places for name, places in find_classes(ROOT / "services").items() if len(places) > 1}
    assert {name: ambiguous[name] for name in ambiguous.keys() - AMBIGUOUS_CLASSES} == {}, (
        "rename one of them"
    )
    assert AMBIGUOUS_CLASSES - ambiguous.keys() == set(), "these are unique now: take them off the list"
