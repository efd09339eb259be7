-- Several processes share the integrations: each belongs to one of them by a lease.
--
-- A lease is on the integration's row (owner, epoch); it holds for as long as its owner's row in
-- carrier_sync_processes is there, so a heartbeat writes one row for all of an owner's leases. The epoch
-- counts the owners, so that a write of a former one can be told from the present one's.

ALTER TABLE carrier_integrations
    ADD COLUMN IF NOT EXISTS lease_owner text,
    ADD COLUMN IF NOT EXISTS lease_epoch bigint NOT NULL DEFAULT 0;

-- No tenant_id and no row-level security: a process serves all tenants, and nothing of theirs is here.
-- Times are the database's own: the clocks of the processes are not compared.
CREATE TABLE IF NOT EXISTS carrier_sync_processes (
    process_id text PRIMARY KEY,
    -- Where to look for it: host name and process id.
    address    text NOT NULL,
    -- It takes its part of the integrations. `carrier-sync once` does not: it goes again at once.
    shares     boolean NOT NULL,
    renewed_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
