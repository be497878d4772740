"""What every command shares: the options given before its name, and the service that they work on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.output import fail, plain_errors
from api.cli.service import Service
from api.settings import Settings, load_settings
from index.lock import holder

if TYPE_CHECKING:
    from api.wiring import Pincite

CollectionName = Annotated[str, typer.Option("--collection", "-c", help="The collection to use.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
Output = Annotated[Path | None, typer.Option(help="Write the result as JSON to this file.")]


@dataclass(frozen=True, slots=True)
class Options:
    """Settings given as options; None is not given."""

    given: Mapping[str, Any]

    def settings(self, **more: Any) -> Settings:
        """Read the settings with these options on top; a bad one ends the command."""
        options = {**self.given, **more}
        try:
            return load_settings({name: value for name, value in options.items() if value is not None})
        except ValueError as problem:
            fail(str(problem))
            raise


@contextmanager
def opened(context: typer.Context, **more: Any) -> Iterator[Pincite]:
    """Open the service that the settings describe; known errors become one line on stderr."""
    from api.wiring import open_pincite  # heavy: only once a command really needs the model

    settings = context.find_object(Options).settings(**more)  # type: ignore[union-attr]
    with plain_errors(), open_pincite(settings) as pincite:
        yield pincite


@contextmanager
def service(context: typer.Context) -> Iterator[Service]:
    """Yield what does a command's work: the server that holds the data folder where there is one, else this process."""
    settings = context.find_object(Options).settings()  # type: ignore[union-attr]
    url = holder(settings.data) or ""
    if url.startswith("http://"):
        from api.cli.remote import Remote

        with plain_errors():
            yield Remote(url, settings)
        return
    from api.cli.local import Local  # heavy

    with opened(context) as pincite:
        yield Local(pincite)
