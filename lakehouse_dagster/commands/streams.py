"""`lakehouse streams list|check|rebuild`: what is in the lake, whether it is intact, and accepting a rewrite."""

from typing import Annotated

import typer

from lakehouse import index
from lakehouse.index.files import discover
from lakehouse.stream_check import check as check_streams
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake

app = typer.Typer(no_args_is_help=True, help="List, check and rebuild the raw streams.")


@app.command("list")
def list_streams(lake: LakeOption = DEFAULT_LAKE, as_json: JsonOption = False) -> None:
    """List the streams with their files, rows and days.

    Example: lakehouse streams list
    """
    out = Out(as_json)
    opened = open_lake(lake)
    index.update_all(opened)
    rows = []
    for name, stream in opened.streams.items():
        held = index.load(opened, name)
        days = list(held.lines_by_day())
        rows.append(
            {
                "stream": name,
                "class": stream.source_class,
                "scorer": stream.scorer,
                "files": len(discover(opened, stream)),
                "rows": sum(file.lines for file in held.state.files),
                "first_day": days[0] if days else "",
                "last_day": days[-1] if days else "",
                "state": "rewritten" if held.state.broken else "ok",
            }
        )
    out.table(f"Streams of {opened.root}", list(rows[0]), [list(row.values()) for row in rows])
    out.answer(streams=rows)
    out.close()


@app.command("check")
def check(
    lake: LakeOption = DEFAULT_LAKE,
    full: Annotated[
        bool, typer.Option("--full", help="Hash every collected row again: finds edits in the middle.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Look for streams that were rewritten and for files that no stream declares.

    Example: lakehouse streams check --full
    """
    out = Out(as_json)
    opened = open_lake(lake)
    with out.progress("Checking streams", None) as bar:
        findings = check_streams(opened, full=full, done=bar.step)
    out.table("Findings", ["kind", "file", "why"], [(one.kind, one.file, one.why) for one in findings])
    broken = [one for one in findings if one.kind != "undeclared"]
    if not findings:
        out.say("Every stream is as it was indexed, and every file in _kb/ belongs to one.")
    out.answer(findings=findings)
    out.close()
    if broken:
        raise typer.Exit(1)


@app.command("rebuild")
def rebuild(
    stream: Annotated[str, typer.Argument(help="The stream to index anew.")],
    lake: LakeOption = DEFAULT_LAKE,
    as_json: JsonOption = False,
) -> None:
    """Forget a stream's index and read it from its start: accepts what is there now.

    Example: lakehouse streams rebuild audits
    """
    out = Out(as_json)
    opened = open_lake(lake)
    with out.progress(f"Reading {stream}", None):
        update = index.rebuild(opened, stream)
    out.say(f"{stream}: {update.lines:,} lines on {len(update.days)} days. Next: lakehouse distill --lake {lake}")
    out.answer(stream=stream, lines=update.lines, days=sorted(update.days), undated=dict(update.reasons))
    out.close()
