-- The history of syncs; as in migrations/postgres.

CREATE TABLE IF NOT EXISTS sync_runs (
    tenant_id      TEXT NOT NULL,
    integration_id TEXT NOT NULL,
    started_at     TEXT NOT NULL,
    finished_at    TEXT NOT NULL,
    outcome        TEXT NOT NULL
        CONSTRAINT sync_runs_outcome_known CHECK (outcome IN ('success', 'partial', 'error')),
    -- Linked devices; those brought up to date; those not.
    devices        INTEGER NOT NULL,
    synced         INTEGER NOT NULL,
    failed         INTEGER NOT NULL,
    -- Retries and purchases of tokens included.
    carrier_calls  INTEGER NOT NULL,
    -- Milliseconds that calls waited for permits, all together.
    throttled_ms   INTEGER NOT NULL,
    error          TEXT,
    -- The first failing devices: [{"device_id": …, "reason": …}].
    failures       TEXT NOT NULL DEFAULT '[]',
    PRIMARY KEY (tenant_id, integration_id, started_at)
);

-- For the list of all runs, the latest first.
CREATE INDEX IF NOT EXISTS carrier_sync_sync_runs_started
    ON sync_runs (started_at, tenant_id, integration_id);
