-- The tables of carrier-sync. Where a platform has tables of these names already, they are adopted:
-- missing columns are added, nothing is renamed, converted or dropped. (Columns of a type that
-- carrier-sync cannot use are refused before this file runs.)
--
-- No foreign keys: an adopted platform keeps its own, and an orphaned row does no harm here (a device
-- whose integration is gone is simply not synced).
--
-- No CHECK is added to a column that is there already: a stored value that breaks it would make the
-- row unwritable, and so cost it the usage as well.

CREATE TABLE IF NOT EXISTS tenants (
    tenant_id  text PRIMARY KEY,
    name       text,
    created_at timestamptz NOT NULL DEFAULT now()
);

ALTER TABLE tenants
    ADD COLUMN IF NOT EXISTS name       text,
    ADD COLUMN IF NOT EXISTS created_at timestamptz NOT NULL DEFAULT now();

CREATE TABLE IF NOT EXISTS carrier_integrations (
    id           text PRIMARY KEY DEFAULT gen_random_uuid()::text,
    tenant_id    text NOT NULL,
    carrier_name text NOT NULL
);

ALTER TABLE carrier_integrations
    ADD COLUMN IF NOT EXISTS display_name          text,
    ADD COLUMN IF NOT EXISTS enabled               boolean NOT NULL DEFAULT true,
    ADD COLUMN IF NOT EXISTS api_key               text,
    ADD COLUMN IF NOT EXISTS api_secret            text,
    ADD COLUMN IF NOT EXISTS api_base_url          text,
    ADD COLUMN IF NOT EXISTS account_id            text,
    ADD COLUMN IF NOT EXISTS config                jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS sync_enabled          boolean NOT NULL DEFAULT true,
    ADD COLUMN IF NOT EXISTS sync_interval_minutes integer NOT NULL DEFAULT 60
        CONSTRAINT carrier_integrations_interval_positive CHECK (sync_interval_minutes > 0),
    ADD COLUMN IF NOT EXISTS last_sync_at          timestamptz,
    ADD COLUMN IF NOT EXISTS last_success_at       timestamptz,
    ADD COLUMN IF NOT EXISTS last_sync_status      text NOT NULL DEFAULT 'never'
        CONSTRAINT carrier_integrations_status_known
        CHECK (last_sync_status IN ('never', 'success', 'partial', 'error')),
    ADD COLUMN IF NOT EXISTS last_sync_error       text,
    ADD COLUMN IF NOT EXISTS created_at            timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at            timestamptz NOT NULL DEFAULT now();

-- Every sync rewrites every row of an account. With room left in its page and no index on a column
-- that changes, the new version goes next to the old one and no index is touched (HOT).
CREATE TABLE IF NOT EXISTS device_connections (
    tenant_id text NOT NULL,
    device_id text NOT NULL,
    PRIMARY KEY (tenant_id, device_id)
) WITH (fillfactor = 75);

ALTER TABLE device_connections
    ADD COLUMN IF NOT EXISTS carrier_integration_id text,
    ADD COLUMN IF NOT EXISTS carrier_device_id      text,
    ADD COLUMN IF NOT EXISTS sim_iccid              text,
    ADD COLUMN IF NOT EXISTS sim_status             text
        CONSTRAINT device_connections_sim_status_known
        CHECK (sim_status IN ('active', 'suspended', 'deactivated', 'ready', 'unknown')),
    ADD COLUMN IF NOT EXISTS network_status         text
        CONSTRAINT device_connections_network_status_known
        CHECK (network_status IN ('connected', 'disconnected', 'suspended', 'unknown')),
    ADD COLUMN IF NOT EXISTS data_limit_mb          numeric,
    -- Exact; data_used_mb is the same figure for people.
    ADD COLUMN IF NOT EXISTS data_used_bytes        bigint
        CONSTRAINT device_connections_bytes_not_negative CHECK (data_used_bytes >= 0),
    ADD COLUMN IF NOT EXISTS data_used_mb           numeric,
    ADD COLUMN IF NOT EXISTS data_used_updated_at   timestamptz,
    ADD COLUMN IF NOT EXISTS billing_cycle_start    timestamptz,
    ADD COLUMN IF NOT EXISTS billing_cycle_end      timestamptz,
    ADD COLUMN IF NOT EXISTS billing_cycle_source   text
        CONSTRAINT device_connections_cycle_source_known
        CHECK (billing_cycle_source IN ('reported', 'derived')),
    ADD COLUMN IF NOT EXISTS created_at             timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS updated_at             timestamptz NOT NULL DEFAULT now();

-- An adopted table may lack the uniqueness that the statements rely on. Where the rows do not allow
-- it, this fails, names the first duplicate, and nothing is changed.
DO $$
DECLARE
    needed record;
BEGIN
    FOR needed IN
        SELECT * FROM (VALUES
            ('tenants',              ARRAY['tenant_id']),
            ('carrier_integrations', ARRAY['id']),
            ('device_connections',   ARRAY['tenant_id', 'device_id'])
        ) AS n (table_name, columns)
    LOOP
        IF NOT EXISTS (
            SELECT FROM pg_index i
            WHERE i.indrelid = to_regclass(needed.table_name)
              AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
              AND needed.columns::name[] @> ARRAY(
                    SELECT a.attname FROM pg_attribute a
                    WHERE a.attrelid = i.indrelid
                      AND a.attnum = ANY ((i.indkey::smallint[])[0:i.indnkeyatts - 1]))
              AND i.indnkeyatts = cardinality(needed.columns)
        ) THEN
            EXECUTE format('CREATE UNIQUE INDEX %I ON %I (%s)',
                'carrier_sync_' || needed.table_name || '_key',
                needed.table_name, array_to_string(needed.columns, ', '));
        END IF;
    END LOOP;
END
$$;

-- As text, because an adopted platform may name its integrations by uuid or integer and the
-- statements compare the text. Where the column is text already this is a plain index. Where it is
-- not, row-level security lets the bound role use only its first column (a cast might leak): it then
-- reads the tenant's devices and picks the account's.
CREATE INDEX IF NOT EXISTS carrier_sync_device_connections_integration
    ON device_connections (tenant_id, (carrier_integration_id::text));
