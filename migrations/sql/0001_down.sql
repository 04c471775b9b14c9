DROP VIEW queue_number;
DROP FUNCTION signal_states(date, integer, double precision);
DROP TABLE signal_evidence;
DROP TABLE text_new_failure, text_drift, coding_queue, text_band, text_copy, text_read, text_suggestion, text_model;
DROP TABLE anchor_fix, fix_alert, signal_escalation, affected_pending, affected_person, affected_list;
DROP FUNCTION list_affected(text, uuid, uuid, text, bytea, text, timestamptz, jsonb),
    complainants_in(jsonb, date, date), person_of(jsonb, text), keep_affected_person(), keep_affected_list();
DROP TABLE fix_signal, fix_file, fix_event, fix_text, fix_pending, fix_opening;
DROP FUNCTION open_fix(text, uuid, text, bytea, timestamptz, bytea, uuid[], text[], text[], bytea[], bytea[]),
    put_fix_text(text, uuid, uuid, text, text, bytea, bytea);
DROP TABLE account_change, import_progress, fault, anchor_case, anchor, signal_decision, signal_week, signal, signal_run, exposure,
    problem_solving_day, browser_session, token, staff_identity, staff, audit_read, fold_mark, queue_total, queue_delta,
    cell_day, cell_delta, outbox_pending, outbox, attachment, case_search, case_clock, case_tag, case_issue, case_file,
    case_event, content, case_key, receipt_pending, receipt, policy_version, agency;
DROP FUNCTION append_events(text, uuid, integer, bytea, jsonb, jsonb, jsonb, jsonb, jsonb, jsonb, jsonb, jsonb, uuid[]),
    add_deltas(jsonb, jsonb), put_words(uuid, text, timestamptz, text, uuid[], boolean),
    put_case(jsonb, jsonb, jsonb, jsonb), make_partitions(date, date), uuid7_floor(timestamptz), put_identity(text, text, text),
    revoke_token(bytea, timestamptz), tokens_of_agency(), people_of_provider(text), end_session(bytea),
    holder_of_session(bytea, timestamptz, interval, interval), start_session(bytea, text, text, text),
    holder_of_token(bytea, timestamptz), staff_of_identity(text, text), case_of_reference(text),
    words_of(text[]), search_cases(text, timestamptz, uuid, integer), case_key_of(uuid),
    put_content(text, uuid, uuid, text, text, bytea, bytea),
    accept_receipt(text, uuid, text, bytea, text, timestamptz, timestamptz, bytea, bytea, uuid[], text[], text[], bytea[], bytea[]),
    refuse_change(), refuse_content_change();
