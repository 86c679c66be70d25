"""How the simulated server says no."""

from typing import Any


class ApiError(Exception):
    """An answer other than 200: status, reason line and the fields at fault."""

    def __init__(
        self, status: int, reason: str, *, errors: dict[str, str] | None = None, empty: bool = False
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.errors = errors
        self.empty = empty

    @property
    def body(self) -> dict[str, Any]:
        """The JSON body: `data`, `message` and, for parameters, `errors`."""
        body: dict[str, Any] = {"data": None, "message": self.message}
        if self.errors is not None:
            body["errors"] = self.errors
        return body

    @property
    def message(self) -> str:
        """The reason as the body repeats it: with a newline, but for a 501."""
        return self.reason if self.status == 501 else f"{self.reason}\n"


def refuse(reason: str) -> ApiError:
    """A plain `die` in Proxmox's code: 500 with the reason."""
    return ApiError(500, reason)


def refuse_params(**errors: str) -> ApiError:
    """A 400 naming the parameters at fault (underscores become hyphens)."""
    return bad_params({name.replace("_", "-"): text for name, text in errors.items()})


def bad_params(errors: dict[str, str]) -> ApiError:
    """A 400 with one text for each parameter at fault."""
    return ApiError(400, "Parameter verification failed.", errors=errors)


def forbid(what: str = "") -> ApiError:
    """A 403, naming the path and privileges when they are known."""
    return ApiError(403, f"Permission check failed ({what})" if what else "Permission check failed")


class TaskFailedError(Exception):
    """A task's work ends with this exit status."""
