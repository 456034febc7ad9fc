"""The sentences of the sample lake, by what they are about; `{holes}` are filled from `words.py`.

Here: sentences only. Twelve drawn of eighteen, with four words each drawn anew, make texts that resemble each other and
are no copies. Not here: which row uses which (`rows.py`).
"""

from __future__ import annotations

from typing import Final

REVIEW: Final = (
    "In `{function}` (line {line}) {defect}; {remedy}.",
    "`{type}` meets {requirement}: {part} {verb} it once and a test in {file} holds that.",
    "Missing for {requirement}: nothing stops {part} when {defect}.",
    "The call from `{function}` to `{function}` costs {ms} ms of {metric}, which {requirement} does not allow.",
    "Line {line} {verb} `{type}` before {part} has it, so {defect}.",
    "Verified against {requirement}: {share} cases in {file} pass.",
    "To mend `{function}`, {remedy}, then let {part} read `{type}` again.",
    "{metric} moved by {percent} after {part} was split; {requirement} wants this explained.",
    "`{function}` and `{function}` do the same for `{type}`; keep one of them near {file}.",
    "When {symptom} show up, look at line {line}: the cause is {cause}.",
    "The comment above `{type}` says {remedy}, the code does not.",
    "{part} still {verb} the old field; {requirement} moved it to `{type}`.",
    "A test for {symptom} is absent; line {line} of {file} is where it belongs.",
    "Good: `{function}` refuses early, {part} {verb} nothing by then, and {metric} stays flat at {ms} ms.",
    "I would rename `{type}`, since {part} {verb} something else under {requirement}.",
    "With {n} workers in the roster {defect}, with {n} it holds.",
    "The bound of {n} in `{function}` has no reason; {requirement} names {n}.",
    "Nothing in {file} covers the case where {defect} while {part} restarts.",
)

FINDING: Final = (
    "{file}: `{function}` at line {line}, {defect}",
    "{requirement} is not met by {part}: {symptom} in {share} probes",
    "`{type}` {verb} twice under load and {metric} moves by {percent}",
    "no test names {cause}; {remedy} and add one for `{function}`",
    "{part} logs {symptom} every {n} minutes since the change to {file}",
    "the migration of `{type}` leaves {n} rows behind, probably {cause}",
    "{metric} is {percent} off its baseline on {corpus}",
    "line {line} of {file} trusts `{type}` from the caller",
    "{requirement}: evidence found in `{function}`, none in {part}",
    "the reversal of `{function}` was never tried with {n} open segments",
)

REASONING: Final = (
    "I compared {part} with {requirement} and replayed {n} sessions through `{function}`.",
    "The change is small, yet {part} {verb} `{type}` in a place where {defect}.",
    "{metric} stayed within {percent} of the baseline while {n} clients were busy.",
    "Where {symptom} were reported, the trace ends in `{function}` with {cause}.",
    "Rolling back would cost {n} minutes, since {part} keeps `{type}` for {ms} ms only.",
    "The phase promises {requirement}; the commit delivers it for {corpus} and not for {corpus}.",
    "Of the {n} probes, those against {file} matter most: there {defect}.",
    "A second reading of line {line} shows that {part} does {remedy}, as was asked.",
    "The reviewer of `{type}` had asked to {remedy}; this is done in {file}.",
    "I could not reproduce {symptom} with {model}, nor with {model} at {n} requests.",
    "What remains open is {requirement}, for which {part} needs {cause} ruled out.",
    "The numbers for {metric} come from {n} runs and spread by {percent}.",
)

CONTRACT: Final = (
    "{client} needs {n} people ({trade}, {trade}) in {city} for {work}, from {weekday} on {shift}.",
    "The {clause} clause is new in lot {lot} and {risk}.",
    "{agency} issued the permit for {work}, valid {n} weeks, and asks for {certificate}.",
    "At {rate} an hour for one {trade} the margin is {percent}, after {clause} it is {percent}.",
    "{worker} and {worker} hold {certificate} and live {n} miles from {city}.",
    "The bench in {city} has {share} {trade} seats covered for {shift}.",
    "Compared with the last contract of {client}, {clause} is stricter and {risk}.",
    "Recommendation: {conclusion}, since {risk}.",
    "Any {trade} with {certificate} is scarce in {city}: {n} on the roster, {n} booked.",
    "The schedule puts {work} before {work}, so {shift} needs one {trade} first.",
    "{agency} visits on {weekday}; until then {conclusion}.",
    "If {risk}, {client} owes {rate} an hour for waiting time under {clause}.",
    "Lot {lot} calls for {n} hours of {trade} work and {n} of {trade} work.",
    "History: {n} fills for {client} in {city}, {percent} of them held past day {n}.",
    "We should {conclusion} and tell {agency} by {weekday}.",
    "{worker} led {work} for {client} before and knows {clause} there.",
)

