-- Something that a model extracted, by how sure it was; the facts of an audit carry no such number.
select *, metadata -> '$.confidence' as own_confidence,
    case when present(own_confidence) then own_confidence else observer_confidence end as confidence,
    number(confidence) as sure,
    case
        when blank(text) then 'rejected'
        when unless_between(confidence, 0, 1) is not null then 'needs_human_review'
        when sure >= 0.8 then 'accepted'
        when sure >= 0.5 then 'partially_accepted'
        when sure < 0.5 then 'rejected'
        when stream = 'audit_facts' then 'partially_accepted'
        else 'needs_human_review'
    end as verdict
from evidence
