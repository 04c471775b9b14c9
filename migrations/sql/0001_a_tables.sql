-- Tables of the record. What never changes is guarded by triggers (0001_c), who sees what by 0001_d.

CREATE TABLE agency (
    slug        text PRIMARY KEY CHECK (slug ~ '^[a-z][a-z0-9-]{1,39}$'),
    prefix      text NOT NULL UNIQUE CHECK (prefix ~ '^[A-Z][A-Z0-9]{1,7}$'),
    name        text NOT NULL,
    time_zone   text NOT NULL,
    added_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE policy_version (
    agency         text NOT NULL REFERENCES agency,
    version        integer NOT NULL CHECK (version > 0),
    content_hash   text NOT NULL,
    effective_from timestamptz NOT NULL,
    document       jsonb NOT NULL,
    stored_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agency, version),
    UNIQUE (agency, content_hash, effective_from)
);

-- Receipts: durable before anything else happens.
CREATE TABLE receipt (
    case_id         uuid PRIMARY KEY,
    agency          text NOT NULL REFERENCES agency,
    idempotency_key text NOT NULL CHECK (length(idempotency_key) BETWEEN 1 AND 200),
    request_hash    bytea NOT NULL,
    reference       text NOT NULL UNIQUE,
    accepted_at     timestamptz NOT NULL,
    received_at     timestamptz,
    facts           bytea NOT NULL,
    UNIQUE (agency, idempotency_key)
);
CREATE INDEX receipt_by_acceptance ON receipt (agency, accepted_at, case_id);

-- A queue, without anything personal: which receipts still wait for their workflow.
CREATE TABLE receipt_pending (
    case_id       uuid PRIMARY KEY,
    agency        text NOT NULL,
    added_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    attempts      integer NOT NULL DEFAULT 0
);
CREATE INDEX receipt_pending_by_turn ON receipt_pending (claimed_until, added_at);
CREATE INDEX receipt_pending_newest ON receipt_pending (added_at);

-- The key of each case's Temporal payloads, wrapped by the master key. No wrapped key: destroyed.
CREATE TABLE case_key (
    case_id      uuid PRIMARY KEY,
    wrapped      bytea,
    made_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    destroyed_at timestamptz,
    CHECK ((wrapped IS NULL) = (destroyed_at IS NOT NULL))
);

-- Free texts and personal fields, apart from everything else.
CREATE TABLE content (
    case_id  uuid NOT NULL,
    id       uuid NOT NULL,
    agency   text NOT NULL,
    kind     text NOT NULL,
    body     text NOT NULL,
    salt     bytea NOT NULL,
    digest   bytea NOT NULL,
    added_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (case_id, id)
) PARTITION BY RANGE (case_id);
CREATE TABLE content_default PARTITION OF content DEFAULT;

CREATE TABLE case_event (
    case_id       uuid NOT NULL,
    sequence      integer NOT NULL CHECK (sequence > 0),
    agency        text NOT NULL,
    command_key   text NOT NULL,
    request_hash  bytea NOT NULL,
    action        text NOT NULL,
    actor         text NOT NULL,
    role          text NOT NULL,
    state         text NOT NULL CHECK (state IN ('new', 'received', 'in_triage', 'in_resolution', 'waiting_for_complainant',
                      'awaiting_approval', 'answered', 'closed', 'withdrawn', 'duplicate')),
    at            timestamptz NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    canonical     bytea NOT NULL,
    hash          bytea NOT NULL,
    PRIMARY KEY (case_id, sequence),
    UNIQUE (case_id, command_key)
) PARTITION BY RANGE (case_id);
CREATE TABLE case_event_default PARTITION OF case_event DEFAULT;
CREATE INDEX case_event_by_recording ON case_event (agency, recorded_at);

