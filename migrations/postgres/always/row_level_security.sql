-- Row-level security, restored by every `carrier-sync migrate`: forced (it binds the owner too) on
-- every table with a tenant_id, with two policies of ours.
--
--   carrier_sync_tenant   a tenant sees and writes its own rows
--   carrier_sync_service  the service sees all tenants, but only while no tenant is set
--
-- Both settings are made inside a transaction: set_config('app.tenant_id', …, true). With neither
-- set, or set to the empty text, no row matches. The settings are read in a sub-select, so once per
-- statement and not once per row.
--
-- Policies that an adopted platform has of its own are left alone. Permissive policies add up: a
-- broad one of the platform's (USING (true)) still shows what ours would hide.
DO $$
DECLARE
    target text;
    own_rows text := $p$(tenant_id = (SELECT nullif(current_setting('app.tenant_id', true), '')))$p$;
    all_rows text := $p$((SELECT current_setting('app.role', true) = 'iot_service'
        AND coalesce(current_setting('app.tenant_id', true), '') = ''))$p$;
BEGIN
    FOREACH target IN ARRAY ARRAY[
        'tenants', 'carrier_integrations', 'device_connections', 'carrier_calls',
        'sync_runs'
    ] LOOP
        IF NOT (SELECT relrowsecurity AND relforcerowsecurity FROM pg_class
                WHERE oid = to_regclass(target)) THEN
            EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', target);
            EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', target);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_policy
                WHERE polrelid = to_regclass(target) AND polname = 'carrier_sync_tenant') THEN
            EXECUTE format('CREATE POLICY carrier_sync_tenant ON %I USING %s WITH CHECK %s',
                target, own_rows, own_rows);
        END IF;
        IF NOT EXISTS (SELECT FROM pg_policy
                WHERE polrelid = to_regclass(target) AND polname = 'carrier_sync_service') THEN
            EXECUTE format('CREATE POLICY carrier_sync_service ON %I USING %s WITH CHECK %s',
                target, all_rows, all_rows);
        END IF;
    END LOOP;
END
$$;
