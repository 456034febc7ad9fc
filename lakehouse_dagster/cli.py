"""The command line `lakehouse`: which commands there are, and what an error looks like.

Here: putting the commands together. Not here: any command (`commands/`).
Exit codes: 0 done, 1 a gate failed, 2 wrong usage, configuration or data, 3 something outside failed.
"""

import sys
from importlib.metadata import version
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.text import Text

from lakehouse.errors import LakehouseError
from lakehouse_dagster.commands import (
    accept,
    audit,
    chat,
    distill,
    doctor,
    drift,
    gates,
    imports,
    index,
    iterate,
    lakes,
    parity,
    playbook,
    release,
    replay,
    search,
    sql,
    streams,
    subject,
    triage,
    validate,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Turn the logs of LLM agents into training data that can be trusted.",
)


@app.callback(invoke_without_command=True)
def root(
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Turn the logs of LLM agents into training data that can be trusted."""
    if show_version:
        typer.echo(version("lakehouse-dagster"))
        raise typer.Exit


app.command("init")(lakes.init)
app.command("demo")(lakes.demo)
app.command("import")(imports.import_logs)
app.add_typer(streams.app, name="streams")
app.command("distill")(distill.distill)
app.add_typer(triage.app, name="triage")
app.add_typer(gates.app, name="gates")
app.command("audit")(audit.audit)
app.command("accept")(accept.accept)
app.command("parity")(parity.parity)
app.command("drift")(drift.drift)
app.add_typer(release.app, name="release")
app.command("recall")(release.recall)
app.add_typer(index.app, name="index")
app.command("search")(search.search)
app.add_typer(playbook.app, name="playbook")
app.command("models")(chat.models)
app.command("chat")(chat.chat)
app.command("validate")(validate.validate_payload)
app.command("iterate")(iterate.iterate)
app.command("replay")(replay.replay)
app.add_typer(subject.app, name="subject")
app.command("sql")(sql.sql)
app.command("doctor")(doctor.doctor)


def main() -> None:
    """Run the command line; an error that a person can mend is one red line and an exit code."""
    try:
        app()
    except LakehouseError as error:
        if "--json" in sys.argv:
            told = {"message": error.what, "where": error.where, "mend": error.mend, "exit_code": error.exit_code}
            sys.stdout.write(orjson.dumps({"error": told}, option=orjson.OPT_INDENT_2).decode() + "\n")
        console = Console(stderr=True, highlight=False)
        console.print("[red]error[/red]", Text(str(error)), soft_wrap=True)
        sys.exit(error.exit_code)