-- The read model: one row a case, its issues, tags and clocks. All of it can be rebuilt from the events.
CREATE TABLE case_file (
    case_id        uuid PRIMARY KEY,
    agency         text NOT NULL,
    reference      text NOT NULL,
    state          text NOT NULL CHECK (state IN ('new', 'received', 'in_triage', 'in_resolution', 'waiting_for_complainant',
                       'awaiting_approval', 'answered', 'closed', 'withdrawn', 'duplicate')),
    stage          text NOT NULL CHECK (stage IN ('intake', 'triage', 'resolution', 'root_cause', 'closed')),
    is_open        boolean NOT NULL,
    is_history     boolean NOT NULL,
    sequence       integer NOT NULL,
    last_hash      bytea NOT NULL,
    received_at    timestamptz,
    sort_at        timestamptz NOT NULL,
    channel        text NOT NULL,
    service        text,
    category       text,
    office         text,
    severity       smallint,
    vulnerable     boolean,
    track          text NOT NULL,
    team           text,
    owner          text,
    attention      text[] NOT NULL,
    event_id       uuid,
    follow_up_on   date,
    due_clock      text,
    due_at         timestamptz,
    queue_at       timestamptz NOT NULL,
    review_round   smallint NOT NULL,
    answered_at    timestamptz,
    closed_at      timestamptz,
    last_event_at  timestamptz NOT NULL,
    policy_version integer NOT NULL,
    snapshot       jsonb NOT NULL
);
-- Work queues: open cases, what is due first comes first (queue_at is due_at, or infinity).
CREATE INDEX case_file_queue ON case_file (agency, queue_at, case_id) WHERE is_open;
CREATE INDEX case_file_team_queue ON case_file (agency, team, queue_at, case_id) WHERE is_open;
CREATE INDEX case_file_owner_queue ON case_file (agency, owner, queue_at, case_id) WHERE is_open;
CREATE INDEX case_file_stage_queue ON case_file (agency, stage, queue_at, case_id) WHERE is_open;
-- Everything, the newest first.
CREATE INDEX case_file_newest ON case_file (agency, sort_at DESC, case_id DESC);
CREATE INDEX case_file_service ON case_file (agency, service, sort_at DESC, case_id DESC);
CREATE INDEX case_file_category ON case_file (agency, category, sort_at DESC, case_id DESC);
CREATE INDEX case_file_of_event ON case_file (agency, event_id) WHERE event_id IS NOT NULL;
CREATE INDEX case_file_by_change ON case_file (agency, last_event_at);

CREATE TABLE case_issue (
    case_id  uuid NOT NULL,
    number   smallint NOT NULL,
    agency   text NOT NULL,
    service  text,
    category text,
    finding  text,
    remedies text[] NOT NULL,
    PRIMARY KEY (case_id, number)
);

CREATE TABLE case_tag (
    case_id            uuid NOT NULL,
    number             smallint NOT NULL,
    agency             text NOT NULL,
    failure            text,
    no_failure         text,
    contributing_cause text,
    severity           smallint,
    harm               smallint,
    scope              text,
    service            text,
    office             text,
    channel            text NOT NULL,
    received_on        date,
    tagged_at          timestamptz NOT NULL,
    PRIMARY KEY (case_id, number),
    CHECK ((failure IS NULL) <> (no_failure IS NULL))
);
CREATE INDEX case_tag_by_failure ON case_tag (agency, failure, received_on) WHERE failure IS NOT NULL;

CREATE TABLE case_clock (
    case_id    uuid NOT NULL,
    run        smallint NOT NULL,
    clock      text NOT NULL,
    agency     text NOT NULL,
    started_at timestamptz NOT NULL,
    stopped_at timestamptz,
    due_at     timestamptz NOT NULL,
    is_paused  boolean NOT NULL,
    PRIMARY KEY (case_id, run)
);

CREATE TABLE case_search (
    case_id uuid PRIMARY KEY,
    agency  text NOT NULL,
    sort_at timestamptz NOT NULL,
    words   tsvector NOT NULL
);
CREATE INDEX case_search_words ON case_search USING gin (words);
CREATE INDEX case_search_newest ON case_search (agency, sort_at DESC, case_id DESC);

CREATE TABLE attachment (
    case_id    uuid NOT NULL,
    id         uuid NOT NULL,
    agency     text NOT NULL,
    name       uuid NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    sha256     bytea NOT NULL,
    state      text NOT NULL CHECK (state IN ('quarantined', 'clean', 'refused')),
    added_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (case_id, id)
);

-- Letters: the row is what is to be sent, outbox_pending whether it still waits.
CREATE TABLE outbox (
    id         uuid PRIMARY KEY,
    agency     text NOT NULL,
    case_id    uuid NOT NULL,
    sequence   integer NOT NULL,
    letter     text NOT NULL,
    recipient  text NOT NULL,
    message_id text NOT NULL UNIQUE,
    written_at timestamptz NOT NULL,
    sent_at    timestamptz,
    failure    text
);
CREATE INDEX outbox_of_case ON outbox (case_id, sequence);
CREATE TABLE outbox_pending (
    id            uuid PRIMARY KEY,
    agency        text NOT NULL,
    added_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    attempts      integer NOT NULL DEFAULT 0
);
CREATE INDEX outbox_pending_by_turn ON outbox_pending (claimed_until, added_at);

