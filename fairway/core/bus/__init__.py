"""How messages travel: records, the contract of channel layers, and the layers."""
