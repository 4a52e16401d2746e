//! Builders, servers and fakes for the tests.
