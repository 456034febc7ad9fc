-- An analysis, by what the observer said of it; one without text is worth nothing.
select *, case when blank(text) then 'rejected' else reviewed(said, observer_confidence) end as verdict
from evidence
