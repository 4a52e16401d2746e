//! The web pages, server-rendered.
