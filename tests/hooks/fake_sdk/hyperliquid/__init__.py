"""As much of Hyperliquid's SDK as the worker uses: the same requests, without signatures."""
