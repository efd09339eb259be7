-- The tables of carrier-sync in SQLite; the columns are those of migrations/postgres. Where tables of
-- these names exist they are adopted; the program adds the columns that they lack (SQLite has no
-- ADD COLUMN IF NOT EXISTS).
--
-- Times are RFC 3339 texts in UTC with six decimals and one width, so that their order is the order of
-- time. SQLite has no row-level security: every statement names the tenant.

CREATE TABLE IF NOT EXISTS tenants (
    tenant_id  TEXT PRIMARY KEY NOT NULL,
    name       TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
);

CREATE TABLE IF NOT EXISTS carrier_integrations (
    id                    TEXT PRIMARY KEY NOT NULL DEFAULT (lower(hex(randomblob(16)))),
    tenant_id             TEXT NOT NULL,
    carrier_name          TEXT NOT NULL,
    display_name          TEXT,
    enabled               INTEGER NOT NULL DEFAULT 1,
    api_key               TEXT,
    api_secret            TEXT,
    api_base_url          TEXT,
    account_id            TEXT,
    config                TEXT NOT NULL DEFAULT '{}',
    sync_enabled          INTEGER NOT NULL DEFAULT 1,
    sync_interval_minutes INTEGER NOT NULL DEFAULT 60
        CONSTRAINT carrier_integrations_interval_positive CHECK (sync_interval_minutes > 0),
    last_sync_at          TEXT,
    last_success_at       TEXT,
    last_sync_status      TEXT NOT NULL DEFAULT 'never'
        CONSTRAINT carrier_integrations_status_known
        CHECK (last_sync_status IN ('never', 'success', 'partial', 'error')),
    last_sync_error       TEXT,
    created_at            TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    updated_at            TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))
);

CREATE TABLE IF NOT EXISTS device_connections (
    tenant_id              TEXT NOT NULL,
    device_id              TEXT NOT NULL,
    carrier_integration_id TEXT,
    carrier_device_id      TEXT,
    sim_iccid              TEXT,
    sim_status             TEXT
        CONSTRAINT device_connections_sim_status_known
        CHECK (sim_status IN ('active', 'suspended', 'deactivated', 'ready', 'unknown')),
    network_status         TEXT
        CONSTRAINT device_connections_network_status_known
        CHECK (network_status IN ('connected', 'disconnected', 'suspended', 'unknown')),
    data_limit_mb          REAL,
    data_used_bytes        INTEGER
        CONSTRAINT device_connections_bytes_not_negative CHECK (data_used_bytes >= 0),
    data_used_mb           REAL,
    data_used_updated_at   TEXT,
    billing_cycle_start    TEXT,
    billing_cycle_end      TEXT,
    billing_cycle_source   TEXT
        CONSTRAINT device_connections_cycle_source_known
        CHECK (billing_cycle_source IN ('reported', 'derived')),
    created_at             TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    updated_at             TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')),
    PRIMARY KEY (tenant_id, device_id)
);
