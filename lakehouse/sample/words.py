"""The vocabulary of the sample lake: what a staffing company's agents talk about.

Here: word lists by name, for the `{holes}` of the sentences in `sentences.py`. Not here: sentences, rows, chance.
The words are invented; no person, company or place of business is meant.
"""

from __future__ import annotations

from typing import Final

FILES: Final = tuple(
    f"{folder}/{name}"
    for folder, names in (
        (
            "crates/catalogd/src",
            ("registry.rs", "service.rs", "tombstones.rs", "profile.rs", "errors.rs", "migrate.rs"),
        ),
        ("crates/queryd/src", ("context.rs", "cache.rs", "delta.rs", "planner.rs", "limits.rs", "paging.rs")),
        ("crates/ingestd/src", ("csv_ingest.rs", "pdf_text.rs", "schedule.rs", "dedupe.rs", "inbox.rs", "retry.rs")),
        ("crates/vectord/src", ("store.rs", "hnsw.rs", "playbook_memory.rs", "chunker.rs", "recall.rs", "warmup.rs")),
        ("crates/gateway/src", ("main.rs", "auth.rs", "tools.rs", "access.rs", "limits.rs", "tracing.rs")),
        ("crates/validator/src", ("fill.rs", "email.rs", "playbook.rs", "policy.rs", "roster.rs")),
        ("mcp-server", ("index.ts", "observer.ts", "search.ts", "relevance.ts", "session.ts", "roster.ts")),
        ("auditor", ("index.ts", "checks/static.ts", "checks/dynamic.ts", "checks/inference.ts", "policy.ts")),
        ("scripts", ("distill.ts", "replay.ts", "export_sft.ts", "score_runs.ts", "acceptance.ts", "drift.ts")),
        ("web/src", ("Console.tsx", "WorkerCard.tsx", "FillQueue.tsx", "PermitMap.tsx", "MarginChart.tsx")),
    )
    for name in names
)

MODELS: Final = (
    "openrouter/kimi-k2",
    "openrouter/deepseek-v3.1",
    "ollama/qwen3:32b",
    "ollama/gpt-oss:120b",
    "ollama/mistral-large:123b",
    "anthropic/claude-opus",
    "openai/gpt-4o",
    "local/devstral-small",
)

