-- The rule's verdict on each record of one evidence file, and the person's that its row carries, in the order of the file.
-- Only what a rule reads is made of a line. Values of unsure type are JSON, so that no odd one stops the reading.
-- There is no join in it: DuckDB's joins hold small chunks back, and the order of the lines would be lost.
with evidence as (
    select *, $stream as stream,
        list_concat(success_markers, failure_markers) as markers,
        list_concat([observer_verdict], marked(markers, 'verdict:')) as said
    from read_json($path, format = 'newline_delimited', maximum_object_size = $longest, columns = {
        provenance: 'STRUCT(source_file VARCHAR, line_offset BIGINT, sig_hash VARCHAR)',
        observer_verdict: 'VARCHAR',
        observer_confidence: 'JSON',
        success_markers: 'VARCHAR[]',
        failure_markers: 'VARCHAR[]',
        human_override: 'STRUCT(category VARCHAR, "at" VARCHAR)',
        latency_ms: 'JSON',
        retrieved_context: 'STRUCT(corpora VARCHAR[], chunks_kept JSON)',
        text: 'VARCHAR',
        metadata: 'JSON'})
), judged as (
<rule>
)
select provenance.source_file, provenance.line_offset, provenance.sig_hash,
    verdict, human_override.category, human_override."at"
from judged
