-- Every sync rewrites every row of a page in one transaction, so the page needs room for a second version
-- of all it holds, or the first syncs move rows and touch every index (measured: 50 is the only one of
-- 50, 75, 90 and 100 that is HOT from the first sync on; it costs no space in the end, since the others
-- spread to the same size).
--
-- Our own 75 is replaced, and the absence of any. What an operator has chosen stays. Only pages to come
-- are filled so; nothing is rewritten. A partitioned table has no pages of its own: its partitions are
-- its operator's.
DO $$
BEGIN
    IF EXISTS (
        SELECT FROM pg_class
        WHERE oid = to_regclass('device_connections') AND relkind = 'r'
          AND (reloptions IS NULL OR 'fillfactor=75' = ANY (reloptions)
               OR NOT EXISTS (SELECT FROM UNNEST(reloptions) AS option
                              WHERE option LIKE 'fillfactor=%'))
    ) THEN
        ALTER TABLE device_connections SET (fillfactor = 50);
    END IF;
END
$$;

-- For reading an account's linked devices, and for nothing else: a write looks up each device by its key,
-- and where most tenants have one device the planner holds "all of a tenant's" for as good. A partial
-- index is none to a statement that does not repeat its condition.
DROP INDEX IF EXISTS carrier_sync_device_connections_integration;
CREATE INDEX carrier_sync_device_connections_integration
    ON device_connections (tenant_id, (carrier_integration_id::text))
    WHERE carrier_device_id IS NOT NULL;