WORDS: Final[dict[str, tuple[str, ...]]] = {
    "function": tuple(
        "register_dataset merge_delta open_segment resolve_manifest plan_scan rerank_hits fold_row parse_offer"
        " validate_fill seal_envelope flush_index hash_cell promote_staged clamp_window load_roster match_shift"
        " expire_token score_attempt audit_phase compact_log split_batch infer_schema backfill_day rotate_key"
        " route_tool book_worker release_hold merge_hours quote_rate notify_client dedupe_resume rank_permits".split()
    ),
    "type": tuple(
        "CatalogEntry DeltaBatch SegmentHandle FillRequest RosterView ShiftWindow PermitRecord RateCard ToolGrant"
        " AuditTrail ScoredHit ChunkSpan EmbeddingJob PlaybookEntry EvidenceRow OfferLetter Timesheet QueryPlan"
        " RetryBudget TokenScope ManifestDiff WorkerProfile MarginReport DriftTable".split()
    ),
    "defect": (
        "the error branch is swallowed",
        "a read lock is held across an await",
        "the empty roster is treated as a match",
        "two writers may race on the manifest",
        "the page size is never bounded",
        "an offset of zero is dropped",
        "the fallback hides a timeout",
        "the cache key leaves the tenant out",
        "a cloned handle outlives its owner",
        "the retry has no ceiling",
        "dates are compared as text",
        "the tombstone is applied after the join",
        "a missing column becomes an empty string",
        "the audit row is written before the commit",
        "a partial batch is acknowledged",
        "rounding loses a cent on overtime",
        "the feature gate is read once at start",
        "an unknown tool is logged but still run",
        "the vector width is trusted from the caller",
        "the stale index answers for a minute",
    ),
    "remedy": (
        "return the error with its path",
        "drop the guard before the call",
        "refuse an empty roster by name",
        "take the lease first and then write",
        "cap the page at a setting",
        "write zero as a value",
        "surface the timeout to the caller",
        "put the tenant into the key",
        "borrow the handle instead",
        "give the retry a budget",
        "parse the dates on entry",
        "apply tombstones before joining",
        "keep null apart from blank",
        "write the audit row last",
        "acknowledge after the sync",
        "carry cents as integers",
        "read the gate on every request",
        "deny tools that no grant names",
        "check the width against the table",
        "swap the index behind a fence",
    ),
    "requirement": tuple(
        f"PRD {section}"
        for section in (
            "on tool grants",
            "on erasure",
            "on incremental reads",
            "on margin reports",
            "on hybrid search",
            "on shift overlap",
            "on audit logging",
            "on schema drift",
            "on the fill queue",
            "on permits",
            "on playbook recall",
            "on cold starts",
            "on rate cards",
            "on consent",
            "on retention",
            "on paging",
        )
    ),
    "metric": tuple(
        "p95 latency,recall at ten,fill rate,rows a second,peak memory,cache hits,stale reads,queue depth,token cost"
        ",overtime share,no-show rate,time to fill,rework share,permit coverage,margin per hour".split(",")
    ),
    "model": tuple(model.partition("/")[2] for model in MODELS),
    "corpus": tuple(
        "prd_chunks symbol_map adr_notes past_fixes permit_text worker_cards rate_sheets client_memos"
        " incident_log playbooks schema_docs call_summaries".split()
    ),
    "city": tuple(
        "Toledo,Akron,Dayton,Fort Wayne,Peoria,Gary,Lansing,Flint,Rockford,Kenosha,Evansville,Muncie,Decatur,Joliet"
        ",Saginaw,Canton,Lorain,Racine,Elkhart,Findlay,Moline,Kokomo,Sandusky,Waukegan".split(",")
    ),
    "trade": tuple(
        "forklift operator,TIG welder,pipefitter,CNC machinist,electrician,rigger,millwright,picker,line lead,scaffolder"
        ",crane signaller,HVAC mechanic,quality inspector,maintenance helper,concrete finisher,sheet metal worker"
        ",dock supervisor,palletizer,assembler,boilermaker".split(",")
    ),
    "client": tuple(
        "Northgate Steel,Harbor Cold Storage,Maple Ridge Foods,Ironwood Fabrication,Bluewater Packaging,Summit Dairy"
        ",Keystone Castings,Prairie Wind Turbines,Cobalt Plastics,Old Mill Paper,Lakeshore Marine,Granite Precast"
        ",Copperfield Wire,Westbrook Logistics,Silver Birch Furniture,Meridian Glass,Red Barn Produce,Union Valve"
        ",Fairlawn Bakery,Eastline Rail".split(",")
    ),
    "worker": tuple(
        "Amara D.,Bruno K.,Celia M.,Dmitri V.,Esther O.,Farid N.,Greta H.,Hiro T.,Imani B.,Jonas P.,Katya R.,Luis G."
        ",Mina S.,Nnamdi E.,Olga F.,Pavel C.,Quinn A.,Rosa I.,Samir J.,Tova L.,Ulrich W.,Vera Z.,Wanda Q.,Yusuf X.".split(
            ","
        )
    ),
    "certificate": tuple(
        "OSHA 10,OSHA 30,forklift class IV,AWS D1.1,NCCER core,confined space,lockout tagout,rigging level one"
        ",first aid,food handler,aerial lift,hot work,respirator fit,crane signal".split(",")
    ),
    "shift": tuple(
        "first shift,second shift,third shift,the weekend shift,the split shift,the night changeover,a double on Friday"
        ",the early start,the four-tens rotation,the holiday cover".split(",")
    ),
    "weekday": tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()),
    "agency": tuple(
        "the county building office,the city inspector,the fire marshal,the state labor board,the zoning desk"
        ",the water authority,the port commission,the heritage board,the environmental office".split(",")
    ),
    "work": tuple(
        "roof replacement,steel erection,cold room extension,loading dock repair,panel upgrade,foundation underpinning"
        ",conveyor installation,boiler retrofit,facade cleaning,parking deck patching,mezzanine addition"
        ",sprinkler renewal,crane runway alignment,tank farm coating,interior demolition".split(",")
    ),
    "clause": tuple(
        "prevailing wage,retainage,liquidated damages,site access,indemnity,change orders,lien waiver,night work"
        ",noise limits,safety officer,apprentice ratio,fuel surcharge,early completion,warranty hold,substitution".split(
            ","
        )
    ),
    "risk": (
        "the headcount is promised twice",
        "the certificate expires inside the term",
        "the insurance rider is unsigned",
        "the start date precedes the permit",
        "the ratio of apprentices is missed",
        "overtime starts in week two",
        "the escort rule is not priced",
        "the crane window is too short",
        "the per diem is left open",
        "the badge lead time is ignored",
        "the night premium is capped",
        "the renewal is silent",
        "the drug screen adds three days",
        "the site has one gate",
    ),
    "conclusion": (
        "staff it from the bench",
        "hold the quote until the rider is signed",
        "price the second week apart",
        "ask for a later start",
        "split the crew over two shifts",
        "decline the penalty clause",
        "book the certified half now",
        "send the coordinator to the site",
        "renew before the term begins",
        "keep a reserve of two",
        "bid with a named supervisor",
        "wait for the inspection date",
    ),
    "symptom": (
        "timeouts after the index was swapped",
        "empty answers to long questions",
        "duplicate offers to one worker",
        "fills that were booked and then lost",
        "scores that flip between runs",
        "stale rates in fresh quotes",
        "tool calls with no arguments",
        "rows that miss their day",
        "prompts cut at the window",
        "retries that never end",
        "searches that skip the newest rows",
        "builds that are red only at night",
    ),
    "cause": (
        "a leaked file handle",
        "a clock that ran ahead",
        "a prompt that names the wrong tool",
        "a cache without a tenant",
        "a schema that grew a column",
        "a lock that nobody released",
        "a model that changed its fence style",
        "a queue drained by two readers",
        "a default that hid a missing field",
        "an index built before the merge",
        "a half-applied migration",
        "a limit meant for tests",
    ),
    "mode": tuple(
        "codereview_lakehouse codereview_isolation staffing_inference pr_audit distill_once matrix_full"
        " minimal_context pathway_only contract_analysis doc_drift".split()
    ),
    "setting": tuple(
        "retrieval.top_k retrieval.min_score chunk.tokens chunk.overlap llm.temperature llm.max_tokens ladder.retries"
        " observer.threshold cache.ttl_s query.page_rows index.ef_search index.m fill.radius_km fill.hold_minutes"
        " rates.round_to audit.window_days scheduler.batch dedupe.jaccard".split()
    ),
    "verb": tuple(
        "opens reads merges checks rejects rewrites delays caches splits reports signs releases counts resumes".split()
    ),
    "part": tuple(
        "the loader,the planner,the gateway,the observer,the roster view,the fill queue,the permit feed,the rate engine"
        ",the chunker,the audit log,the session store,the merge step,the scheduler,the validator".split(",")
    ),
    "event": tuple("fill confirm dispatch badge swap extend release escalate resubmit notify".split()),
    "holder": tuple(
        "rows batch manifest segment roster offers hits chunk lease window cursor delta profile grants plan spans"
        " queue buffer entry token shard scope".split()
    ),
}
"""Words by the name of the hole that they fill."""
