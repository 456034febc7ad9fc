"""`lakehouse subject …`: who looked at whose data, recorded and verified."""

import getpass
import os
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.text import Text

from lakehouse.errors import LakehouseError, UsageError
from lakehouse.lake import Lake
from lakehouse.records import AuditAccessor
from lakehouse.subjects import log, memory, mend, places
from lakehouse.subjects.checks import Checked, remember, verify_all, verify_subject
from lakehouse.subjects.keys import new_key
from lakehouse.subjects.manifest import checked_subject
from lakehouse.subjects.places import Subjects, anchors_beside, keys_beside, open_subjects
from lakehouse.timestamps import written
from lakehouse_dagster.commands.shell import DEFAULT_LAKE, JsonOption, LakeOption, Out, open_lake
from resources.lake import utc_now

app = typer.Typer(no_args_is_help=True, help="Record who looked at whose data, and verify the record.")
key_app = typer.Typer(no_args_is_help=True, help="The keys that sign the record.")
app.add_typer(key_app, name="key")

ALL = "all"
OF_KEYS = ("missing_key", "short_key")
OUTSIDE = ("cannot_read",)
MAKE_ONE = "There are no subjects. Make one with: lakehouse subject create ID --retention P7Y"

SubjectArgument = Annotated[str, typer.Argument(metavar="ID", help="The subject.")]
KeysOption = Annotated[
    Path | None,
    typer.Option(
        "--keys", envvar="LAKEHOUSE_KEYS", help="The folder of the keys; default: <lake>-keys beside the lake."
    ),
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


def opened(root: Path, keys: Path | None, anchors: Path | None) -> Subjects:
    """Open the subjects of a lake."""
    return _placed(open_lake(root), keys, anchors)


def _placed(lake: Lake, keys: Path | None, anchors: Path | None) -> Subjects:
    return open_subjects(
        lake,
        keys.absolute() if keys else keys_beside(lake),
        anchors.absolute() if anchors else anchors_beside(lake),
    )


@key_app.command("new")
def key_new(
    key_id: Annotated[str, typer.Argument(metavar="KEY_ID", help="Its name: the file is KEY_ID.key.")],
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = None,
    anchors: AnchorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key of 32 random bytes that only you may read. A key that is there is never overwritten.

    Refused are a folder in a lake, and an id that the logs of the lake name already: what they name has to be restored.

    Example: lakehouse subject key new k-2026
    """
    out = Out(as_json)
    # A key may be made before its lake.
    subjects = _placed(Lake(lake.resolve()), keys, anchors)
    user = None if subjects.keys.path(key_id).exists() else places.key_in_use(subjects, key_id)
    if user is not None:
        raise UsageError(
            f"the log of {user} names the key {key_id!r}, which is not there; another one under its id would make it wrong",
            where=str(subjects.keys.path(key_id)),
            mend="restore that key from the copy that was kept, or choose another KEY_ID",
        )
    path = new_key(subjects.keys.folder, key_id, os.urandom)
    out.say(f"{escape(str(path))} is a new key. Keep a copy: without it, what it signed cannot be verified.")
    out.answer(key_id=key_id, path=str(path))
    out.close()


@app.command("create")
def create(
    subject_id: SubjectArgument,
    retention: Annotated[str, typer.Option(help="How long its record is kept, as an ISO 8601 duration (P7Y).")],
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = None,
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
        key_id=_only_key(subjects) if key is None else key,
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
    keys: KeysOption = None,
    anchors: AnchorsOption = None,
    user: UserOption = None,
    field: Annotated[list[str] | None, typer.Option(help="A field that was looked at; again for more.")] = None,
    no_fields: Annotated[
        bool, typer.Option("--no-fields", help="No field was looked at: a report on it, say.")
    ] = False,
    result: Annotated[str, typer.Option(help="What came of it.")] = "success",
    daemon: Annotated[str, typer.Option(help="The program that gave the data out.")] = "lakehouse",
    trace_id: Annotated[str, typer.Option(help="The trace that it belongs to.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Record that somebody looked at a subject's data.

    Example: lakehouse subject append WORKER-3 --user ann --purpose "fill 2 welders in Flint" --field name --field phone
    """
    out = Out(as_json)
    if bool(field) == no_fields:
        what = "both fields and none are named" if no_fields else "no field is named"
        raise UsageError(what, where="--field", mend="name each field with --field, or say --no-fields")
    accessor = AuditAccessor(daemon=daemon, user=_user(user), purpose=purpose, trace_id=trace_id)
    number = log.append(opened(lake, keys, anchors), subject_id, accessor, field or [], result, written(utc_now()))
    out.say(f"Row {number} of {escape(subject_id)} is written and anchored.")
    out.answer(subject_id=subject_id, row=number)
    out.close()


@app.command("verify")
def verify(
    subject_id: Annotated[str, typer.Argument(metavar="[ID|all]", help="The subject.")] = ALL,
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = None,
    anchors: AnchorsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Verify every row of a log, and that it ends where its anchor says, and has what the last look at all saw.

    Ends with 1 where one does not hold, 2 where only keys are missing, 3 where only files cannot be read.

    Example: lakehouse subject verify WORKER-3
    """
    out = Out(as_json)
    subjects = opened(lake, keys, anchors)
    if subject_id != ALL and checked_subject(subject_id) not in {*subjects.ids(), *_remembered(subjects)}:
        subjects.manifest(subject_id)
    with out.progress("Verifying", None) as bar:
        checked = []
        for one in verify_all(subjects) if subject_id == ALL else [verify_subject(subjects, subject_id)]:
            checked.append(one)
            bar.step()
    forgetful = remember(subjects, checked) if subject_id == ALL else None
    out.table(
        "Logs of subjects",
        ["", "subject", "rows", "what", "line", "why"],
        [row for one in checked for row in _rows(one)],
    )
    loose = [str(path) for path in subjects.keys.loose()]
    if not checked:
        out.say(MAKE_ONE)
    if forgetful is not None and forgetful.found.error is not None:
        out.say(f"[yellow]What was seen is not kept[/yellow]: {escape(forgetful.found.error.why)}")
    for path in loose:
        out.say(f"[yellow]others may read {escape(path)}[/yellow]: chmod 600 {escape(path)}")
    kinds = {one.found.error.kind for one in checked if one.found.error is not None}
    out.answer(
        verified=not kinds,
        subjects=[one.plain() for one in checked],
        keys_readable_by_others=loose,
        remembered=subject_id == ALL and forgetful is None,
    )
    out.close()
    if kinds:
        raise typer.Exit(2 if kinds <= set(OF_KEYS) else 3 if kinds <= set(OUTSIDE) else 1)


@app.command("rotate")
def rotate(
    subject_id: SubjectArgument,
    key: Annotated[str, typer.Option(help="The new key; make it with `lakehouse subject key new`.")],
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = None,
    anchors: AnchorsOption = None,
    user: UserOption = None,
    purpose: Annotated[str, typer.Option(help="Why.")] = "change the key",
    as_json: JsonOption = False,
) -> None:
    """Sign the rows to come with another key. The old one is still needed, to verify the rows that it signed.

    Example: lakehouse subject rotate WORKER-3 --key k-2027
    """
    out = Out(as_json)
    accessor = AuditAccessor(daemon="lakehouse", user=_user(user), purpose=purpose, trace_id="")
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
    keys: KeysOption = None,
    anchors: AnchorsOption = None,
    renew: Annotated[
        bool,
        typer.Option("--renew", help="Also where the anchor is missing or forged: you vouch that the log is whole."),
    ] = False,
    by: Annotated[str | None, typer.Option(help="Who vouches; default: the user's name.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why the log is known to be whole; --renew wants it.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write the anchor of a log that holds but is ahead of it, as a writer that died leaves it.

    With --renew also one that is missing or forged; a signed row of the log then says who asked for it, and why.

    Example: lakehouse subject anchor WORKER-3
    """
    out = Out(as_json)
    renewal = None
    if renew:
        if reason is None:
            raise UsageError("it does not say why", where="--reason", mend="say how you know that the log is whole")
        renewal = mend.Renewal(_user(by), reason, written(utc_now()))
    elif (by, reason) != (None, None):
        raise UsageError("--by and --reason are for --renew", mend="leave them out, or add --renew")
    count, tip = mend.anchor(opened(lake, keys, anchors), subject_id, renew=renewal)
    out.say(f"The anchor of {escape(subject_id)} stands at {count} rows.")
    out.answer(subject_id=subject_id, count=count, tip=tip)
    out.close()


@app.command("forget")
def forget(
    subject_id: SubjectArgument,
    reason: Annotated[str, typer.Option(help="Why its record need not be there any more.")],
    lake: LakeOption = DEFAULT_LAKE,
    by: Annotated[str | None, typer.Option(help="Who answers for it; default: the user's name.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Let go of what the last look saw of a subject: its record was deleted, or an older one restored, and that is right.

    It deletes nothing. Who said so stands in subjects/forgotten.jsonl.

    Example: lakehouse subject forget WORKER-3 --by ann --reason "P7Y are over"
    """
    out = Out(as_json)
    line = memory.forget(open_lake(lake), checked_subject(subject_id), _user(by), reason, written(utc_now()))
    out.say(
        f"The {line.rows} rows that were seen of {escape(subject_id)} are not missed any more, as {escape(line.by)} says."
    )
    out.answer(forgotten=line)
    out.close()


@app.command("mend")
def mend_log(
    subject_id: SubjectArgument,
    lake: LakeOption = DEFAULT_LAKE,
    keys: KeysOption = None,
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
    keys: KeysOption = None,
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
        except LakehouseError:
            unread.append(name)
    columns = ["subject", "kind", "key", "kept", "since", "datasets"]
    rows = [
        (one.subject_id, one.kind, one.key_id, one.retention, one.created_at, ", ".join(one.datasets)) for one in found
    ]
    out.table("Subjects", columns, rows)
    for name in unread:
        out.say(f"[red]{escape(name)} has no manifest that can be read[/red]: lakehouse subject verify {escape(name)}")
    if not found and not unread:
        out.say(MAKE_ONE)
    out.answer(subjects=found, without_manifest=unread)
    out.close()


def _user(given: str | None) -> str:
    """Give who it is: what was said, an empty text too, which is refused as any other."""
    return getpass.getuser() if given is None else given


def _remembered(subjects: Subjects) -> set[str]:
    try:
        return set(memory.seen(subjects.lake))
    except LakehouseError:
        # Verifying says so.
        return set()


def _only_key(subjects: Subjects) -> str:
    known = list(subjects.keys)
    if len(known) == 1:
        return known[0]
    what = f"there are the keys {', '.join(known)}" if known else f"there is no key in {subjects.keys.folder}"
    if known:
        mend_it = "say which one signs"
    elif subjects.ids():
        mend_it = "restore the keys from the copy that was kept, or name their folder with --keys"
    else:
        mend_it = "make one with `lakehouse subject key new KEY_ID`"
    raise UsageError(what, where="--key", mend=mend_it)


def _rows(one: Checked) -> list[tuple[Text, str, int, str, int, str]]:
    """Give the rows of the table for a log: one for each thing to say of it, one at least."""
    found, name = one.found, one.subject_id or one.file
    if found.error is not None:
        fault = found.error
        return [(Text("no", style="red"), name, found.count, fault.kind, fault.line, fault.why)]
    if not found.warnings:
        return [(Text("ok"), name, found.count, "holds", 0, "")]
    return [
        (Text("ok", style="yellow"), name, found.count, warning.kind, warning.line, warning.why)
        for warning in found.warnings
    ]
