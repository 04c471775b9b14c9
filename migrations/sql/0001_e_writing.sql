-- Writing cases: rows come as JSON, made by activities/read_model.py; one call, one round trip, one transaction.
-- These run with the caller's rights (the worker's), under row-level security.

-- The read model's rows of one case. A part that is NULL has not changed.
CREATE FUNCTION put_case(p_file jsonb, p_issues jsonb, p_tags jsonb, p_clocks jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE id uuid := (p_file ->> 'case_id')::uuid;
BEGIN
    INSERT INTO case_file SELECT * FROM jsonb_populate_record(NULL::case_file, p_file)
    ON CONFLICT (case_id) DO UPDATE SET
        state = excluded.state, stage = excluded.stage, is_open = excluded.is_open, is_history = excluded.is_history,
        sequence = excluded.sequence, last_hash = excluded.last_hash, received_at = excluded.received_at,
        sort_at = excluded.sort_at, channel = excluded.channel, service = excluded.service,
        category = excluded.category, office = excluded.office, severity = excluded.severity,
        vulnerable = excluded.vulnerable, track = excluded.track, team = excluded.team, owner = excluded.owner,
        attention = excluded.attention, event_id = excluded.event_id,
        follow_up_on = excluded.follow_up_on, due_clock = excluded.due_clock, due_at = excluded.due_at,
        queue_at = excluded.queue_at, review_round = excluded.review_round, answered_at = excluded.answered_at,
        closed_at = excluded.closed_at, last_event_at = excluded.last_event_at,
        policy_version = excluded.policy_version, snapshot = excluded.snapshot;
    IF p_issues IS NOT NULL THEN
        DELETE FROM case_issue WHERE case_id = id;
        INSERT INTO case_issue SELECT * FROM jsonb_populate_recordset(NULL::case_issue, p_issues);
    END IF;
    IF p_tags IS NOT NULL THEN
        DELETE FROM case_tag WHERE case_id = id;
        INSERT INTO case_tag SELECT * FROM jsonb_populate_recordset(NULL::case_tag, p_tags);
    END IF;
    IF p_clocks IS NOT NULL THEN
        DELETE FROM case_clock WHERE case_id = id;
        INSERT INTO case_clock SELECT * FROM jsonb_populate_recordset(NULL::case_clock, p_clocks);
    END IF;
END $$;

-- Makes texts of a case findable; with p_anew in place of what was there.
CREATE FUNCTION put_words(p_case_id uuid, p_agency text, p_sort_at timestamptz, p_reference text, p_content uuid[], p_anew boolean)
RETURNS void LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO case_search (case_id, agency, sort_at, words)
    SELECT p_case_id, p_agency, p_sort_at,
           to_tsvector('simple', p_reference) || coalesce(words_of(array_agg(body)), ''::tsvector)
    FROM content WHERE case_id = p_case_id AND id = ANY (p_content)
    ON CONFLICT (case_id) DO UPDATE SET
        words = CASE WHEN p_anew THEN excluded.words ELSE case_search.words || excluded.words END
$$;

CREATE FUNCTION add_deltas(p_cells jsonb, p_queues jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, public, pg_temp AS $$
    INSERT INTO cell_delta (agency, case_id, measure, code, service, office, channel, week, harm, vulnerable, change,
                            happened_at)
    SELECT agency, case_id, measure, code, service, office, channel, week, harm, vulnerable, change, happened_at
    FROM jsonb_populate_recordset(NULL::cell_delta, p_cells);
    INSERT INTO queue_delta (agency, case_id, queue, change)
    SELECT agency, case_id, queue, change FROM jsonb_populate_recordset(NULL::queue_delta, p_queues)
$$;

-- The next events of a case with all that follows from them, if the record ends where the caller thinks it ends and
-- holds none of the keys; else nothing, and false.
CREATE FUNCTION append_events(
    p_agency text, p_case_id uuid, p_expected_sequence integer, p_expected_hash bytea, p_events jsonb,
    p_file jsonb, p_issues jsonb, p_tags jsonb, p_clocks jsonb, p_letters jsonb, p_cells jsonb, p_queues jsonb,
    p_content uuid[]
) RETURNS boolean LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE held case_file;
BEGIN
    PERFORM set_config('putright.agency', p_agency, true);
    SELECT * INTO held FROM case_file WHERE case_id = p_case_id FOR UPDATE;
    IF coalesce(held.sequence, 0) <> p_expected_sequence
       OR (held.case_id IS NOT NULL AND held.last_hash <> p_expected_hash)
       OR EXISTS (SELECT FROM case_event WHERE case_id = p_case_id AND command_key IN
                  (SELECT event ->> 'command_key' FROM jsonb_array_elements(p_events) AS event)) THEN
        RETURN false;
    END IF;
    INSERT INTO case_event (case_id, sequence, agency, command_key, request_hash, action, actor, role, state, at,
                            canonical, hash)
    SELECT case_id, sequence, agency, command_key, request_hash, action, actor, role, state, at, canonical, hash
    FROM jsonb_populate_recordset(NULL::case_event, p_events);
    PERFORM put_case(p_file, p_issues, p_tags, p_clocks);
    IF cardinality(p_content) > 0 OR held.case_id IS NULL THEN
        PERFORM put_words(p_case_id, p_agency, (p_file ->> 'sort_at')::timestamptz, p_file ->> 'reference', p_content, false);
    END IF;
    IF jsonb_array_length(p_cells) + jsonb_array_length(p_queues) > 0 THEN
        PERFORM add_deltas(p_cells, p_queues);
    END IF;
    IF jsonb_array_length(p_letters) > 0 THEN
        INSERT INTO outbox (id, agency, case_id, sequence, letter, recipient, message_id, written_at)
        SELECT id, agency, case_id, sequence, letter, recipient, message_id, written_at
        FROM jsonb_populate_recordset(NULL::outbox, p_letters);
        INSERT INTO outbox_pending (id, agency)
        SELECT id, agency FROM jsonb_populate_recordset(NULL::outbox, p_letters);
        PERFORM pg_notify('outbox', '');
    END IF;
    RETURN true;
END $$;

REVOKE ALL ON FUNCTION put_case(jsonb, jsonb, jsonb, jsonb),
    put_words(uuid, text, timestamptz, text, uuid[], boolean), add_deltas(jsonb, jsonb),
    append_events(text, uuid, integer, bytea, jsonb, jsonb, jsonb, jsonb, jsonb, jsonb, jsonb, jsonb, uuid[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION put_case(jsonb, jsonb, jsonb, jsonb),
    put_words(uuid, text, timestamptz, text, uuid[], boolean), add_deltas(jsonb, jsonb),
    append_events(text, uuid, integer, bytea, jsonb, jsonb, jsonb, jsonb, jsonb, jsonb, jsonb, jsonb, uuid[])
    TO putright_worker;
