-- What an integration has called, for budgets per day and month that survive a restart: the day (UTC) of the
-- last count as text, its calls, and those of its month. Counted before they are made, so that a process that
-- dies leaves too many behind and never too few.
ALTER TABLE carrier_integrations
    ADD COLUMN IF NOT EXISTS calls_day        text,
    ADD COLUMN IF NOT EXISTS calls_today      bigint,
    ADD COLUMN IF NOT EXISTS calls_this_month bigint;
