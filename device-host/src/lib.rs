//! The process that holds the WhatsApp sockets.
