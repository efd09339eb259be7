-- What each integration has called, for its budgets per day and month.
--
-- A sync books calls before it makes them: they are in `calls` from then on, and `booked` says how many of
-- them are the last booking's, so that it can give back, once, what it has not made. One that dies gives
-- nothing back.

CREATE TABLE IF NOT EXISTS carrier_calls (
    tenant_id      text NOT NULL,
    -- The id's text, whatever its type is in an adopted table.
    integration_id text NOT NULL,
    -- UTC's; of the process, as everything that is counted in days.
    day            date NOT NULL,
    -- Made or booked.
    calls          bigint NOT NULL DEFAULT 0,
    -- The last booking; NULL once it has ended.
    booking        bigint,
    -- How many of the calls it holds.
    booked         bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, integration_id, day)
);
