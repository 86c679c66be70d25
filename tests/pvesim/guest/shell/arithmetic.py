"""`$(( ))`: integers, variables, the usual operators."""

import ast
import operator
import re
from collections.abc import Callable, Mapping

from tests.pvesim.guest.shell.state import ExpansionError

BINARY: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitAnd: operator.and_,
    ast.BitOr: operator.or_,
    ast.BitXor: operator.xor,
}
COMPARE: Mapping[type[ast.cmpop], Callable[[int, int], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}


def evaluate(text: str, variables: Mapping[str, str]) -> int:
    """The value of an arithmetic expression; variables without a number count as 0.

    Raises:
        ExpansionError: it is none, or divides by zero.
    """
    python = re.sub(r"&&", " and ", re.sub(r"\|\|", " or ", re.sub(r"!(?!=)", " not ", text))).strip()
    try:
        return _value(ast.parse(python or "0", mode="eval").body, variables)
    except (SyntaxError, TypeError, ValueError, KeyError) as error:
        raise ExpansionError(f'arithmetic expression: expecting primary: "{text}"') from error
    except ZeroDivisionError as error:
        raise ExpansionError("arithmetic expression: division by zero") from error


def _value(node: ast.expr, variables: Mapping[str, str]) -> int:
    match node:
        case ast.Constant(value=int(number)):
            return number
        case ast.Name(id=name):
            return int(variables.get(name) or 0)
        case ast.UnaryOp(op=op, operand=operand):
            value = _value(operand, variables)
            return (
                int(not value) if isinstance(op, ast.Not) else (-value if isinstance(op, ast.USub) else value)
            )
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(op, _value(left, variables), _value(right, variables))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            return int(COMPARE[type(op)](_value(left, variables), _value(right, variables)))
        case ast.BoolOp(op=op, values=values):
            truths = [bool(_value(value, variables)) for value in values]
            return int(all(truths) if isinstance(op, ast.And) else any(truths))
    raise ValueError(f"unsupported expression {ast.dump(node)}")


def _binary(op: ast.operator, left: int, right: int) -> int:
    if isinstance(op, ast.Div | ast.FloorDiv):
        quotient = abs(left) // abs(right)
        return quotient if (left < 0) == (right < 0) else -quotient
    if isinstance(op, ast.Mod):
        return left - right * _binary(ast.Div(), left, right)
    return BINARY[type(op)](left, right)
