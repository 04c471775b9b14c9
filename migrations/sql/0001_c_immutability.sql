-- What is written stays written. The partition mover takes rows from one partition to another, as the owner only.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('putright.moving_partition', true) = 'on'
       AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

-- Content is removable, by those who dispose of records, and by nobody else.
CREATE FUNCTION refuse_content_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND (pg_has_role(current_user, 'putright_disposal', 'member')
       OR (current_setting('putright.moving_partition', true) = 'on'
           AND current_user = (SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = TG_RELID))) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['receipt', 'case_event', 'policy_version', 'cell_delta', 'queue_delta', 'audit_read',
                                'exposure', 'signal_run', 'signal_decision', 'anchor', 'anchor_case', 'account_change'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON content FOR EACH ROW EXECUTE FUNCTION refuse_content_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON content EXECUTE FUNCTION refuse_change();
-- Triggers of rows pass on to partitions, those of whole statements do not; make_partitions gives them to new ones.
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON case_event_default EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON content_default EXECUTE FUNCTION refuse_change();
