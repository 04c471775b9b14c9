-- Who may do what. Roles belong to the whole server, so they may be there already. `putright migrate` lets the two
-- that processes use sign in.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['putright_worker', 'putright_api', 'putright_reporting', 'putright_disposal'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
    END LOOP;
END $$;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO putright_worker, putright_api, putright_reporting, putright_disposal;

-- Agencies: every case table answers only for the agency that the transaction has set; a forgotten filter finds nothing.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['policy_version', 'receipt', 'content', 'case_event', 'case_file', 'case_issue', 'case_tag',
        'case_clock', 'attachment', 'outbox', 'cell_delta', 'cell_day', 'queue_delta', 'queue_total', 'fold_mark',
        'audit_read', 'staff', 'problem_solving_day', 'exposure', 'signal_run', 'signal', 'signal_week', 'signal_decision', 'anchor',
        'anchor_case', 'fault', 'import_progress', 'account_change'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format($p$CREATE POLICY own_agency ON %I
            USING (agency = nullif(current_setting('putright.agency', true), ''))
            WITH CHECK (agency = nullif(current_setting('putright.agency', true), ''))$p$, name);
    END LOOP;
END $$;

-- The worker writes cases.
GRANT SELECT ON agency, policy_version, receipt, content, case_event, staff, problem_solving_day, queue_number
    TO putright_worker;
GRANT INSERT ON receipt, content, case_event, case_key, policy_version TO putright_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON receipt_pending, case_file, case_issue, case_tag, case_clock, case_search, outbox,
    outbox_pending, cell_day, queue_total, fold_mark, fault, import_progress, attachment TO putright_worker;
GRANT SELECT, INSERT ON cell_delta, queue_delta, exposure, signal_run, signal_decision, anchor, anchor_case TO putright_worker;
GRANT SELECT, INSERT, UPDATE ON signal, signal_week TO putright_worker;
GRANT EXECUTE ON FUNCTION words_of(text[]), case_key_of(uuid), make_partitions(date, date), uuid7_floor(timestamptz),
    accept_receipt(text, uuid, text, bytea, text, timestamptz, timestamptz, bytea, bytea, uuid[], text[], text[], bytea[], bytea[]),
    put_content(text, uuid, uuid, text, text, bytea, bytea) TO putright_worker;

-- The API reads cases, takes in receipts and content, and keeps registers.
GRANT SELECT ON agency, policy_version, receipt, content, case_event, case_file, case_issue, case_tag, case_clock,
    attachment, outbox, cell_delta, cell_day, queue_delta, queue_total, queue_number, fold_mark, staff, problem_solving_day, signal_run,
    signal, signal_week, signal_decision, fault, audit_read, account_change, anchor TO putright_api;
GRANT INSERT ON audit_read, signal_decision, problem_solving_day, account_change TO putright_api;
GRANT INSERT (agency, name, display_name, roles, teams), UPDATE (is_active) ON staff TO putright_api;
GRANT UPDATE (name, place, held_on, office, roster, closed_at) ON problem_solving_day TO putright_api;
GRANT EXECUTE ON FUNCTION
    accept_receipt(text, uuid, text, bytea, text, timestamptz, timestamptz, bytea, bytea, uuid[], text[], text[], bytea[], bytea[]),
    put_content(text, uuid, uuid, text, text, bytea, bytea), case_key_of(uuid),
    search_cases(text, timestamptz, uuid, integer), case_of_reference(text), staff_of_identity(text, text),
    holder_of_token(bytea, timestamptz), start_session(bytea, text, text, text),
    holder_of_session(bytea, timestamptz, interval, interval), end_session(bytea), people_of_provider(text),
    tokens_of_agency(), revoke_token(bytea, timestamptz), put_identity(text, text, text) TO putright_api;

-- Reporting reads aggregates; nothing of a single case.
GRANT SELECT ON agency, cell_day, queue_total, signal, signal_week TO putright_reporting;

-- Disposal removes content, and destroys keys.
GRANT SELECT, DELETE ON content TO putright_disposal;
GRANT SELECT ON receipt, case_file TO putright_disposal;
GRANT SELECT, UPDATE ON case_key TO putright_disposal;