-- Aggregates: deltas written with the event, folded in the background. A delta counts once: below the mark of
-- fold_mark it is in the total, from it on it is added when reading. xid orders them by visibility, not by arrival.
CREATE TABLE cell_delta (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency      text NOT NULL,
    case_id     uuid NOT NULL,
    measure     text NOT NULL CHECK (measure IN ('cause', 'intake')),
    code        text NOT NULL,
    service     text NOT NULL,
    office      text NOT NULL,
    channel     text NOT NULL,
    week        date NOT NULL,
    harm        smallint,
    vulnerable  boolean,
    change      smallint NOT NULL CHECK (change <> 0),
    happened_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX cell_delta_unfolded ON cell_delta (agency, xid);
CREATE INDEX cell_delta_of_case ON cell_delta (case_id);
CREATE INDEX cell_delta_of_week ON cell_delta (agency, measure, week);
CREATE TABLE cell_day (
    agency      text NOT NULL,
    measure     text NOT NULL,
    code        text NOT NULL,
    service     text NOT NULL,
    office      text NOT NULL,
    channel     text NOT NULL,
    week        date NOT NULL,
    happened_on date NOT NULL,
    total       integer NOT NULL,
    PRIMARY KEY (agency, measure, code, service, office, channel, week, happened_on)
);
CREATE TABLE queue_delta (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency      text NOT NULL,
    case_id     uuid NOT NULL,
    queue       text NOT NULL,
    change      smallint NOT NULL CHECK (change <> 0),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    xid         xid8 NOT NULL DEFAULT pg_current_xact_id()
);
CREATE INDEX queue_delta_unfolded ON queue_delta (agency, xid);
CREATE INDEX queue_delta_of_case ON queue_delta (case_id);
CREATE TABLE queue_total (
    agency text NOT NULL,
    queue  text NOT NULL,
    total  integer NOT NULL,
    PRIMARY KEY (agency, queue)
);
CREATE TABLE fold_mark (
    agency       text NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('cell', 'queue')),
    folded_below xid8 NOT NULL,
    PRIMARY KEY (agency, kind)
);
-- How many cases stand in a queue is the sum of its numbers here: what is folded, and each delta that is not yet. As one
-- statement it sees total and mark of the same moment; between two, a fold would count some twice.
CREATE VIEW queue_number WITH (security_invoker = true) AS
    SELECT agency, queue, total AS number FROM queue_total
    UNION ALL
    SELECT d.agency, d.queue, d.change FROM agency a
    LEFT JOIN fold_mark m ON m.agency = a.slug AND m.kind = 'queue'
    JOIN queue_delta d ON d.agency = a.slug AND d.xid >= coalesce(m.folded_below, '0'::xid8);

-- Who looked at what.
CREATE TABLE audit_read (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency  text NOT NULL,
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor   text NOT NULL,
    role    text NOT NULL,
    what    text NOT NULL CHECK (what IN ('case', 'events', 'fix', 'list', 'search', 'signal', 'track')),
    case_id uuid,
    filter  jsonb
);
CREATE INDEX audit_read_of_case ON audit_read (agency, case_id, at);
CREATE INDEX audit_read_newest ON audit_read (agency, at, id);
CREATE INDEX audit_read_of_person ON audit_read (agency, actor, at, id);

-- People and their ways in. Sign-in happens before the agency is known: these three are reached by functions only.
CREATE TABLE staff (
    agency       text NOT NULL REFERENCES agency,
    name         text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,79}$'),
    display_name text NOT NULL,
    email        text,
    roles        text[] NOT NULL CHECK (cardinality(roles) > 0),
    teams        text[] NOT NULL DEFAULT '{}',
    is_active    boolean NOT NULL DEFAULT true,
    PRIMARY KEY (agency, name)
);
CREATE TABLE staff_identity (
    issuer  text NOT NULL,
    subject text NOT NULL,
    agency  text NOT NULL,
    name    text NOT NULL,
    PRIMARY KEY (issuer, subject),
    FOREIGN KEY (agency, name) REFERENCES staff
);
CREATE TABLE token (
    hash       bytea PRIMARY KEY,
    agency     text NOT NULL,
    name       text NOT NULL,
    role       text NOT NULL,
    label      text NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    last_used_at timestamptz,
    FOREIGN KEY (agency, name) REFERENCES staff
);
-- Who gave or took away a way in: written with the change itself, never altered.
CREATE TABLE account_change (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency       text NOT NULL,
    at           timestamptz NOT NULL,
    actor        text NOT NULL,
    what_changed text NOT NULL CHECK (what_changed IN ('added', 'closed', 'opened', 'token_revoked')),
    name         text NOT NULL,
    detail       jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX account_change_newest ON account_change (agency, at, id);

CREATE TABLE browser_session (
    hash         bytea PRIMARY KEY,
    agency       text NOT NULL,
    name         text NOT NULL,
    role         text NOT NULL,
    started_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at     timestamptz,
    FOREIGN KEY (agency, name) REFERENCES staff
);

-- Problem Solving Days.
CREATE TABLE problem_solving_day (
    id        uuid PRIMARY KEY,
    agency    text NOT NULL REFERENCES agency,
    name      text NOT NULL,
    place     text NOT NULL,
    held_on   date NOT NULL,
    office    text,
    roster    text[] NOT NULL DEFAULT '{}',
    made_by   text NOT NULL,
    made_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz
);
CREATE INDEX problem_solving_day_by_date ON problem_solving_day (agency, held_on DESC);

-- How many people a service served at an office in a week; what is told anew stands beside what was told before.
CREATE TABLE exposure (
    agency      text NOT NULL,
    service     text NOT NULL,
    office      text NOT NULL,
    week        date NOT NULL CHECK (extract(isodow FROM week) = 1),
    served      integer NOT NULL CHECK (served >= 0),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agency, service, office, week, recorded_at)
);

