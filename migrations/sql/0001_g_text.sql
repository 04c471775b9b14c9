-- What the words of complaints tell: models, what they propose, copies of one letter, what to code first, what changed.
-- All of it can be made again from the texts; nothing here is part of the record's proof, and nothing tags a case.

CREATE TABLE text_model (
    agency            text NOT NULL,
    kind              text NOT NULL CHECK (kind IN ('category', 'failure', 'likeness')),
    version           integer NOT NULL CHECK (version > 0),
    made_for          date NOT NULL,
    fitted_at         timestamptz NOT NULL,
    cases             integer NOT NULL,
    labels            integer NOT NULL,
    checked_cases     integer NOT NULL,
    accuracy          double precision,
    calibration_error double precision,
    training_hash     text NOT NULL,
    payload           bytea,
    PRIMARY KEY (agency, kind, version),
    UNIQUE (agency, kind, made_for)
);
-- Arrays of numbers hardly shrink: trying costs a second for each ten megabytes.
ALTER TABLE text_model ALTER COLUMN payload SET STORAGE EXTERNAL;

-- The likeliest codes of an issue that nobody had coded when this was made; the one chosen comes first.
CREATE TABLE text_suggestion (
    case_id   uuid NOT NULL,
    number    smallint NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('category', 'failure')),
    agency    text NOT NULL,
    version   integer NOT NULL,
    codes     text[] NOT NULL,
    chances   double precision[] NOT NULL,
    abstained boolean NOT NULL,
    words     jsonb NOT NULL,
    made_at   timestamptz NOT NULL,
    PRIMARY KEY (case_id, number, kind),
    CHECK (cardinality(codes) = cardinality(chances))
);
CREATE INDEX text_suggestion_newest ON text_suggestion (agency, kind, made_at);

-- What was read of a case, under which models (category, failure, likeness; 0: there was none), and its nearest cases.
CREATE TABLE text_read (
    case_id     uuid PRIMARY KEY,
    agency      text NOT NULL,
    models      text NOT NULL,
    issues_hash text NOT NULL,
    nearest     uuid[] NOT NULL,
    cosines     double precision[] NOT NULL,
    read_at     timestamptz NOT NULL,
    CHECK (cardinality(nearest) = cardinality(cosines))
);
CREATE INDEX text_read_of_agency ON text_read (agency, read_at);

-- Near-copies: of_case_id is the first case that came with the letter, and is itself a copy of nothing.
CREATE TABLE text_copy (
    case_id    uuid PRIMARY KEY,
    agency     text NOT NULL,
    of_case_id uuid NOT NULL,
    similarity double precision NOT NULL,
    found_at   timestamptz NOT NULL,
    CHECK (case_id <> of_case_id)
);
CREATE INDEX text_copy_of ON text_copy (agency, of_case_id);
-- Which letters had which least hashes (MinHash, banded): a row for each key of a letter, whoever sent it first.
CREATE TABLE text_band (
    agency    text NOT NULL,
    key       bigint NOT NULL,
    letter_id uuid NOT NULL,
    case_id   uuid NOT NULL,
    seen_at   timestamptz NOT NULL,
    PRIMARY KEY (agency, key, letter_id)
);
CREATE INDEX text_band_by_age ON text_band (agency, seen_at);

-- Weekly: which cases to code first, whether tags or words have changed, and failures that may need a tag.
CREATE TABLE coding_queue (
    agency       text NOT NULL,
    week         date NOT NULL,
    place        smallint NOT NULL CHECK (place BETWEEN 1 AND 20),
    case_id      uuid NOT NULL,
    number       smallint NOT NULL,
    uncertainty  double precision NOT NULL,
    distinctness double precision NOT NULL,
    PRIMARY KEY (agency, week, place)
);
CREATE TABLE text_drift (
    agency        text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('category', 'failure')),
    week          date NOT NULL,
    cases_before  integer NOT NULL,
    cases_after   integer NOT NULL,
    shares        jsonb NOT NULL,
    words         text[] NOT NULL,
    words_p_value double precision,
    made_at       timestamptz NOT NULL,
    PRIMARY KEY (agency, kind, week)
);
CREATE TABLE text_new_failure (
    agency         text NOT NULL,
    week           date NOT NULL,
    place          smallint NOT NULL CHECK (place > 0),
    case_ids       uuid[] NOT NULL,
    letter_count   integer NOT NULL,
    expected_count double precision NOT NULL,
    words          text[] NOT NULL,
    made_at        timestamptz NOT NULL,
    PRIMARY KEY (agency, week, place)
);

DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['text_model', 'text_suggestion', 'text_read', 'text_copy', 'text_band', 'coding_queue',
        'text_drift', 'text_new_failure'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format($p$CREATE POLICY own_agency ON %I
            USING (agency = nullif(current_setting('putright.agency', true), ''))
            WITH CHECK (agency = nullif(current_setting('putright.agency', true), ''))$p$, name);
    END LOOP;
END $$;

REVOKE ALL ON text_model, text_suggestion, text_read, text_copy, text_band, coding_queue, text_drift, text_new_failure
    FROM PUBLIC;
GRANT SELECT, INSERT, UPDATE (payload) ON text_model TO putright_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON text_suggestion, text_read, text_copy, text_band TO putright_worker;
GRANT SELECT, INSERT ON coding_queue TO putright_worker;
GRANT SELECT, INSERT, DELETE ON text_drift, text_new_failure TO putright_worker;
GRANT SELECT (agency, kind, version, made_for, fitted_at, cases, labels, checked_cases, accuracy, calibration_error,
    training_hash) ON text_model TO putright_api;
GRANT SELECT ON text_suggestion, text_read, text_copy, coding_queue, text_drift, text_new_failure TO putright_api;
