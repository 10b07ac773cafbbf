"""The tables of the job store."""

from __future__ import annotations

SCHEMA_VERSION = 2

SCHEMA = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE, owner TEXT NOT NULL, params TEXT NOT NULL, request BLOB NOT NULL,
    making BLOB NOT NULL, total INTEGER NOT NULL, priority INTEGER NOT NULL, title TEXT NOT NULL,
    origin TEXT NOT NULL, state TEXT NOT NULL, done INTEGER NOT NULL, created REAL NOT NULL, started REAL,
    finished REAL, error BLOB, notes BLOB NOT NULL, deaths INTEGER NOT NULL);
CREATE INDEX jobs_by_state ON jobs (state);
CREATE TABLE keyframes (name TEXT PRIMARY KEY, size INTEGER NOT NULL, used REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE frames (
    key TEXT PRIMARY KEY, format BLOB NOT NULL, sha256 TEXT NOT NULL, size INTEGER NOT NULL, relation TEXT,
    used REAL NOT NULL) WITHOUT ROWID;
"""

LATER_INDEXES = """
CREATE INDEX IF NOT EXISTS jobs_by_owner ON jobs (owner, number, state);
CREATE INDEX IF NOT EXISTS jobs_over ON jobs (number) WHERE finished IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_by_end ON jobs (finished) WHERE finished IS NOT NULL;
"""

TOTALS = """
CREATE TEMP TABLE totals (owner TEXT, state TEXT, jobs INTEGER NOT NULL, PRIMARY KEY (owner, state)) WITHOUT ROWID;
INSERT INTO totals SELECT owner, state, COUNT(*) FROM jobs GROUP BY owner, state;
CREATE TEMP TRIGGER job_came AFTER INSERT ON jobs BEGIN
    INSERT INTO totals VALUES (NEW.owner, NEW.state, 1)
        ON CONFLICT (owner, state) DO UPDATE SET jobs = jobs + 1; END;
CREATE TEMP TRIGGER job_went AFTER DELETE ON jobs BEGIN
    UPDATE totals SET jobs = jobs - 1 WHERE owner = OLD.owner AND state = OLD.state;
    DELETE FROM totals WHERE owner = OLD.owner AND state = OLD.state AND jobs = 0; END;
CREATE TEMP TRIGGER job_moved AFTER UPDATE OF owner, state ON jobs
    WHEN OLD.state <> NEW.state OR OLD.owner <> NEW.owner BEGIN
    UPDATE totals SET jobs = jobs - 1 WHERE owner = OLD.owner AND state = OLD.state;
    DELETE FROM totals WHERE owner = OLD.owner AND state = OLD.state AND jobs = 0;
    INSERT INTO totals VALUES (NEW.owner, NEW.state, 1)
        ON CONFLICT (owner, state) DO UPDATE SET jobs = jobs + 1; END;
"""
"""How many jobs there are, kept by SQLite in memory: only this process writes, and what is rolled back is so here."""
