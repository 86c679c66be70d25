"""Commands that list: the filters of their RPC as options, whatever the RPC offers."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from proximity_cli.rpcs import build_request, describe_option, find_method, is_paging


def with_filters(
    method_name: str, *, leave_out: tuple[str, ...] = ()
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command the fields of its RPC as options, and pass it the `request` that they make.

    A parameter of the command that has the name of a field takes the place of its option. Fields named by `leave_out`
    are neither options nor in the request.
    """
    method = find_method(method_name)
    fields = {
        field.name: field
        for field in method.input_type.fields
        if not is_paging(field) and field.name not in leave_out
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True).parameters
        passed_on = [each for name, each in own.items() if name != "request"]
        options = [describe_option(field) for name, field in fields.items() if name not in own]

        def run(*arguments: Any, **given: Any) -> None:  # noqa: ANN401 - what typer parsed
            given |= dict(zip((each.name for each in passed_on), arguments, strict=False))
            values: Mapping[str, Any] = {name: given[name] for name in fields if given.get(name) is not None}
            passed = {each.name: given[each.name] for each in passed_on if each.name in given}
            command(request=build_request(method, fields, values), **passed)

        parameters = [*passed_on, *options]
        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in parameters]
        )
        run.__annotations__ = {each.name: each.annotation for each in parameters}
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate
