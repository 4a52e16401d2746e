//! What only an injected fault can show.
