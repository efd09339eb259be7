-- The history of syncs: one row for each that ran to its end, written with its outcome, and forgotten after
-- what the configuration says is kept.

CREATE TABLE IF NOT EXISTS sync_runs (
    tenant_id      text NOT NULL,
    -- The id's text, whatever its type is in an adopted table.
    integration_id text NOT NULL,
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz NOT NULL,
    outcome        text NOT NULL
        CONSTRAINT sync_runs_outcome_known CHECK (outcome IN ('success', 'partial', 'error')),
    -- Linked devices; those brought up to date; those not.
    devices        bigint NOT NULL,
    synced         bigint NOT NULL,
    failed         bigint NOT NULL,
    -- Retries and purchases of tokens included.
    carrier_calls  bigint NOT NULL,
    -- Milliseconds that calls waited for permits, all together.
    throttled_ms   bigint NOT NULL,
    error          text,
    -- The first failing devices: [{"device_id": …, "reason": …}].
    failures       jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (tenant_id, integration_id, started_at)
);

-- For the list of all runs, the latest first.
CREATE INDEX IF NOT EXISTS carrier_sync_sync_runs_started
    ON sync_runs (started_at, tenant_id, integration_id);
