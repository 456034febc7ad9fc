"""`lakehouse subject …`: who looked at whose data, recorded and verified."""

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.text import Text

from lakehouse.errors import RecordError, UsageError
from lakehouse.records import AuditAccessor
from lakehouse.subjects import log, mend, places
from lakehouse.subjects.checks import Checked, verify_all, verify_subject
from lakehouse.subjects.keys import KeyRing, new_key
from lakehouse.subjects.manifest import checked_subject
from lakehouse.subjects.places import Subjects, anchors_beside, open_subjects
from lakehouse.timestamps import written
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake
from resources.lake import utc_now

app = typer.Typer(no_args_is_help=True, help="Record who looked at whose data, and verify the record.")
key_app = typer.Typer(no_args_is_help=True, help="The keys that sign the record.")
app.add_typer(key_app, name="key")

ALL = "all"
OF_KEYS = ("missing_key", "short_key")
DEFAULT_KEYS = Path("keys")

SubjectArgument = Annotated[str, typer.Argument(metavar="ID", help="The subject.")]
KeysOption = Annotated[
    Path, typer.Option("--keys", envvar="LAKEHOUSE_KEYS", help="The folder of the keys.", show_default="./keys")
]
AnchorsOption = Annotated[
    Path | None,
    typer.Option(
        "--anchors",
        envvar="LAKEHOUSE_ANCHORS",
        help="The folder of the anchors; default: <lake>-anchors beside the lake.",
    ),
]
UserOption = Annotated[str | None, typer.Option(help="Who; default: the user's name.")]


def opened(root: Path, keys: Path, anchors: Path | None) -> Subjects:
    """Open the subjects of a lake."""
    lake = open_lake(root)
    return open_subjects(lake, keys.absolute(), anchors.absolute() if anchors else anchors_beside(lake))


@key_app.command("new")
def key_new(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="Its name: the file is KEY_ID.key.")],
    keys: KeysOption = DEFAULT_KEYS,
    as_json: JsonOption = False,
) -> None:
    """Make a key of 32 random bytes that only you may read. A key that is there is never overwritten.

    Example: lakehouse subject key new k-2026
    """
    out = Out(as_json)
    path = new_key(keys.absolute(), key_id, os.urandom)
    out.say(f"{escape(str(path))} is a new key. Keep a copy: without it, what it signed cannot be verified.")
    out.answer(key_id=key_id, path=str(path))
    out.close()


