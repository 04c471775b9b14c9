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
CREATE INDEX fix_event_by_recording ON fix_event (agency, recorded_at);
-- The last event of every fix touched on a day, part of the day's anchor.
CREATE TABLE anchor_fix (
    agency   text NOT NULL,
    day      date NOT NULL,
    fix_id   uuid NOT NULL,
    sequence integer NOT NULL,
    hash     bytea NOT NULL,
    PRIMARY KEY (agency, day, fix_id)
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

-- Whom a failure affected: lists of people, each of whom is helped once. A list made by a person begins with the fix's
-- event that names it; one of an occasion (complainants are told) is drawn from the fix's cases when it begins.
CREATE TABLE affected_list (
    list_id         uuid PRIMARY KEY,
    agency          text NOT NULL REFERENCES agency,
    fix_id          uuid NOT NULL,
    help            text NOT NULL CHECK (help IN ('notify', 'remedy')),
    occasion        text CHECK (occasion IN ('accepted', 'judged')),
    source_id       uuid,
    words_id        uuid,
    people_count    integer NOT NULL CHECK (people_count >= 0),
    request_hash    bytea,
    added_by        text NOT NULL,
    added_at        timestamptz NOT NULL,
    drawn_at        timestamptz,
    begun_at        timestamptz,
    finished_at     timestamptz,
    done_count      integer NOT NULL DEFAULT 0,
    posted_count    integer NOT NULL DEFAULT 0,
    exception_count integer NOT NULL DEFAULT 0
);
CREATE INDEX affected_list_of_fix ON affected_list (fix_id, added_at);
CREATE TABLE affected_person (
    list_id      uuid NOT NULL REFERENCES affected_list,
    number       integer NOT NULL CHECK (number > 0),
    agency       text NOT NULL,
    case_id      uuid,
    contact      jsonb,
    language     text NOT NULL,
    remedy       text,
    amount_cents integer CHECK (amount_cents > 0),
    authority    text,
    attempts     smallint NOT NULL DEFAULT 0,
    result       text CHECK (result IN ('done', 'exception')),
    reason       text,
    message_id   text,
    done_at      timestamptz,
    PRIMARY KEY (list_id, number),
    CHECK ((result IS NULL) = (done_at IS NULL)),
    CHECK ((reason IS NOT NULL) = (result IS NOT NULL AND result = 'exception')),
    CHECK ((amount_cents IS NULL) = (authority IS NULL))
);
CREATE INDEX affected_person_waiting ON affected_person (list_id, attempts, number) WHERE result IS NULL;
CREATE INDEX affected_person_of_case ON affected_person (case_id) WHERE case_id IS NOT NULL;
CREATE INDEX affected_person_exceptions ON affected_person (list_id, number) WHERE result = 'exception';
CREATE UNIQUE INDEX affected_person_once ON affected_person (list_id, lower(contact ->> 'email'))
    WHERE contact ->> 'email' <> '';
-- Which lists wait for their workflow; ids and agencies only.
CREATE TABLE affected_pending (
    list_id       uuid PRIMARY KEY,
    agency        text NOT NULL,
    added_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    attempts      integer NOT NULL DEFAULT 0
);
CREATE INDEX affected_pending_by_turn ON affected_pending (claimed_until, added_at);

-- Letters to the accountable executive: a signal nobody decided on in time, a fix that does not work or no longer does.
CREATE TABLE signal_escalation (
    signal_id  uuid NOT NULL REFERENCES signal,
    due_on     date NOT NULL,
    agency     text NOT NULL,
    message_id text NOT NULL UNIQUE,
    told_at    timestamptz NOT NULL,
    PRIMARY KEY (signal_id, due_on)
);
CREATE TABLE fix_alert (
    fix_id     uuid NOT NULL,
    sequence   integer NOT NULL,
    agency     text NOT NULL,
    message_id text NOT NULL UNIQUE,
    told_at    timestamptz NOT NULL,
    PRIMARY KEY (fix_id, sequence)
);

-- What is said of an affected person is said once; the way to reach them can be removed, by disposal alone. A list that
-- no event of its fix has begun promises nothing, and leaves with its people.
CREATE FUNCTION keep_affected_person() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND EXISTS (SELECT FROM affected_list l WHERE l.list_id = OLD.list_id AND l.begun_at IS NULL) THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE'
       AND (NEW.list_id, NEW.number, NEW.agency, NEW.case_id, NEW.language, NEW.remedy, NEW.amount_cents, NEW.authority)
           IS NOT DISTINCT FROM
           (OLD.list_id, OLD.number, OLD.agency, OLD.case_id, OLD.language, OLD.remedy, OLD.amount_cents, OLD.authority)
       AND (OLD.result IS NULL OR (NEW.result, NEW.reason, NEW.message_id, NEW.done_at, NEW.attempts)
                IS NOT DISTINCT FROM (OLD.result, OLD.reason, OLD.message_id, OLD.done_at, OLD.attempts))
       AND (NEW.contact IS NOT DISTINCT FROM OLD.contact
            OR (NEW.contact IS NULL AND pg_has_role(current_user, 'putright_disposal', 'member'))) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'affected_person is append-only but for each result, once' USING ERRCODE = 'restrict_violation';
END $$;
CREATE FUNCTION keep_affected_list() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.begun_at IS NULL THEN
        RETURN OLD;
    END IF;
    IF TG_OP = 'UPDATE'
       AND (NEW.list_id, NEW.agency, NEW.fix_id, NEW.help, NEW.occasion, NEW.request_hash, NEW.added_by, NEW.added_at)
           IS NOT DISTINCT FROM
           (OLD.list_id, OLD.agency, OLD.fix_id, OLD.help, OLD.occasion, OLD.request_hash, OLD.added_by, OLD.added_at)
       AND (OLD.drawn_at IS NULL
            OR (NEW.drawn_at, NEW.people_count) IS NOT DISTINCT FROM (OLD.drawn_at, OLD.people_count))
       AND (OLD.begun_at IS NULL OR (NEW.begun_at, NEW.words_id, NEW.source_id)
                IS NOT DISTINCT FROM (OLD.begun_at, OLD.words_id, OLD.source_id))
       AND (OLD.finished_at IS NULL OR NEW IS NOT DISTINCT FROM OLD) THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'affected_list is append-only but for how far it has come' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON affected_person
    FOR EACH ROW EXECUTE FUNCTION keep_affected_person();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON affected_list FOR EACH ROW EXECUTE FUNCTION keep_affected_list();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON affected_person EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON affected_list EXECUTE FUNCTION refuse_change();

-- The words of a fix leave by disposal alone, as those of a case do.
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON fix_text FOR EACH ROW EXECUTE FUNCTION refuse_content_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON fix_text EXECUTE FUNCTION refuse_change();

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['fix_opening', 'fix_event', 'signal_escalation', 'fix_alert',
        'anchor_fix'] LOOP
        EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION refuse_change()', name);
        EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %I EXECUTE FUNCTION refuse_change()', name);
    END LOOP;
    FOREACH name IN ARRAY ARRAY['fix_opening', 'fix_text', 'fix_event', 'fix_file', 'fix_signal', 'affected_list',
        'affected_person', 'signal_escalation', 'fix_alert', 'anchor_fix'] LOOP
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

-- Who a contact is of: two are of one person where both name one e-mail address, or else one name and postal address.
-- One that names neither is nobody else's, whatever is handed in to call it. Without a path of its own: it is inlined.
CREATE FUNCTION person_of(p_contact jsonb, p_otherwise text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(nullif(lower(p_contact ->> 'email'), ''),
                    lower(nullif(p_contact ->> 'post', '') || E'\n' || coalesce(p_contact ->> 'name', '')),
                    p_otherwise)
$$;

-- A list of people, stored once under its id with all of them, of each person the first; answers with what is stored.
-- Nobody is written to before the fix's event names the list. p_people: [{"case_id", "contact", "language", "remedy", "amount_cents",
-- "authority"}, …], in their order.
CREATE FUNCTION list_affected(
    p_agency text, p_list_id uuid, p_fix_id uuid, p_help text, p_request_hash bytea, p_added_by text,
    p_added_at timestamptz, p_people jsonb
) RETURNS TABLE (o_request_hash bytea, o_people_count integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE once_each jsonb[];
BEGIN
    PERFORM set_config('putright.agency', p_agency, true);
    IF NOT EXISTS (SELECT FROM fix_opening WHERE fix_id = p_fix_id AND agency = p_agency) THEN
        RAISE EXCEPTION 'no such fix in this agency' USING ERRCODE = 'no_data_found';
    END IF;
    SELECT coalesce(array_agg(kept.person ORDER BY kept.number), '{}') INTO once_each FROM (
        SELECT DISTINCT ON (person_of(p.person -> 'contact', 'number ' || p.number)) p.person, p.number
        FROM jsonb_array_elements(p_people) WITH ORDINALITY AS p (person, number)
        ORDER BY person_of(p.person -> 'contact', 'number ' || p.number), p.number) AS kept;
    INSERT INTO affected_list (list_id, agency, fix_id, help, people_count, request_hash, added_by, added_at, drawn_at)
    VALUES (p_list_id, p_agency, p_fix_id, p_help, cardinality(once_each), p_request_hash, p_added_by, p_added_at,
            p_added_at)
    ON CONFLICT (list_id) DO NOTHING;
    IF FOUND THEN
        INSERT INTO affected_person (list_id, number, agency, case_id, contact, language, remedy, amount_cents, authority)
        SELECT p_list_id, p.number, p_agency, (p.person ->> 'case_id')::uuid, p.person -> 'contact',
               p.person ->> 'language', p.person ->> 'remedy', (p.person ->> 'amount_cents')::integer,
               p.person ->> 'authority'
        FROM unnest(once_each) WITH ORDINALITY AS p (person, number);
    END IF;
    RETURN QUERY SELECT l.request_hash, l.people_count FROM affected_list l
                 WHERE l.list_id = p_list_id AND l.agency = p_agency;
END $$;

-- The complainants of the transaction's agency whose complaints are counted in one of the cells and were received in
-- these days, each person once, also who cannot be reached. With the caller's rights, under row-level security.
-- p_cells: [{"measure", "codes", "other_than", "service", "office", "channel"}, …]; what is NULL means all.
CREATE FUNCTION complainants_in(p_cells jsonb, p_from date, p_until date)
RETURNS TABLE (o_case_id uuid, o_contact jsonb, o_language text)
LANGUAGE sql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT DISTINCT ON (told.who) told.case_id, told.contact, told.language
    -- The planner may look at other texts first, and those are no JSON.
    FROM (SELECT f.case_id, f.office, f.service, f.channel, known.contact,
                 person_of(known.contact, f.case_id::text) AS who,
                 f.snapshot #>> '{receipt,language}' AS language
          FROM case_file f
          LEFT JOIN content c ON c.case_id = f.case_id AND c.id = (f.snapshot #>> '{receipt,contact,id}')::uuid
          CROSS JOIN LATERAL (SELECT CASE WHEN c.kind = 'contact' THEN c.body::jsonb END AS contact) AS known
          WHERE f.agency = nullif(current_setting('putright.agency', true), '')
            -- A day more at either end than any time zone needs; the date of receipt decides.
            AND f.sort_at >= (p_from - 1)::timestamptz AND f.sort_at < (p_until + 2)::timestamptz
            AND f.state <> 'duplicate'
            AND (f.snapshot #>> '{receipt,received_on}')::date BETWEEN p_from AND p_until) AS told
    WHERE EXISTS (
        SELECT FROM jsonb_to_recordset(p_cells)
            AS cell (measure text, codes text[], other_than text[], service text, office text, channel text)
        WHERE (cell.measure = 'cause' AND EXISTS (
                SELECT FROM case_tag t
                WHERE t.case_id = told.case_id AND t.failure IS NOT NULL
                  AND (cell.codes IS NULL OR t.failure = ANY (cell.codes))
                  AND (cell.other_than IS NULL OR t.failure <> ALL (cell.other_than))
                  AND (cell.service IS NULL OR t.service = cell.service)
                  AND (cell.office IS NULL OR t.office = cell.office)
                  AND (cell.channel IS NULL OR t.channel = cell.channel)))
           OR (cell.measure = 'intake' AND (cell.office IS NULL OR told.office = cell.office)
               AND (cell.channel IS NULL OR told.channel = cell.channel) AND EXISTS (
                SELECT FROM case_issue i
                WHERE i.case_id = told.case_id
                  AND (cell.codes IS NULL OR coalesce(i.category, 'not_stated') = ANY (cell.codes))
                  AND (cell.service IS NULL OR coalesce(i.service, told.service) = cell.service))))
    ORDER BY told.who, told.case_id
$$;

REVOKE ALL ON affected_list, affected_person, affected_pending, signal_escalation, fix_alert, anchor_fix FROM PUBLIC;
REVOKE ALL ON FUNCTION keep_affected_person(), keep_affected_list(), person_of(jsonb, text),
    complainants_in(jsonb, date, date),
    list_affected(text, uuid, uuid, text, bytea, text, timestamptz, jsonb) FROM PUBLIC;
GRANT SELECT, INSERT ON affected_list, affected_person, signal_escalation, fix_alert, anchor_fix TO putright_worker;
GRANT UPDATE (source_id, words_id, people_count, drawn_at, begun_at, finished_at, done_count, posted_count,
              exception_count) ON affected_list TO putright_worker;
GRANT UPDATE (attempts, result, reason, message_id, done_at) ON affected_person TO putright_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON affected_pending TO putright_worker;
GRANT SELECT ON affected_list, affected_person, signal_escalation, fix_alert TO putright_api;
GRANT DELETE ON affected_list, affected_person TO putright_worker;
GRANT SELECT, UPDATE (contact) ON affected_person TO putright_disposal;
GRANT SELECT, DELETE ON fix_text TO putright_disposal;
GRANT EXECUTE ON FUNCTION person_of(jsonb, text), complainants_in(jsonb, date, date) TO putright_api, putright_worker;
GRANT EXECUTE ON FUNCTION list_affected(text, uuid, uuid, text, bytea, text, timestamptz, jsonb) TO putright_api;
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
