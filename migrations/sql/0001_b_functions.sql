-- The doors: what a role may do beyond plain grants. Every one fixes its search_path and trusts no setting it has not set.

-- One round trip: the receipt with its content and key, or the first answer to the same idempotency key.
CREATE FUNCTION accept_receipt(
    p_agency text, p_case_id uuid, p_key text, p_request_hash bytea, p_reference text,
    p_accepted_at timestamptz, p_received_at timestamptz, p_facts bytea, p_wrapped_key bytea,
    p_content_ids uuid[], p_kinds text[], p_bodies text[], p_salts bytea[], p_digests bytea[]
) RETURNS TABLE (o_case_id uuid, o_request_hash bytea, o_facts bytea, o_is_new boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM set_config('putright.agency', p_agency, true);
    INSERT INTO receipt (case_id, agency, idempotency_key, request_hash, reference, accepted_at, received_at, facts)
    VALUES (p_case_id, p_agency, p_key, p_request_hash, p_reference, p_accepted_at, p_received_at, p_facts)
    ON CONFLICT (agency, idempotency_key) DO NOTHING;
    IF NOT FOUND THEN
        RETURN QUERY SELECT r.case_id, r.request_hash, r.facts, false
                     FROM receipt r WHERE r.agency = p_agency AND r.idempotency_key = p_key;
        RETURN;
    END IF;
    INSERT INTO content (case_id, id, agency, kind, body, salt, digest)
    SELECT p_case_id, c.id, p_agency, c.kind, c.body, c.salt, c.digest
    FROM unnest(p_content_ids, p_kinds, p_bodies, p_salts, p_digests) AS c (id, kind, body, salt, digest);
    INSERT INTO case_key (case_id, wrapped) VALUES (p_case_id, p_wrapped_key);
    -- In a rush one call wakes the relay for all: a notification makes commits wait for one another.
    IF NOT EXISTS (SELECT FROM receipt_pending WHERE added_at > clock_timestamp() - interval '50 milliseconds') THEN
        PERFORM pg_notify('receipt', '');
    END IF;
    INSERT INTO receipt_pending (case_id, agency) VALUES (p_case_id, p_agency);
    RETURN QUERY SELECT p_case_id, p_request_hash, p_facts, true;
END $$;

-- A text of a later action: stored once under its id; answers with what is stored.
CREATE FUNCTION put_content(p_agency text, p_case_id uuid, p_id uuid, p_kind text, p_body text, p_salt bytea, p_digest bytea)
RETURNS TABLE (o_salt bytea, o_digest bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM set_config('putright.agency', p_agency, true);
    IF NOT EXISTS (SELECT FROM receipt WHERE case_id = p_case_id AND agency = p_agency) THEN
        RAISE EXCEPTION 'no such case in this agency' USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO content (case_id, id, agency, kind, body, salt, digest)
    VALUES (p_case_id, p_id, p_agency, p_kind, p_body, p_salt, p_digest)
    ON CONFLICT (case_id, id) DO NOTHING;
    RETURN QUERY SELECT c.salt, c.digest FROM content c WHERE c.case_id = p_case_id AND c.id = p_id;
END $$;

CREATE FUNCTION case_key_of(p_case_id uuid) RETURNS TABLE (o_wrapped bytea, o_destroyed_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS
$$ SELECT wrapped, destroyed_at FROM case_key WHERE case_id = p_case_id $$;

-- Search: full-text operators are not leakproof, so under row-level security their index would go unused. The table
-- has no grants; this function filters by the agency that the session has set. The newest first, keyset by (sort_at, case_id).
CREATE FUNCTION search_cases(p_words text, p_before timestamptz, p_before_id uuid, p_limit integer)
RETURNS TABLE (o_case_id uuid, o_sort_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, public, pg_temp SET plan_cache_mode = force_custom_plan AS $$
    SELECT s.case_id, s.sort_at FROM case_search s
    WHERE s.agency = nullif(current_setting('putright.agency', true), '')
      AND s.words @@ (websearch_to_tsquery('english', p_words) || websearch_to_tsquery('simple', p_words))
      AND (p_before IS NULL OR (s.sort_at, s.case_id) < (p_before, p_before_id))
    ORDER BY s.sort_at DESC, s.case_id DESC
    LIMIT least(p_limit, 201)
$$;

-- The words of texts: with English endings cut off, and as they stand (names, other languages).
CREATE FUNCTION words_of(p_texts text[]) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog AS $$
    SELECT to_tsvector('english', array_to_string(p_texts, E'\n')) || to_tsvector('simple', array_to_string(p_texts, E'\n'))
$$;

-- Where a public reference belongs; its holder still has to show the secret.
CREATE FUNCTION case_of_reference(p_reference text) RETURNS TABLE (o_case_id uuid, o_agency text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE found_agency text;
BEGIN
    SELECT slug INTO found_agency FROM agency WHERE prefix = split_part(p_reference, '-', 1);
    PERFORM set_config('putright.agency', coalesce(found_agency, ''), true);
    RETURN QUERY SELECT case_id, agency FROM receipt WHERE reference = p_reference AND agency = found_agency;
END $$;

-- Sign-in, before the agency is known.
CREATE FUNCTION staff_of_identity(p_issuer text, p_subject text)
RETURNS TABLE (o_agency text, o_name text, o_display_name text, o_roles text[], o_teams text[])
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE found staff_identity;
BEGIN
    SELECT * INTO found FROM staff_identity WHERE issuer = p_issuer AND subject = p_subject;
    PERFORM set_config('putright.agency', coalesce(found.agency, ''), true);
    RETURN QUERY SELECT s.agency, s.name, s.display_name, s.roles, s.teams FROM staff s
                 WHERE s.agency = found.agency AND s.name = found.name AND s.is_active;
END $$;

CREATE FUNCTION holder_of_token(p_hash bytea, p_now timestamptz)
RETURNS TABLE (o_agency text, o_name text, o_display_name text, o_role text, o_teams text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE found token;
BEGIN
    SELECT * INTO found FROM token WHERE hash = p_hash AND revoked_at IS NULL AND expires_at > p_now;
    IF found.hash IS NOT NULL AND (found.last_used_at IS NULL OR found.last_used_at < p_now - interval '1 minute') THEN
        UPDATE token SET last_used_at = p_now WHERE hash = p_hash;
    END IF;
    PERFORM set_config('putright.agency', coalesce(found.agency, ''), true);
    RETURN QUERY SELECT s.agency, s.name, s.display_name, found.role, s.teams FROM staff s
                 WHERE s.agency = found.agency AND s.name = found.name AND s.is_active AND found.role = ANY (s.roles);
END $$;

CREATE FUNCTION start_session(p_hash bytea, p_agency text, p_name text, p_role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    PERFORM set_config('putright.agency', p_agency, true);
    IF NOT EXISTS (SELECT FROM staff WHERE agency = p_agency AND name = p_name AND is_active AND p_role = ANY (roles)) THEN
        RAISE EXCEPTION 'no such person in this role' USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO browser_session (hash, agency, name, role) VALUES (p_hash, p_agency, p_name, p_role);
END $$;

CREATE FUNCTION holder_of_session(p_hash bytea, p_now timestamptz, p_idle interval, p_longest interval)
RETURNS TABLE (o_agency text, o_name text, o_display_name text, o_role text, o_teams text[], o_roles text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE found browser_session;
BEGIN
    SELECT * INTO found FROM browser_session
    WHERE hash = p_hash AND ended_at IS NULL AND last_seen_at > p_now - p_idle AND started_at > p_now - p_longest;
    IF found.hash IS NOT NULL AND found.last_seen_at < p_now - interval '1 minute' THEN
        UPDATE browser_session SET last_seen_at = p_now WHERE hash = p_hash;
    END IF;
    PERFORM set_config('putright.agency', coalesce(found.agency, ''), true);
    RETURN QUERY SELECT s.agency, s.name, s.display_name, found.role, s.teams, s.roles FROM staff s
                 WHERE s.agency = found.agency AND s.name = found.name AND s.is_active AND found.role = ANY (s.roles);
END $$;

CREATE FUNCTION end_session(p_hash bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS
$$ UPDATE browser_session SET ended_at = clock_timestamp() WHERE hash = p_hash AND ended_at IS NULL $$;

-- The people that a provider vouches for, over all agencies: what the local provider, which believes anybody, offers.
CREATE FUNCTION people_of_provider(p_issuer text)
RETURNS TABLE (o_subject text, o_agency text, o_display_name text, o_roles text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE slug text;
BEGIN
    FOR slug IN SELECT DISTINCT agency FROM staff_identity WHERE issuer = p_issuer ORDER BY 1 LOOP
        PERFORM set_config('putright.agency', slug, true);
        RETURN QUERY SELECT i.subject, s.agency, s.display_name, s.roles
                     FROM staff_identity i JOIN staff s ON s.agency = i.agency AND s.name = i.name
                     WHERE i.issuer = p_issuer AND i.agency = slug AND s.is_active ORDER BY s.display_name, i.subject;
    END LOOP;
    PERFORM set_config('putright.agency', '', true);
END $$;

-- What administrators do with ways in, in the agency that the transaction has set. A token is named by its hash,
-- which signs nobody in.
CREATE FUNCTION tokens_of_agency() RETURNS TABLE (o_hash bytea, o_name text, o_role text, o_label text,
    o_made_at timestamptz, o_expires_at timestamptz, o_revoked_at timestamptz, o_last_used_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT hash, name, role, label, made_at, expires_at, revoked_at, last_used_at FROM token
    WHERE agency = nullif(current_setting('putright.agency', true), '') ORDER BY name, made_at DESC, hash
$$;

CREATE FUNCTION revoke_token(p_hash bytea, p_now timestamptz) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    UPDATE token SET revoked_at = p_now
    WHERE hash = p_hash AND agency = nullif(current_setting('putright.agency', true), '') AND revoked_at IS NULL
    RETURNING name
$$;

-- True where the provider's subject now means this person; false where it means another already.
CREATE FUNCTION put_identity(p_issuer text, p_subject text, p_name text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE own text := nullif(current_setting('putright.agency', true), '');
BEGIN
    INSERT INTO staff_identity (issuer, subject, agency, name) VALUES (p_issuer, p_subject, own, p_name)
    ON CONFLICT (issuer, subject) DO NOTHING;
    RETURN EXISTS (SELECT FROM staff_identity
                   WHERE issuer = p_issuer AND subject = p_subject AND agency = own AND name = p_name);
END $$;

-- The lower bound of all version 7 UUIDs of a moment.
CREATE FUNCTION uuid7_floor(p_at timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM p_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

-- Months of case_event and content, from the month of p_first to that of p_last. Rows that the default partition
-- took in meanwhile move into their month.
CREATE FUNCTION make_partitions(p_first date, p_last date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
-- Better to fail, and be tried again, than to queue everyone behind us.
SET search_path = pg_catalog, public, pg_temp SET timezone = 'UTC' SET lock_timeout = '4s' AS $$
DECLARE
    month date; parent text; child text; lowest uuid; highest uuid; made integer := 0;
BEGIN
    IF p_last > p_first + interval '40 years' THEN
        RAISE EXCEPTION 'more than 40 years of partitions';
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('putright.make_partitions'));
    FOR month IN SELECT generate_series(date_trunc('month', p_first::timestamp), p_last, interval '1 month')::date LOOP
        lowest := uuid7_floor(month::timestamptz);
        highest := uuid7_floor((month + interval '1 month')::timestamptz);
        FOREACH parent IN ARRAY ARRAY['case_event', 'content'] LOOP
            child := parent || to_char(month, '_YYYY_MM');
            CONTINUE WHEN to_regclass('public.' || child) IS NOT NULL;
            EXECUTE format('CREATE TABLE public.%I (LIKE public.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', child, parent);
            PERFORM set_config('putright.moving_partition', 'on', true);
            EXECUTE format('WITH moved AS (DELETE FROM public.%I WHERE case_id >= %L AND case_id < %L RETURNING *)
                            INSERT INTO public.%I SELECT * FROM moved', parent || '_default', lowest, highest, child);
            PERFORM set_config('putright.moving_partition', '', true);
            EXECUTE format('ALTER TABLE public.%I ATTACH PARTITION public.%I FOR VALUES FROM (%L) TO (%L)',
                           parent, child, lowest, highest);
            EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.%I
                            EXECUTE FUNCTION public.refuse_change()', child);
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END $$;