@app.command("create")
def create(
    subject_id: SubjectArgument,
    retention: Annotated[str, typer.Option(help="How long its record is kept, as an ISO 8601 duration (P7Y).")],
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = DEFAULT_KEYS,
    anchors: AnchorsOption = None,
    key: Annotated[str | None, typer.Option(help="The key that signs; default: the only one there is.")] = None,
    kind: Annotated[str, typer.Option(help="What it is.")] = "person",
    dataset: Annotated[list[str] | None, typer.Option(help="Where its data lies; again for more.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a subject with an empty log.

    Example: lakehouse subject create WORKER-3 --key k-2026 --kind worker --retention P7Y --dataset workers
    """
    out = Out(as_json)
    subjects = opened(lake, keys, anchors)
    made = places.create(
        subjects,
        subject_id,
        kind=kind,
        retention=retention,
        key_id=key or _only_key(subjects.keys),
        datasets=dataset or [],
        now=written(utc_now()),
    )
    out.say(f"{escape(subject_id)} is a subject; its log is signed with {made.key_id}.")
    out.answer(manifest=made)
    out.close()


@app.command("append")
def append(
    subject_id: SubjectArgument,
    purpose: Annotated[str, typer.Option(help="What for.")],
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = DEFAULT_KEYS,
    anchors: AnchorsOption = None,
    user: UserOption = None,
    field: Annotated[list[str] | None, typer.Option(help="A field that was looked at; again for more.")] = None,
    result: Annotated[str, typer.Option(help="What came of it.")] = "success",
    daemon: Annotated[str, typer.Option(help="The program that gave the data out.")] = "lakehouse",
    trace_id: Annotated[str, typer.Option(help="The trace that it belongs to.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Record that somebody looked at a subject's data.

    Example: lakehouse subject append WORKER-3 --user ann --purpose "fill 2 welders in Flint" --field name --field phone
    """
    out = Out(as_json)
    accessor = AuditAccessor(daemon=daemon, user=user or getpass.getuser(), purpose=purpose, trace_id=trace_id)
    number = log.append(opened(lake, keys, anchors), subject_id, accessor, field or [], result, written(utc_now()))
    out.say(f"Row {number} of {escape(subject_id)} is written and anchored.")
    out.answer(subject_id=subject_id, row=number)
    out.close()


@app.command("verify")
def verify(
    subject_id: Annotated[str, typer.Argument(metavar="[ID|all]", help="The subject.")] = ALL,
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = DEFAULT_KEYS,
    anchors: AnchorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify every row of a log, and that it ends where its anchor says; 1 where one does not, 2 where keys are missing.

    Example: lakehouse subject verify WORKER-3
    """
    out = Out(as_json)
    subjects = opened(lake, keys, anchors)
    if subject_id != ALL and checked_subject(subject_id) not in subjects.ids():
        subjects.manifest(subject_id)
    with out.progress("Verifying", None) as bar:
        checked = []
        for one in verify_all(subjects) if subject_id == ALL else [verify_subject(subjects, subject_id)]:
            checked.append(one)
            bar.step()
    out.table(
        "Logs of subjects",
        ["", "subject", "rows", "what", "line", "why"],
        [row for one in checked for row in _rows(one)],
    )
    loose = [str(path) for path in subjects.keys.loose()]
    if not checked:
        out.say("There are no subjects. Make one with: lakehouse subject create ID --retention P7Y")
    for path in loose:
        out.say(f"[yellow]others may read {escape(path)}[/yellow]: chmod 600 {escape(path)}")
    kinds = {one.found.error.kind for one in checked if one.found.error is not None}
    out.answer(verified=not kinds, subjects=[one.plain() for one in checked], keys_readable_by_others=loose)
    out.close()
    if kinds:
        raise typer.Exit(2 if kinds <= set(OF_KEYS) else 1)


@app.command("rotate")
def rotate(
    subject_id: SubjectArgument,
    key: Annotated[str, typer.Option(help="The new key; make it with `lakehouse subject key new`.")],
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = DEFAULT_KEYS,
    anchors: AnchorsOption = None,
    user: UserOption = None,
    purpose: Annotated[str, typer.Option(help="Why.")] = "change the key",
    as_json: JsonOption = False,
) -> None:
    """Sign the rows to come with another key. The old one is still needed, to verify the rows that it signed.

    Example: lakehouse subject rotate WORKER-3 --key k-2027
    """
    out = Out(as_json)
    accessor = AuditAccessor(daemon="lakehouse", user=user or getpass.getuser(), purpose=purpose, trace_id="")
    number = log.rotate(opened(lake, keys, anchors), subject_id, key, accessor, written(utc_now()))
    out.say(
        f"Row {number} of {escape(subject_id)} announces {key}; the next ones are signed with it. Keep the old key."
    )
    out.answer(subject_id=subject_id, row=number, key_id=key)
    out.close()


@app.command("anchor")
def anchor(
    subject_id: SubjectArgument,
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = DEFAULT_KEYS,
    anchors: AnchorsOption = None,
    renew: Annotated[
        bool,
        typer.Option("--renew", help="Also where the anchor is missing or forged: you vouch that the log is whole."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the anchor of a log that holds but is ahead of it, as a writer that died leaves it.

    Example: lakehouse subject anchor WORKER-3
    """
    out = Out(as_json)
    found = mend.anchor(opened(lake, keys, anchors), subject_id, renew=renew)
    out.say(f"The anchor of {escape(subject_id)} stands at {found.count} rows.")
    out.answer(subject_id=subject_id, count=found.count, tip=found.tip)
    out.close()


@app.command("mend")
def mend_log(
    subject_id: SubjectArgument,
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = DEFAULT_KEYS,
    anchors: AnchorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Mend a torn last line: its bytes go to a file beside the log, where the rows before it hold.

    Example: lakehouse subject mend WORKER-3
    """
    out = Out(as_json)
    done, moved = mend.mend(opened(lake, keys, anchors), subject_id)
    said = {
        "nothing": "There is nothing to mend.",
        "completed": "The last row was whole but for its end, and has it now.",
        "moved": f"The torn bytes are in {moved}; the log ends with its last whole row.",
    }
    out.say(escape(said[done]))
    out.answer(subject_id=subject_id, done=done, moved_to=str(moved) if moved else None)
    out.close()


@app.command("list")
def list_subjects(
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = DEFAULT_KEYS,
    anchors: AnchorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the subjects; it verifies nothing.

    Example: lakehouse subject list
    """
    out = Out(as_json)
    subjects = opened(lake, keys, anchors)
    found, unread = [], []
    for name in subjects.ids():
        try:
            found.append(subjects.manifest(name))
        except (UsageError, RecordError):
            unread.append(name)
    columns = ["subject", "kind", "key", "kept", "since", "datasets"]
    rows = [
        (one.subject_id, one.kind, one.key_id, one.retention, one.created_at, ", ".join(one.datasets)) for one in found
    ]
    out.table("Subjects", columns, rows)
    for name in unread:
        out.say(f"[red]{escape(name)} has no manifest that can be read[/red]: lakehouse subject verify {escape(name)}")
    if not found and not unread:
        out.say("There are no subjects. Make one with: lakehouse subject create ID --retention P7Y")
    out.answer(subjects=found, without_manifest=unread)
    out.close()


def _only_key(ring: KeyRing) -> str:
    known = list(ring)
    if len(known) == 1:
        return known[0]
    what = f"there are the keys {', '.join(known)}" if known else "there is no key"
    mend_it = "say which one signs" if known else "make one with `lakehouse subject key new KEY_ID`"
    raise UsageError(what, where="--key", mend=mend_it)


def _rows(one: Checked) -> list[tuple[Text, str, int, str, int, str]]:
    """Give the rows of the table for a log: one for each thing to say of it, one at least."""
    found = one.found
    if found.error is not None:
        fault = found.error
        return [(Text("no", style="red"), one.subject_id, found.count, fault.kind, fault.line, fault.why)]
    if not found.warnings:
        return [(Text("ok"), one.subject_id, found.count, "holds", 0, "")]
    return [
        (Text("ok", style="yellow"), one.subject_id, found.count, warning.kind, warning.line, warning.why)
        for warning in found.warnings
    ]
