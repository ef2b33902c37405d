-- Each answer of the gateway is one staged row, or one reject.
with sent as (
    select source, segment, min(window_start) as window_start, count(*) as answers
    from raw.huawei_agent_status
    group by source, segment
),

staged as (
    select segment, count(*) as answers from staging.stg_huawei__agent_status group by segment
)

select s.source, s.segment, s.window_start, s.answers as answers_sent, coalesce(t.answers, 0) as answers_staged
from sent as s
left join staged as t on s.segment = t.segment
where s.answers <> coalesce(t.answers, 0)
