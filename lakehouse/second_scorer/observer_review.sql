-- Another model's verdict: its word, in the field or as a marker, or whether the escalation was resolved.
select *, reviewed(
        list_concat(
            said,
            case when list_contains(markers, 'resolved') then ['accept'] end,
            case when list_contains(markers, 'unresolved') then ['cycle'] end),
        observer_confidence) as verdict
from evidence
