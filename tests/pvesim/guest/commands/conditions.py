"""`test` and `[`."""

from collections.abc import Callable, Mapping

from tests.pvesim.guest.machine import Process

INVALID = 2
BINARY: Mapping[str, Callable[[str, str], bool]] = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "-eq": lambda a, b: int(a) == int(b),
    "-ne": lambda a, b: int(a) != int(b),
    "-lt": lambda a, b: int(a) < int(b),
    "-le": lambda a, b: int(a) <= int(b),
    "-gt": lambda a, b: int(a) > int(b),
    "-ge": lambda a, b: int(a) >= int(b),
}


def evaluate_condition(process: Process, words: list[str]) -> int:
    """0 when the condition holds, 1 when not, 2 when it is none."""
    try:
        return 0 if _any_of(process, words) else 1
    except ValueError as error:
        return process.complain(f"{process.name}: {error}", INVALID)


def _any_of(process: Process, words: list[str]) -> bool:
    if "-o" in words and len(words) > 3:  # three words are a comparison
        at = words.index("-o")
        return _all_of(process, words[:at]) or _any_of(process, words[at + 1 :])
    return _all_of(process, words)


def _all_of(process: Process, words: list[str]) -> bool:
    if "-a" in words and len(words) > 3:  # three words are a comparison
        at = words.index("-a")
        return _single(process, words[:at]) and _all_of(process, words[at + 1 :])
    return _single(process, words)


def _single(process: Process, words: list[str]) -> bool:
    match words:
        case []:
            return False
        case [word]:
            return word != ""
        case ["!", *rest]:
            return not _single(process, rest)
        case [operator, operand]:
            return _unary(process, operator, operand)
        case [left, operator, right] if operator in BINARY:
            return _compare(operator, left, right)
    raise ValueError(f"{words[1] if len(words) > 1 else words[0]}: unexpected operator")


def _compare(operator: str, left: str, right: str) -> bool:
    try:
        return BINARY[operator](left, right)
    except ValueError as error:
        bad = right if left.strip().lstrip("-").isdigit() else left
        raise ValueError(f"Illegal number: {bad}") from error


def _unary(process: Process, operator: str, operand: str) -> bool:
    if operator in ("-z", "-n"):
        return (operand == "") == (operator == "-z")
    if operator == "-t":
        return process.terminal is not None
    entry = process.fs.find(process.path(operand), follow=operator not in ("-L", "-h"))
    if operator not in ("-e", "-f", "-d", "-s", "-r", "-w", "-x", "-L", "-h", "-S"):
        raise ValueError(f"{operator}: unexpected operator")
    if entry is None:
        return False
    kinds = {"-f": "f", "-d": "d", "-L": "l", "-h": "l"}
    if operator in kinds:
        return entry.kind == kinds[operator]
    if operator == "-S":
        return operand.endswith(".sock")
    if operator == "-s":
        return entry.kind == "d" or bool(process.fs.read(process.path(operand), 1))
    return operator != "-x" or entry.kind == "d" or bool(entry.mode & 0o111)
