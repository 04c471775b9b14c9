-- Systemic fixes. What opens one is durable before anything else happens, as a receipt is; everything after it is
-- written by the fix's workflow. What never changes and who sees what are guarded as in 0001_c and 0001_d.

CREATE TABLE fix_opening (
    fix_id       uuid PRIMARY KEY,
    agency       text NOT NULL REFERENCES agency,
    command_key  text NOT NULL,
    request_hash bytea NOT NULL,
    opened_at    timestamptz NOT NULL,
    command      bytea NOT NULL,
    UNIQUE (agency, command_key)
);
-- Which fixes wait for their workflow; ids and agencies only.
CREATE TABLE fix_pending (
    fix_id        uuid PRIMARY KEY,
    agency        text NOT NULL,
    added_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    attempts      integer NOT NULL DEFAULT 0
);
CREATE INDEX fix_pending_by_turn ON fix_pending (claimed_until, added_at);

CREATE TABLE fix_text (
    fix_id   uuid NOT NULL,
    id       uuid NOT NULL,
    agency   text NOT NULL,
    kind     text NOT NULL,
    body     text NOT NULL CHECK (length(body) BETWEEN 1 AND 20000),
    salt     bytea NOT NULL,
    digest   bytea NOT NULL,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (fix_id, id)
);

CREATE TABLE fix_event (
    fix_id       uuid NOT NULL,
    sequence     integer NOT NULL CHECK (sequence > 0),
    agency       text NOT NULL,
    command_key  text NOT NULL,
    request_hash bytea NOT NULL,
    action       text NOT NULL,
    actor        text NOT NULL,
    role         text NOT NULL,
    state        text NOT NULL CHECK (state IN ('new', 'worked_out', 'in_hand', 'monitored', 'effective', 'closed',
                     'abandoned')),
    at           timestamptz NOT NULL,
    recorded_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    canonical    bytea NOT NULL,
    hash         bytea NOT NULL,
    PRIMARY KEY (fix_id, sequence),
    UNIQUE (fix_id, command_key)
);

-- The read model: one row a fix, rebuilt from its events at any time.
CREATE TABLE fix_file (
    fix_id        uuid PRIMARY KEY,
    agency        text NOT NULL,
    state         text NOT NULL CHECK (state IN ('new', 'worked_out', 'in_hand', 'monitored', 'effective', 'closed',
                      'abandoned')),
    is_open       boolean NOT NULL,
    sequence      integer NOT NULL,
    last_hash     bytea NOT NULL,
    title_id      uuid NOT NULL,
    owner         text NOT NULL,
    opened_at     timestamptz NOT NULL,
    attempt       smallint NOT NULL,
    changed_on    date,
    look_on       date,
    verdict       text CHECK (verdict IN ('effective', 'not_effective', 'not_yet_known')),
    last_event_at timestamptz NOT NULL,
    snapshot      jsonb NOT NULL
);
CREATE INDEX fix_file_newest ON fix_file (agency, opened_at DESC, fix_id DESC);
CREATE INDEX fix_file_open ON fix_file (agency, opened_at DESC, fix_id DESC) WHERE is_open;
-- Which signals a fix deals with.
CREATE TABLE fix_signal (
    fix_id    uuid NOT NULL,
    signal_id uuid NOT NULL REFERENCES signal,
    agency    text NOT NULL,
    PRIMARY KEY (fix_id, signal_id)
);
CREATE INDEX fix_signal_of ON fix_signal (signal_id);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['fix_opening', 'fix_event', 'fix_text'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['fix_opening', 'fix_text', 'fix_event', 'fix_file', 'fix_signal'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format($p$CREATE POLICY own_agency ON %I
            USING (agency = nullif(current_setting('putright.agency', true), ''))
            WITH CHECK (agency = nullif(current_setting('putright.agency', true), ''))$p$, name);
    END LOOP;
END $$;

-- Opens a fix with its texts in one round trip, or answers with the fix that the same key opened.
CREATE FUNCTION open_fix(
    p_agency text, p_fix_id uuid, p_key text, p_request_hash bytea, p_opened_at timestamptz, p_command bytea,
    p_text_ids uuid[], p_kinds text[], p_bodies text[], p_salts bytea[], p_digests bytea[]
) RETURNS TABLE (o_fix_id uuid, o_request_hash bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM set_config('putright.agency', p_agency, true);
    INSERT INTO fix_opening (fix_id, agency, command_key, request_hash, opened_at, command)
    VALUES (p_fix_id, p_agency, p_key, p_request_hash, p_opened_at, p_command)
    ON CONFLICT (agency, command_key) DO NOTHING;
    IF FOUND THEN
        INSERT INTO fix_text (fix_id, id, agency, kind, body, salt, digest)
        SELECT p_fix_id, t.id, p_agency, t.kind, t.body, t.salt, t.digest
        FROM unnest(p_text_ids, p_kinds, p_bodies, p_salts, p_digests) AS t (id, kind, body, salt, digest);
        INSERT INTO fix_pending (fix_id, agency) VALUES (p_fix_id, p_agency);
        PERFORM pg_notify('fix', '');
    END IF;
    RETURN QUERY SELECT f.fix_id, f.request_hash FROM fix_opening f WHERE f.agency = p_agency AND f.command_key = p_key;
END $$;

-- A text of a later action: stored once under its id; answers with what is stored.
CREATE FUNCTION put_fix_text(p_agency text, p_fix_id uuid, p_id uuid, p_kind text, p_body text, p_salt bytea, p_digest bytea)
RETURNS TABLE (o_salt bytea, o_digest bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM set_config('putright.agency', p_agency, true);
    IF NOT EXISTS (SELECT FROM fix_opening WHERE fix_id = p_fix_id AND agency = p_agency) THEN
        RAISE EXCEPTION 'no such fix in this agency' USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO fix_text (fix_id, id, agency, kind, body, salt, digest)
    VALUES (p_fix_id, p_id, p_agency, p_kind, p_body, p_salt, p_digest)
    ON CONFLICT (fix_id, id) DO NOTHING;
    RETURN QUERY SELECT t.salt, t.digest FROM fix_text t WHERE t.fix_id = p_fix_id AND t.id = p_id;
END $$;

REVOKE ALL ON fix_opening, fix_pending, fix_text, fix_event, fix_file, fix_signal FROM PUBLIC;
REVOKE ALL ON FUNCTION
    open_fix(text, uuid, text, bytea, timestamptz, bytea, uuid[], text[], text[], bytea[], bytea[]),
    put_fix_text(text, uuid, uuid, text, text, bytea, bytea) FROM PUBLIC;
GRANT SELECT ON fix_opening, fix_text TO putright_worker;
GRANT SELECT, INSERT ON fix_event TO putright_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON fix_pending, fix_file, fix_signal TO putright_worker;
GRANT SELECT ON fix_opening, fix_text, fix_event, fix_file, fix_signal TO putright_api;
GRANT EXECUTE ON FUNCTION
    open_fix(text, uuid, text, bytea, timestamptz, bytea, uuid[], text[], text[], bytea[], bytea[]),
    put_fix_text(text, uuid, uuid, text, text, bytea, bytea) TO putright_api, putright_worker;