-- Root causes: runs, signals, what each week added, and the decisions.
CREATE TABLE signal_run (
    agency      text NOT NULL,
    as_of       date NOT NULL,
    inputs_hash text NOT NULL,
    settings    jsonb NOT NULL,
    cells       integer NOT NULL,
    ran_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agency, as_of, inputs_hash)
);
CREATE TABLE signal (
    id         uuid PRIMARY KEY,
    agency     text NOT NULL,
    measure    text NOT NULL,
    kind       text NOT NULL DEFAULT 'surge' CHECK (kind IN ('surge', 'standing', 'creep')),
    code       text,
    family     text,
    service    text,
    region     text,
    office     text,
    channel    text,
    began_week date NOT NULL,
    raised_on  date NOT NULL,
    decide_by  date NOT NULL
);
CREATE INDEX signal_newest ON signal (agency, raised_on DESC, id);
CREATE TABLE signal_week (
    signal_id   uuid NOT NULL REFERENCES signal,
    as_of       date NOT NULL,
    agency      text NOT NULL,
    inputs_hash text NOT NULL,
    observed    integer NOT NULL,
    expected    double precision NOT NULL,
    threshold   integer NOT NULL,
    p_value     double precision NOT NULL,
    q_value     double precision NOT NULL,
    window_weeks smallint NOT NULL,
    sentences   text[] NOT NULL,
    evidence    jsonb NOT NULL,
    PRIMARY KEY (signal_id, as_of)
);
CREATE TABLE signal_decision (
    id          uuid PRIMARY KEY,
    signal_id   uuid NOT NULL REFERENCES signal,
    agency      text NOT NULL,
    decision    text NOT NULL CHECK (decision IN ('accept', 'reject', 'defer')),
    reason      text NOT NULL CHECK (length(reason) BETWEEN 1 AND 4000),
    defer_until date,
    decided_by  text NOT NULL,
    decided_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    command_key text NOT NULL,
    request_hash bytea NOT NULL,
    fix_id      uuid, -- the fix that deals with it already, where its cause was known
    UNIQUE (agency, command_key),
    CHECK ((decision = 'defer') = (defer_until IS NOT NULL)),
    CHECK (fix_id IS NULL OR decision = 'accept')
);
CREATE INDEX signal_decision_of ON signal_decision (signal_id, decided_at DESC);

-- Proof: a daily anchor chains the last event of every case and fix touched and the day's receipt count.
CREATE TABLE anchor (
    agency        text NOT NULL,
    day           date NOT NULL,
    receipt_count integer NOT NULL,
    case_count    integer NOT NULL,
    fix_count     integer NOT NULL DEFAULT 0,
    hash          bytea NOT NULL,
    made_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agency, day)
);
CREATE TABLE anchor_case (
    agency   text NOT NULL,
    day      date NOT NULL,
    case_id  uuid NOT NULL,
    sequence integer NOT NULL,
    hash     bytea NOT NULL,
    PRIMARY KEY (agency, day, case_id)
);

-- What went wrong and waits for a person.
CREATE TABLE fault (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    agency   text NOT NULL,
    case_id  uuid NOT NULL,
    kind     text NOT NULL,
    detail   text NOT NULL,
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cleared_at timestamptz
);
CREATE UNIQUE INDEX fault_open ON fault (agency, case_id, kind) WHERE cleared_at IS NULL;

-- How far an import has come: every row up to this one is durable.
CREATE TABLE import_progress (
    agency      text NOT NULL,
    source      text NOT NULL,
    file_sha256 bytea NOT NULL,
    rows_done   bigint NOT NULL,
    changed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (agency, source, file_sha256)
);
