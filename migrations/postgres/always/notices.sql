-- Tells whoever listens that the integrations have changed, so that a change is noticed at once and not at
-- the next look. Made anew by every `carrier-sync migrate` where it is missing: a table that its platform has
-- made anew, or a column that was removed, takes its trigger along.
--
-- The server folds equal notices of a transaction into one. Not for what the service writes itself
-- (last_sync_*, lease_*): an outcome that is recorded is no change. The function compares the rows rather than
-- naming columns in the trigger: of a column that a trigger names, a platform cannot change the type. Whoever
-- writes to the table needs no right for it: the right to call a trigger's function is looked at when the
-- trigger is made.
--
-- The function is where the table is. It names everything in full and has a search path of its own, so the
-- writer's decides nothing.
DO $$
DECLARE
    target regclass := to_regclass('carrier_integrations');
    notice text;
BEGIN
    IF EXISTS (SELECT FROM pg_trigger
               WHERE tgrelid = target AND tgname = 'carrier_sync_notice' AND NOT tgisinternal) THEN
        RETURN;
    END IF;
    SELECT format('%I.carrier_sync_notice', nspname) INTO notice
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = target;
    EXECUTE format($f$
        CREATE OR REPLACE FUNCTION %s() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS
        $body$
        DECLARE
            ours text[] := ARRAY['last_sync_at', 'last_success_at', 'last_sync_status', 'last_sync_error',
                                 'lease_owner', 'lease_epoch', 'updated_at'];
        BEGIN
            IF TG_OP <> 'UPDATE' OR to_jsonb(OLD) - ours IS DISTINCT FROM to_jsonb(NEW) - ours THEN
                PERFORM pg_catalog.pg_notify('carrier_sync', '');
            END IF;
            RETURN NULL;
        END $body$
    $f$, notice);
    EXECUTE format($f$
        CREATE TRIGGER carrier_sync_notice
        AFTER INSERT OR DELETE OR UPDATE ON %s FOR EACH ROW EXECUTE FUNCTION %s()
    $f$, target, notice);
END
$$;
