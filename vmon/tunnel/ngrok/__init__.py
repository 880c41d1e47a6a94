"""ngrok tunnels: the agent is located, installed, configured and run."""
