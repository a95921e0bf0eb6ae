"""The core: knows no wire protocol, no client's socket, no event loop library."""
