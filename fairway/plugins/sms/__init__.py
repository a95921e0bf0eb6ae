"""Text messages: one protocol, and providers that know a vendor's wire each."""
