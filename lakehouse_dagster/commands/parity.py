"""`lakehouse parity`: the same fixtures through this implementation and another one."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from lakehouse.errors import UsageError
from lakehouse.parity.peers import Patient, Peer, parse_peer
from lakehouse.parity.probes import probes_named
from lakehouse.parity.report import write_reports
from lakehouse.parity.run import BAD, WORDS, compare, count, silent
from lakehouse.timestamps import written
from lakehouse_dagster.commands.shell import DEFAULT_REPORTS, JsonOption, Out, ReportsOption


def parity(
    probes: Annotated[list[str] | None, typer.Argument(help="Which probes; default: all.")] = None,
    peer: Annotated[
        list[str] | None,
        typer.Option(
            help='golden, command:"node parity_peers/peer.mjs" or http://host:port; may stand more than once.'
        ),
    ] = None,
    reports: ReportsOption = DEFAULT_REPORTS,
    as_json: JsonOption = False,
) -> None:
    """Compare our answers to fixtures with the pinned ones, or with those of another implementation.

    Ends with 1 where an answer differs or is invalid, with 3 where a peer could not be reached or answered nothing.

    Example: lakehouse parity materializer --peer command:"node parity_peers/peer.mjs"
    """
    out = Out(as_json)
    chosen, peers = probes_named(probes or ()), _peers(peer or ["golden"])
    results = []
    with out.progress("Asking", len(chosen)) as bar:
        for probe in chosen:
            bar.describe(f"Asking about {probe.name}")
            results += compare(probe, peers)
            bar.step()
    paths = write_reports(reports.resolve(), chosen, results, written(datetime.now(UTC)))
    counts = [
        {"probe": probe.name, "peer": one.name, "fixtures": len(probe.fixtures), **count(found)}
        for probe in chosen
        for one in peers
        for found in [[r for r in results if (r.probe, r.peer) == (probe.name, one.name)]]
    ]
    bad = [result for result in results if result.verdict in BAD]
    missing, total = silent(results), count(results)
    out.table("Parity", list(counts[0]), [list(row.values()) for row in counts])
    out.table(
        "Not the same", ["probe", "peer", "fixture", "why"], [(r.probe, r.peer, r.fixture, r.reason) for r in bad]
    )
    why = {(r.probe, r.peer, r.reason) for r in results if r.verdict == "unavailable"}
    out.table("Not answered", ["probe", "peer", "why"], sorted(why))
    out.say(f"In all: {', '.join(f'{total[word]} {word}' for word in WORDS)}.")
    out.say("Reports:\n" + "\n".join(f"  {path}" for path in paths))
    out.answer(counts=counts, total=total, results=results, unreached=missing, reports=[str(path) for path in paths])
    out.close()
    if bad or missing:
        raise typer.Exit(1 if bad else 3)


def _peers(texts: list[str]) -> list[Peer]:
    peers: dict[str, Peer] = {peer.name: Patient(peer) for peer in map(parse_peer, texts)}
    if len(peers) < len(set(texts)):
        raise UsageError("two peers have one name", where="--peer", mend="ask them one after the other")
    return list(peers.values())
