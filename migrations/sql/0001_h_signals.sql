-- What has become of each signal, and what else speaks of it beside complaints.

-- Evidence that is no complaint: what was said at events, in surveys, by employees. Counted apart, never altered;
-- its words are removed as a fix's are, by those who dispose of records.
CREATE TABLE signal_evidence (
    id           uuid PRIMARY KEY,
    signal_id    uuid NOT NULL REFERENCES signal,
    agency       text NOT NULL,
    source       text NOT NULL CHECK (source IN ('event', 'survey', 'employee_idea', 'other')),
    words        text NOT NULL CHECK (length(words) BETWEEN 1 AND 4000),
    people_count integer CHECK (people_count >= 0),
    gathered_on  date,
    added_by     text NOT NULL,
    added_at     timestamptz NOT NULL,
    command_key  text NOT NULL,
    request_hash bytea NOT NULL,
    UNIQUE (agency, command_key)
);
CREATE INDEX signal_evidence_of ON signal_evidence (signal_id, added_at);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON signal_evidence FOR EACH ROW
    EXECUTE FUNCTION refuse_content_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON signal_evidence EXECUTE FUNCTION refuse_change();
ALTER TABLE signal_evidence ENABLE ROW LEVEL SECURITY;
ALTER TABLE signal_evidence FORCE ROW LEVEL SECURITY;
CREATE POLICY own_agency ON signal_evidence
    USING (agency = nullif(current_setting('putright.agency', true), ''))
    WITH CHECK (agency = nullif(current_setting('putright.agency', true), ''));

-- Where each signal of the transaction's agency stood at the end of a day: by the decisions, looks and weeks up to then.
--
--   to_decide  it waits for a person: nobody has decided (new), the day it was put off to has come (day_has_come), its
--              excess has grown since the decision (grown), or a look saw it after the fix that dealt with it had ended,
--              effective or given up, and after the decision (fix_ended)
--   snoozed    put off to a day to come
--   silenced   decided as no problem: another explanation holds as long as the excess does not grow
--   taken_up   a fix deals with it
--   expired    the looks of so many weeks have not seen it again
--
-- The excess of a week is what was seen beyond what was expected, divided by the weeks it was counted over; it has grown
-- where a look after the decision found p_grown times as much as the last look before it. That a known cause explains a
-- signal holds under the same condition. A signal whose fix is open does not expire, nor one before the day it was put
-- off to; and where nobody looks, nothing expires. The look remembers signals by the same rule
-- (activities/signal_budget.py), so that what has not expired is never raised a second time.
CREATE FUNCTION signal_states(p_on date, p_expires_after_weeks integer, p_grown double precision)
RETURNS TABLE (signal_id uuid, state text, why text, due_on date, last_seen_on date, expired_on date)
-- No search_path of its own, so that the planner looks into it and asks only for the signals that a query wants.
LANGUAGE sql STABLE AS $$
    WITH stood AS (
        SELECT s.id, s.decide_by, s.decide_by - s.raised_on AS days_to_decide,
               coalesce(seen.as_of, s.raised_on) AS last_seen_on, look.as_of AS looked_on,
               made.decision, made.defer_until, grown.as_of AS grown_on, back.as_of AS back_on,
               coalesce(fix.is_open, made.decision = 'accept', false) AS has_open_fix
        FROM signal s
        JOIN agency a ON a.slug = s.agency
        LEFT JOIN LATERAL (SELECT max(w.as_of) AS as_of FROM signal_week w
                           WHERE w.signal_id = s.id AND w.as_of <= p_on) AS seen ON true
        LEFT JOIN LATERAL (SELECT max(r.as_of) AS as_of FROM signal_run r
                           WHERE r.agency = s.agency AND r.as_of <= p_on) AS look ON true
        LEFT JOIN LATERAL (
            SELECT d.decision, d.defer_until, d.fix_id, (d.decided_at AT TIME ZONE a.time_zone)::date AS decided_on
            FROM signal_decision d
            WHERE d.signal_id = s.id AND (d.decided_at AT TIME ZONE a.time_zone)::date <= p_on
            ORDER BY d.decided_at DESC, d.id DESC LIMIT 1) AS made ON true
        LEFT JOIN LATERAL (
            SELECT min(later.as_of) AS as_of FROM signal_week later
            JOIN LATERAL (SELECT w.observed, w.expected, w.window_weeks FROM signal_week w
                          WHERE w.signal_id = s.id AND w.as_of <= made.decided_on
                          ORDER BY w.as_of DESC LIMIT 1) AS known ON true
            WHERE later.signal_id = s.id AND later.as_of > made.decided_on AND later.as_of <= p_on
              AND (made.decision = 'reject' OR made.fix_id IS NOT NULL)
              AND (later.observed - later.expected) / later.window_weeks
                  >= p_grown * (known.observed - known.expected) / known.window_weeks) AS grown ON true
        LEFT JOIN LATERAL (
            SELECT bool_or(f.is_open) AS is_open,
                   CASE WHEN NOT bool_or(f.is_open)
                        THEN max((f.last_event_at AT TIME ZONE a.time_zone)::date) END AS ended_on
            FROM fix_signal l JOIN fix_file f USING (fix_id) WHERE l.signal_id = s.id) AS fix ON true
        LEFT JOIN LATERAL (SELECT min(w.as_of) AS as_of FROM signal_week w
                           WHERE w.signal_id = s.id AND fix.ended_on IS NOT NULL AND w.as_of <= p_on
                             AND w.as_of > greatest(fix.ended_on, made.decided_on)) AS back ON true
    ), waiting AS (
        SELECT stood.*, CASE
            WHEN decision IS NULL AND has_open_fix THEN NULL -- a fix took it in by itself
            WHEN decision IS NULL THEN 'new'
            WHEN decision = 'defer' AND defer_until <= p_on THEN 'day_has_come'
            WHEN grown_on IS NOT NULL THEN 'grown'
            WHEN decision = 'accept' AND back_on IS NOT NULL THEN 'fix_ended'
        END AS why FROM stood
    ), told AS (
        SELECT waiting.*, CASE
            WHEN why IS NOT NULL THEN 'to_decide'
            WHEN decision = 'defer' THEN 'snoozed'
            WHEN decision = 'reject' THEN 'silenced'
            ELSE 'taken_up'
        END AS state,
        greatest(last_seen_on, defer_until) + 7 * p_expires_after_weeks AS expires_on FROM waiting
    )
    SELECT id,
           CASE WHEN is_over THEN 'expired' ELSE told.state END,
           told.why,
           CASE WHEN is_over THEN NULL
                WHEN told.why = 'new' THEN decide_by
                WHEN told.why = 'grown' THEN grown_on + days_to_decide
                WHEN told.why = 'fix_ended' THEN back_on + days_to_decide
                ELSE defer_until END,
           told.last_seen_on,
           CASE WHEN is_over THEN expires_on END
    FROM told
    CROSS JOIN LATERAL (SELECT coalesce(told.state <> 'snoozed' AND NOT has_open_fix AND looked_on >= expires_on, false)
                        AS is_over) AS ended
$$;

REVOKE ALL ON signal_evidence FROM PUBLIC;
REVOKE ALL ON FUNCTION signal_states(date, integer, double precision) FROM PUBLIC;
GRANT SELECT, INSERT ON signal_evidence TO putright_api;
GRANT SELECT ON signal_evidence TO putright_worker;
GRANT SELECT, DELETE ON signal_evidence TO putright_disposal;
GRANT EXECUTE ON FUNCTION signal_states(date, integer, double precision) TO putright_api, putright_worker;
