-- What each integration has called, for its budgets per day and month; as in migrations/postgres.

CREATE TABLE IF NOT EXISTS carrier_calls (
    tenant_id      TEXT NOT NULL,
    integration_id TEXT NOT NULL,
    -- UTC's, as YYYY-MM-DD: the order of the texts is the order of the days.
    day            TEXT NOT NULL,
    -- Made or booked.
    calls          INTEGER NOT NULL DEFAULT 0,
    -- The last booking; NULL once it has ended.
    booking        INTEGER,
    -- How many of the calls it holds.
    booked         INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, integration_id, day)
);