OBSERVER: Final = (
    "The attempt names `{function}` and line {line}, both exist in {file}.",
    "It claims that {defect}; the quoted code shows this.",
    "It claims that {defect}, which I could not find in {file}.",
    "The proposal to {remedy} is concrete and fits {requirement}.",
    "It repeats the advice to {remedy} and does not say where.",
    "No word on {metric}, although {requirement} is about that.",
    "The symbol `{type}` is invented; the file has `{type}`.",
    "Compared with the attempt of {model}, this one adds {cause} as a cause.",
    "{part} is described correctly, down to the {n} retries at line {line}.",
    "The severity is too low for {symptom} in {share} sessions.",
    "The answer stops in the middle of a remark on `{function}`.",
    "The evidence from {corpus} supports the second point and contradicts the one about `{type}`.",
    "It would be enough to {remedy}; the rest is taste.",
    "Line {line} is off by {n}, the reasoning about {part} still holds.",
)

CLUSTER: Final = (
    "{n} sessions of {model} ended with {symptom} in {file}.",
    "What they share is {cause}: {part} {verb} `{type}` while `{function}` waits.",
    "The first of them began when {metric} fell by {percent} on {weekday}.",
    "It does not depend on {corpus}; with {n} chunks the failure stays.",
    "Escalating to {model} helped in {n} cases, since it did {remedy}.",
    "In {city} the same pattern hit {client} during {shift}.",
    "`{function}` at line {line} is where the traces part.",
    "Before the change to {file}, {defect} was seen {n} times a day.",
    "The retry ladder spent {n} calls on it, at {ms} ms each.",
    "Ruled out: {cause}, and {cause}.",
)

ADVICE: Final = (
    "{remedy}, first in {file}.",
    "Let {part} refuse `{type}` until {requirement} is settled.",
    "Watch {metric} for {n} days and alert at {percent}.",
    "Send such sessions to {model} after {n} tries.",
    "Add {symptom} to the probes of {corpus}.",
    "Pin `{function}` by a test with {n} rows.",
)

FACT: Final = (
    "{part} {verb} `{type}` through `{function}` in {file}.",
    "{client} takes one {trade} in {city} only with {certificate}.",
    "{symptom} in {corpus} go back to {cause}.",
    "For {work}, {agency} wants {certificate} on site from day {n}.",
    "With {model}, {metric} is {percent} better than with {model} on {corpus}.",
    "`{function}` may not run while {part} {verb} lot {lot}.",
    "{clause} applies to {client} from the {n}th hour at {rate}.",
    "The fix for {defect} is: {remedy} (line {line}).",
    "{shift} in {city} fills in {n} hours when one {trade} is asked by {weekday}.",
    "{requirement} is held by `{type}` and checked in {file}.",
)

STEP: Final = (
    "open {file} at line {line} and find `{function}`",
    "check that {part} has released `{type}`",
    "ask the roster for every {trade} within {n} miles of {city}",
    "{remedy}",
    "confirm {certificate} with {agency}",
    "run the probes of {corpus} with {model}",
    "compare {metric} with the baseline; stop above {percent}",
    "call {client} before {shift} on {weekday}",
    "write the outcome into lot {lot}",
    "repeat for the {n} sessions with {symptom}",
    "book {worker} with a hold of {n} minutes",
    "rebuild the index that {part} {verb}",
)

KEPT: Final = (
    "     let {holder} = self.{function}(&{holder}, {n})?;",
    "     for {holder} in {holder}.iter().take({n}) {",
    "     if {holder}.len() > {n} { return Err({type}Error::TooMany({n})); }",
    "     let {holder}: {type} = {function}(ctx, {line}).await?;",
    '     debug!("{function} {} {holder}", {holder}.id);',
    "     {holder}.extend({function}({holder})?);",
    "     assert!({holder}.{function}() <= {ms});",
)

REMOVED: Final = (
    "-    let {holder} = {function}({holder}).unwrap();",
    "-    let {holder} = {holder}.clone();",
    "-    {holder}.{function}({n});",
    "-    if {holder}.is_empty() { return Ok({type}::default()); }",
    "-    let _guard = self.{holder}.lock().await;",
    "-    {holder}.push({function}(&{holder}));",
)

ADDED: Final = (
    "+    let {holder} = {function}({holder}).map_err({type}Error::from)?;",
    "+    let {holder} = &{holder};",
    "+    {holder}.{function}({n}).await?;",
    '+    if {holder}.is_empty() { return Err({type}Error::Empty("{holder}")); }',
    "+    drop(self.{holder}.lock().await);",
    "+    {holder}.push({function}(&{holder})?);",
)
