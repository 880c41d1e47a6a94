"""The ngrok agent: found, installed, configured, run."""
