"""`slipgate doctor`: what can be wrong between a gateway, its launcher and Daytona."""
