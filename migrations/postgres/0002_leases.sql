-- Several processes share the integrations: each belongs to one of them by a lease.
--
-- A lease is on the integration's row (owner, epoch); it holds for as long as its owner's heartbeat
-- does, which is one row for all of an owner's leases. The epoch counts the owners, so that a write of a
-- former one can be told from the present one's.

ALTER TABLE carrier_integrations
    ADD COLUMN IF NOT EXISTS lease_owner text,
    ADD COLUMN IF NOT EXISTS lease_epoch bigint NOT NULL DEFAULT 0;

-- Times are the database's own: the clocks of the processes are not compared.
CREATE TABLE IF NOT EXISTS carrier_sync_processes (
    process_id text PRIMARY KEY,
    -- Where to look for it: host name and process id.
    address    text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
